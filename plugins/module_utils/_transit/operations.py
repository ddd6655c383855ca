# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The engine's operations on values: for each value its result, or why it has none. **Private** to the collection.

API: https://openbao.org/api-docs/secret/transit/ and https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    MountNotFound,
    NotFound,
    NotReady,
    ServerError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import DIGEST, DIGESTS
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import plaintext_of
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import (
    BatchRequests,
    Fields,
    Item,
    ItemResult,
    checked_sealed,
    ciphertext_field,
    each_by_itself,
    input_field,
    plaintext_field,
    size_of,
    verify_fields,
    version_field,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import (
    NOT_A_SIGNATURE,
    about_key,
    explained,
    is_of_size,
    meaning,
    with_remedy,
    wrong_type,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_mount, checked_name


class Answer(NamedTuple):
    """What became of one value. It may be secret, so it does not show in the representation.

    Attributes:
        problem: why there is no result, else empty.
    """

    value: Any = None
    problem: str = ""

    def __repr__(self) -> str:
        return f"Answer(problem={self.problem!r})"


class _Operation(NamedTuple):
    """An operation that the server does with many values at once.

    Attributes:
        path: below the engine, before the key's name.
        fields: the fields of an item.
        result: the result in the server's answer for an item.
        shared: the fields that an item shares with its whole request.
    """

    path: str
    fields: Fields
    result: Callable[[ItemResult], Any]
    shared: Fields


def _nothing(_item: Item) -> dict[str, Any]:
    return {}


def _signed_fields(item: Item) -> dict[str, Any]:
    fields = input_field(item)
    if item.context is not None:
        fields["context"] = base64.b64encode(item.context).decode("ascii")
    return fields


def _signature_fields(item: Item) -> dict[str, Any]:
    return {**_signed_fields(item), "signature": item.signature}


def _sealed(name: str) -> Callable[[ItemResult], str]:
    return lambda result: result.sealed(name)


def _is_valid(result: ItemResult) -> bool:
    # The server leaves the field out for a fingerprint that does not match.
    return result.flag("valid")


_BITS = 256


def _encoded(reply: Reply, name: str, form: str, size: int) -> str:
    """This many bytes in the given form.

    Raises:
        UnexpectedAnswer: it is something else, or shorter or longer.
    """
    text = reply.text(name)
    try:
        data = bytes.fromhex(text) if form == "hex" else base64.b64decode(text, validate=True)
    except ValueError:
        raise UnexpectedAnswer(reply.path, name) from None
    # `fromhex` skips blanks.
    if len(data) != size or (not text.isalnum() and form == "hex"):
        raise UnexpectedAnswer(reply.path, name)
    return text


_OPERATIONS: Mapping[str, _Operation] = {
    "cmac": _Operation("cmac", input_field, _sealed("cmac"), version_field),
    "decrypt": _Operation("decrypt", ciphertext_field, plaintext_of, each_by_itself),
    "encrypt": _Operation("encrypt", plaintext_field, _sealed("ciphertext"), each_by_itself),
    "hmac": _Operation("hmac", input_field, _sealed("hmac"), version_field),
    "rewrap": _Operation("rewrap", ciphertext_field, _sealed("ciphertext"), _nothing),
    "sign": _Operation("sign", _signed_fields, _sealed("signature"), version_field),
    "verify": _Operation("verify", _signature_fields, _is_valid, _nothing),
    "verify_hmac": _Operation("verify", verify_fields, _is_valid, _nothing),
}

# The length of a CMAC is a field of each item. All else is one of the whole request.
_OF_ITEMS = ("mac_length",)


class Operations:
    """The operations of the engine at ``backend``."""

    def __init__(self, client: Client, backend: str) -> None:
        """
        Raises:
            InvalidOption: no engine can be mounted there. The methods raise it for what cannot be a key's name.
        """
        self._client = client
        self._backend = checked_mount(backend)
        self._batches = BatchRequests(client, self._backend)

    def place(self, operation: str, key: str = "", *parts: str) -> str:
        """The path of the operation's requests, for messages."""
        path = _OPERATIONS[operation].path if operation in _OPERATIONS else operation
        return "/".join([self._backend, path, *parts, *([checked_name(key)] if key else [])])

    def many(self, operation: str, key: str, items: Sequence[Item], parameters: Mapping[str, Any]) -> list[Answer]:
        """The answers for all items, in their order.

        Args:
            operation: one that takes batches.
            parameters: more fields of requests, by the server's names.

        Raises:
            ServerError: the key, or the server, cannot do that.
        """
        does = _OPERATIONS[operation]
        of_items = {name: value for name, value in parameters.items() if name in _OF_ITEMS}
        shared = {name: value for name, value in parameters.items() if name not in _OF_ITEMS}
        results = self._batches.answers(
            does.path,
            key,
            items,
            lambda item: {**does.fields(item), **of_items},
            lambda item: {**does.shared(item), **shared},
        )
        return [self._answer(operation, result, does.result) for result in results]

    def digest(self, item: Item, parameters: Mapping[str, Any]) -> Answer:
        """The digest of a value, without a key."""
        form, size = parameters.get("format") or "hex", DIGESTS.get(str(parameters.get("algorithm")), DIGEST)
        body = {**input_field(item), **parameters}
        return self._one(self.place("hash"), body, lambda reply: _encoded(reply, "sum", form, size))

    def random(self, size: int, parameters: Mapping[str, Any]) -> Answer:
        """This many random bytes, as text."""
        form, source = parameters.get("format") or "base64", parameters.get("source")
        # The server ignores a source in the body.
        path = self.place("random", "", *([source] if source else []))
        body = {"bytes": size, **{name: value for name, value in parameters.items() if name != "source"}}
        return self._one(path, body, lambda reply: _encoded(reply, "random_bytes", form, size))

    def data_key(self, key: str, kind: str, item: Item, parameters: Mapping[str, Any]) -> Answer:
        """A new data key, encrypted, and with the kind ``plaintext`` in plaintext as well, as base64."""
        path = self.place("datakey", key, kind)
        size = (parameters.get("bits") or _BITS) // 8

        def result(reply: Reply) -> dict[str, Any]:
            made: dict[str, Any] = {"ciphertext": checked_sealed(path, "ciphertext", reply.text("ciphertext"))}
            if kind == "plaintext":
                made["plaintext"] = _encoded(reply, "plaintext", "base64", size)
            return {**made, "key_version": reply.number("key_version", 1)}

        body = {name: value for name, value in plaintext_field(item).items() if name != "plaintext"}
        return self._one(path, {**body, **parameters}, result)

    def _one(self, path: str, body: Mapping[str, Any], result: Callable[[Reply], Any]) -> Answer:
        """The answer to a request for one value.

        Raises:
            ServerError: the server would refuse any other value as well.
        """
        try:
            reply = self._client.post(path, body, writes=False)
        except ServerError as refused:
            return self._refused(path, body, refused)
        return Answer(result(reply))

    def _refused(self, path: str, body: Mapping[str, Any], refused: ServerError) -> Answer:
        """The answer that says why the server refused a request for one value.

        Raises:
            ServerError: it would refuse any other value as well.
        """
        words, operation = "; ".join(refused.reasons), path[len(self._backend) + 1 :].partition("/")[0]
        self._check_type(path, words)
        if is_of_size(refused):
            return _too_large(operation, explained(path, refused, size_of([body])))
        if refused.status not in (400, 500) or isinstance(refused, (MountNotFound, NotFound, NotReady)):
            raise refused
        return Answer(problem=meaning(words, operation))

    def _answer(self, operation: str, result: ItemResult, value: Callable[[ItemResult], Any]) -> Answer:
        if not result.error:
            return Answer(value(result))
        if result.refused:
            return _too_large(operation, result.refused)
        if operation == "verify" and NOT_A_SIGNATURE in result.error:
            return Answer(value=False)
        self._check_type(result.path, result.error)
        return Answer(problem=meaning(result.error, operation))

    def _check_type(self, path: str, words: str) -> None:
        refusal = wrong_type(path, words)
        if refusal:
            key = path.rpartition("/")[2]
            raise ServerError(f"{refusal} {about_key(self._client, self._backend, key)}", 400, [words]) from None


def _too_large(operation: str, refused: ServerError) -> Answer:
    return Answer(problem=with_remedy(operation, refused).message.rstrip("."))
