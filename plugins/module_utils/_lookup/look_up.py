# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The operations of the lookup: many values, one operation, one request. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, MountNotFound
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.request import LookupRequest, lookup_request
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.results import (
    as_text,
    entries_asked,
    failed,
    in_order,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.terms import (
    Asked,
    asked_from,
    data_keys_from,
    flat,
    refuse_problems,
    sizes_from,
    with_context_refused,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import depends_on_key, use_problems
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.operations import Answer, Operations
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.belonging import check_document
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import interpret
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

# What to do with a message about terms that failed: its second argument is the option `term_errors`.
Report = Callable[[str, str], None]
# Decrypts items, given the engine and the key: for each its plaintext, or as text the reason why there is none.
Decrypt = Callable[[str, str, Sequence[Item]], Sequence[Union[bytes, str]]]


def look_up(
    client: Client, terms: Sequence[Any], options: Mapping[str, Any], report: Report, decrypt: Decrypt
) -> list[Any]:
    """The results for all terms, in their order, and ``None`` for those that failed where that is allowed.

    Args:
        terms: texts, or mappings with ``value`` and what else differs from term to term; lists are flattened. With
            ``kv_path``, names of entries.
        options: those of the lookup ``vault_transit``.
        decrypt: decrypts items without further parameters.

    Raises:
        InvalidOption: a term cannot be right.
        ItemsFailed: the server refused some of them.
    """
    request = lookup_request(options)
    if request.operation == "kv_get":
        return _fields(client, flat(terms), request, report)
    if request.kv_path:
        return _stored(client, flat(terms), request, report, decrypt)
    asked = _asked(terms, request)
    if request.term_errors == "strict":
        refuse_problems(asked)
    if not asked:
        return []
    operations = Operations(client, request.backend)
    asked = _checked_with_key(client, request, asked)
    if request.term_errors == "strict":
        refuse_problems(asked)
    good = [one.ask for one in asked if not one.problem]
    answers = in_order(asked, _answers(operations, request, good, decrypt))
    place = operations.place(request.operation, request.key, *_kind(request))
    return _results(client, request, report, place, asked, answers)


def _asked(terms: Sequence[Any], request: LookupRequest) -> list[Asked]:
    if request.operation == "random":
        return sizes_from(terms, request.size, request.defaults)
    if request.operation == "datakey":
        return data_keys_from(terms, request.defaults)
    return asked_from(terms, request.defaults)


def _kind(request: LookupRequest) -> tuple[str, ...]:
    return (request.kind,) if request.operation == "datakey" else ()


def _checked_with_key(client: Client, request: LookupRequest, asked: list[Asked]) -> list[Asked]:
    """The terms, where those with a context that is not for the key have a problem. The server would ignore it.

    Nothing is known of a key that the token may not read.

    Raises:
        InvalidOption: an option for all terms is not for the key.
        NotFound: the key does not exist.
    """
    items = [one.ask for one in asked if isinstance(one.ask, Item)]
    own = {"context": next((item.context for item in items if item.context), None)}
    of_all = {**request.parameters, "context": request.defaults.context}
    operation = request.operation
    if not items or not (operation == "encrypt" or depends_on_key(operation, {**of_all, **own})):
        return asked
    facts = Transit(client, request.backend).existing_key(request.key)
    if facts is None:
        return asked
    which = f"key '{request.key}'"
    for problem in use_problems(which, facts, operation, of_all):
        raise InvalidOption(f"{problem}.")
    problems = use_problems(which, facts, operation, own)
    return with_context_refused(asked, problems[0]) if problems else asked


def _answers(operations: Operations, request: LookupRequest, good: list[Any], decrypt: Decrypt) -> list[Answer]:
    key, parameters = request.key, request.parameters
    if not good:
        return []
    if request.operation == "hash":
        return [operations.digest(item, parameters) for item in good]
    if request.operation == "random":
        return [operations.random(size, parameters) for size in good]
    if request.operation == "datakey":
        return [operations.data_key(key, request.kind, item, parameters) for item in good]
    if request.operation == "decrypt" and not parameters:
        found = decrypt(request.backend, key, good)
        answers = [Answer(problem=one) if isinstance(one, str) else Answer(one) for one in found]
    else:
        answers = operations.many(request.operation, key, good, parameters)
    if request.operation == "decrypt":
        return [as_text(answer, as_base64=request.base64) for answer in answers]
    return answers


def _results(
    client: Client,
    request: LookupRequest,
    report: Report,
    place: str,
    asked: Sequence[Asked],
    answers: Sequence[Answer],
) -> list[Any]:
    """The results of all terms.

    Raises:
        ItemsFailed: some failed, and that is not allowed.
    """
    error = failed(client, request.backend, request.operation, place, asked, answers)
    if error is not None:
        if request.term_errors == "strict":
            raise error
        report(error.message, request.term_errors)
    return [answer.value for answer in answers]


def _fields(client: Client, names: Sequence[Any], request: LookupRequest, report: Report) -> list[Any]:
    """Fields of a secret in a KV engine as they are stored, or with no name all of them."""
    place = f"{request.kv_mount}/{request.kv_path}"
    try:
        content = Documents(client, request.kv_mount).read(request.kv_path).content
    except MountNotFound:
        if names:
            raise
        content = {}
    if not names:
        return [dict(content)]
    asked = _entries(names, content, place, request)
    found = [Answer(content[one.ask]) for one in asked if not one.problem]
    return _results(client, request, report, place, asked, in_order(asked, found))


def _entries(names: Sequence[Any], known: Mapping[str, Any], place: str, request: LookupRequest) -> list[Asked]:
    missing = [str(name) for name in names if name not in known]
    if missing and request.term_errors == "strict":
        raise InvalidOption(f"There is no {', '.join(missing)} in '{place}'.{did_you_mean(missing[0], known)}")
    return entries_asked(names, known, place)


def _stored(
    client: Client, names: Sequence[Any], request: LookupRequest, report: Report, decrypt: Decrypt
) -> list[Any]:
    """What an encrypted document in a KV engine holds under these names: plaintexts, or ciphertexts to read.

    Reading no name gives the whole document.
    """
    place = f"{request.kv_mount}/{request.kv_path}"
    content = Documents(client, request.kv_mount).read(request.kv_path).content
    file = interpret(content, place)
    if not names:
        return [dict(content)] if request.operation == "read" else []
    asked = _entries(names, file.entries, place, request)
    entries = [file.entries[one.ask] for one in asked if not one.problem]
    if request.operation == "read":
        read = [Answer(entry.ciphertext) for entry in entries]
        return _results(client, request, report, place, asked, in_order(asked, read))
    operations = Operations(client, request.backend)
    check_document(file, request.backend.strip("/"), request.key)
    # In messages, an entry is named as an item is.
    items = [stored_item(entry) for entry in entries]
    labelled = [Asked(f"item {index + 1} ({one.label[1:-1]})", one.ask, one.problem) for index, one in enumerate(asked)]
    answers = in_order(asked, _answers(operations, request, items, decrypt))
    return _results(client, request, report, operations.place("decrypt", request.key), labelled, answers)
