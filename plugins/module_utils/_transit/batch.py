# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Many items in as few requests as the server's limits allow. **Private** to the collection.

API: https://openbao.org/api-docs/secret/transit/#encrypt-data (``batch_input``)
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ItemsFailed,
    PermissionDenied,
    ServerError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.mounts import visible_mount
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import (
    NOT_GRANTED,
    about_items,
    about_key,
    explained,
    is_for_halves,
    is_of_size,
    meaning,
    with_remedy,
    words_for_each,
    wrong_type,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

# OpenBao >= 2.4 counts every key and every text of a request's JSON (listener setting max_request_json_strings).
OPENBAO_MAX_STRINGS = 1000
# Vault >= 1.20.3 counts the elements of an array instead (max_json_array_element_count).
VAULT_MAX_ITEMS = 10000
# Both refuse bodies over 32 MiB (max_request_size).
MAX_BODY_BYTES = 16 * 1024 * 1024
_VAULT_BUILD = "+builtin.vault"
_PARTIAL = "partial_failure_response_code"


class Item(NamedTuple):
    """One item of a batch.

    Attributes:
        value: plaintext for encrypt, hmac and verify; ciphertext for decrypt and rewrap.
        name: its name in messages. Never its content.
        context: the context of a derived key.
        associated_data: the data that AEAD binds the ciphertext to.
        key_version: 0 for the latest.
        hmac: for verify, the fingerprint to check.
        signature: for verify, the signature to check.
    """

    value: bytes
    name: str = ""
    context: bytes | None = None
    associated_data: bytes | None = None
    key_version: int = 0
    hmac: str = ""
    signature: str = ""

    def __repr__(self) -> str:
        # All else may be secret.
        return f"Item(name={self.name!r}, key_version={self.key_version})"


class ItemResult(NamedTuple):
    """What the server answers for one item. It may be secret, so it does not show in the representation.

    Attributes:
        refused: why it refused the request, if that was for the size of this item.
    """

    path: str
    fields: Mapping[str, Any]
    refused: ServerError | None = None

    def __repr__(self) -> str:
        return f"ItemResult(path={self.path!r})"

    @property
    def error(self) -> str:
        """The server's words when the item failed, else empty."""
        return str(self.fields.get("error") or "")

    def text(self, name: str) -> str:
        """A field.

        Raises:
            UnexpectedAnswer: it is not a text.
        """
        found = self.fields.get(name)
        if isinstance(found, str):
            return found
        raise UnexpectedAnswer(self.path, name)

    def sealed(self, name: str) -> str:
        """A field with a version of the key and base64: a ciphertext, a fingerprint or a signature.

        Raises:
            UnexpectedAnswer: it is something else.
        """
        return checked_sealed(self.path, name, self.text(name))

    def flag(self, name: str) -> bool:
        """A field that is true or false; the server leaves some out that are false.

        Raises:
            UnexpectedAnswer: it is something else.
        """
        found = self.fields.get(name)
        if found is None or isinstance(found, bool):
            return bool(found)
        raise UnexpectedAnswer(self.path, name)


_SEALED = re.compile(r"vault:v[1-9][0-9]{0,9}:[A-Za-z0-9+/_=-]+")


def checked_sealed(path: str, name: str, text: str) -> str:
    """The text, which has a version of the key and base64.

    Raises:
        UnexpectedAnswer: it is something else.
    """
    if _SEALED.fullmatch(text):
        return text
    raise UnexpectedAnswer(path, name)


Fields = Callable[[Item], Dict[str, Any]]

# After so many refusals the policy is not one for single secrets, where the token may not ask whether it is.
_MAX_REFUSALS = 10
_USING = frozenset({"create", "root", "update"})


class BatchRequests:
    """Sends items to the engine at ``backend``, each request within the server's limits."""

    def __init__(self, client: Client, backend: str, *, together: bool = False) -> None:
        self._client, self._backend = client, backend
        self._together = together  # Nothing is asked for by itself.
        self._max_items: int | None = None

    def results(
        self,
        operation: str,
        key: str,
        items: Sequence[Item],
        fields: Fields,
        shared: Fields | None = None,
        *,
        tolerate: tuple[str, ...] = (),
    ) -> list[ItemResult]:
        """What the server answers for each item, in the order of the items.

        Args:
            tolerate: an error that has one of these words is an answer like any other.

        Raises:
            ItemsFailed: with every item that failed.
        """
        results, path = self.answers(operation, key, items, fields, shared), self._path(operation, key)
        for result in results:
            if refusal := wrong_type(result.path, result.error):
                raise ServerError(f"{refusal} {about_key(self._client, self._backend, key)}", 400)
            if result.refused:
                # What writes files asks for fingerprints first, and then encrypts.
                raise with_remedy(operation if operation in ("decrypt", "rewrap") else "encrypt", result.refused)
        failures = [
            (item_label(index, items[index].name), meaning(result.error, operation))
            for index, result in enumerate(results)
            if result.error and not any(words in result.error for words in tolerate)
        ]
        if failures:
            asked = about_items(self._client, self._backend, path, [reason for _label, reason in failures])
            raise ItemsFailed(operation, path, len(items), failures, asked)
        return results

    def answers(
        self,
        operation: str,
        key: str,
        items: Sequence[Item],
        fields: Fields,
        shared: Fields | None = None,
    ) -> list[ItemResult]:
        """What the server answers for each item, in the order of the items. Some may be errors.

        Args:
            fields: the fields of an item.
            shared: the fields that an item shares with its whole request. Items that differ in them are sent apart.
        """
        groups: dict[tuple[tuple[str, Any], ...], Sequence[int]] = {(): range(len(items))}
        if shared is not None:
            groups = _grouped([tuple(shared(item).items()) for item in items])
        answers: dict[int, ItemResult] = {}
        for facts, indexes in groups.items():
            bodies = [fields(items[index]) for index in indexes]
            for chunk in self._chunks(bodies, dict(facts)):
                chosen = [bodies[position] for position in chunk]
                results = self._send_chunk(self._path(operation, key), chosen, dict(facts))
                answers.update(zip([indexes[position] for position in chunk], results))
        return [answers[index] for index in range(len(items))]

    def _path(self, operation: str, key: str) -> str:
        return f"{self._backend}/{operation}/{checked_name(key)}"

    def _chunks(self, bodies: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> Iterator[list[int]]:
        # The name batch_input, and what is beside it.
        envelope = 1 + _weight(facts)[0]
        if self._max_items is None and _has_more_strings(bodies, OPENBAO_MAX_STRINGS - envelope):
            self._max_items = self._server_max_items()
        return chunks(bodies, self._max_items, envelope)

    def _server_max_items(self) -> int:
        """Vault's limit when this certainly is Vault; 0 for OpenBao's, which is the narrower one."""
        mount = visible_mount(self._client, self._backend)
        return VAULT_MAX_ITEMS if str(mount.get("running_plugin_version", "")).endswith(_VAULT_BUILD) else 0

    def _send_chunk(self, path: str, bodies: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> list[ItemResult]:
        try:
            reply = self._client.post(path, {"batch_input": bodies, **facts}, writes=False)
        except ServerError as refused:
            return self._refused(path, bodies, facts, refused)
        return [ItemResult(path, result) for result in reply.mappings("batch_results", len(bodies))]

    def _refused(
        self, path: str, bodies: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], refused: ServerError
    ) -> list[ItemResult]:
        """What is known of each item of a batch that the server refused. Raises the refusal if that is nothing."""
        if isinstance(refused, PermissionDenied) and all("context" in body for body in bodies) and not self._together:
            return self._one_by_one(path, [{**body, **_of_one(facts)} for body in bodies], refused)
        if len(refused.item_errors) == len(bodies):
            return [ItemResult(path, {"error": words}) for words in refused.item_errors]
        of_each = words_for_each(refused, len(bodies))
        if of_each:
            return [ItemResult(path, {"error": of_each})] * len(bodies)
        if len(bodies) > 1 and is_for_halves(refused):
            half = len(bodies) // 2
            return self._send_chunk(path, bodies[:half], facts) + self._send_chunk(path, bodies[half:], facts)
        if len(bodies) == 1 and is_of_size(refused):
            return [_refused_alone(path, refused, bodies[0])]
        raise explained(path, refused, size_of(bodies)) from None

    def _one_by_one(
        self, path: str, bodies: Sequence[Mapping[str, Any]], refused: PermissionDenied
    ) -> list[ItemResult]:
        """What the server answers for each item by itself: a policy for single secrets allows no batch.

        It is for contexts, so the server is asked once about one that it does not grant.
        """
        granted = self._client.capabilities([path])
        if granted is not None and not _USING.intersection(granted[path]):
            raise refused
        answers: list[ItemResult] = []
        allowed = False
        denied: set[str] = set()
        for body in bodies:
            if body["context"] in denied:
                answers.append(ItemResult(path, {"error": NOT_GRANTED}))
                continue
            try:
                answers.append(ItemResult(path, self._client.post(path, body, writes=False).data))
                allowed = True
            except PermissionDenied:
                denied.add(body["context"])
                answers.append(ItemResult(path, {"error": NOT_GRANTED}))
            except ServerError as error:
                answers.append(_refused_alone(path, error, body))
                allowed = True
            if granted is None and not allowed and len(answers) == _MAX_REFUSALS:
                break
        if granted is None and not allowed:  # Otherwise, only the contexts are not granted.
            raise refused
        return answers


def _refused_alone(path: str, refused: ServerError, body: Mapping[str, Any]) -> ItemResult:
    """What the server answers for an item in a request of its own, which it refused."""
    if is_of_size(refused):
        advice = explained(path, refused, size_of([body]))
        return ItemResult(path, {"error": advice.message.rstrip(".")}, advice)
    return ItemResult(path, {"error": "; ".join(refused.reasons) or refused.message.rstrip(".")})


def _of_one(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a request for a single item has of the facts of a batch."""
    return {name: value for name, value in facts.items() if name != _PARTIAL}


def _grouped(facts: Sequence[tuple[tuple[str, Any], ...]]) -> dict[tuple[tuple[str, Any], ...], Sequence[int]]:
    """The indexes of items that have the same facts."""
    groups: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for index, own in enumerate(facts):
        groups.setdefault(own, []).append(index)
    return dict(groups)


def chunks(bodies: Sequence[Mapping[str, Any]], max_items: int | None = None, envelope: int = 2) -> Iterator[list[int]]:
    """Indexes of items that fit in one request. The server refuses a mix of items with and without context."""
    for with_context in (True, False):
        chunk: list[int] = []
        strings = size = 0
        for index, body in enumerate(bodies):
            if ("context" in body) is not with_context:
                continue
            more_strings, more_bytes = _weight(body)
            full = len(chunk) >= max_items if max_items else envelope + strings + more_strings > OPENBAO_MAX_STRINGS
            if chunk and (full or size + more_bytes > MAX_BODY_BYTES):
                yield chunk
                chunk, strings, size = [], 0, 0
            chunk.append(index)
            strings, size = strings + more_strings, size + more_bytes
        if chunk:
            yield chunk


def _has_more_strings(bodies: Sequence[Mapping[str, Any]], most: int) -> bool:
    """Whether bodies have more strings than are allowed, which only the first of many decide."""
    strings = 0
    for body in bodies:
        strings += _weight(body)[0]
        if strings > most:
            return True
    return False


def size_of(bodies: Sequence[Mapping[str, Any]]) -> int:
    """How many bytes items are in a request."""
    return sum(_weight(body)[1] for body in bodies)


def _weight(body: Mapping[str, Any]) -> tuple[int, int]:
    """How many strings and bytes an item is."""
    strings = size = 0
    # Plain loops: there may be a hundred thousand items.
    for name, value in body.items():
        if isinstance(value, str):
            strings += 2
            size += len(name) + len(value) + 6
        else:
            strings += 1
            size += len(name) + len(str(value)) + 6
    return strings, size


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _common_fields(item: Item) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if item.context is not None:
        fields["context"] = _encoded(item.context)
    if item.associated_data is not None:
        fields["associated_data"] = _encoded(item.associated_data)
    if item.key_version:
        fields["key_version"] = item.key_version
    return fields


def plaintext_field(item: Item) -> dict[str, Any]:
    return {"plaintext": _encoded(item.value), **_common_fields(item)}


def ciphertext_field(item: Item) -> dict[str, Any]:
    return {"ciphertext": item.value.decode("utf-8"), **_common_fields(item)}


def input_field(item: Item) -> dict[str, Any]:
    return {"input": _encoded(item.value)}


def each_by_itself(_item: Item) -> dict[str, Any]:
    # Otherwise one bad item makes the answer a 400 that holds the plaintext of the good ones.
    return {_PARTIAL: 200}


def version_field(item: Item) -> dict[str, Any]:
    # Here the server silently ignores an item's own version.
    return {"key_version": item.key_version} if item.key_version else {}


def verify_fields(item: Item) -> dict[str, Any]:
    return {"input": _encoded(item.value), "hmac": item.hmac}


def item_label(index: int, name: str) -> str:
    """An item's name in messages."""
    return f"item {index + 1} ({name})" if name else f"item {index + 1}"
