# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The Transit engine's endpoints as methods. **Private** to the collection.

The rest of the collection knows neither paths nor the encoding on the wire: plaintext and contexts are bytes here,
base64 stays inside.

API: https://openbao.org/api-docs/secret/transit/ and https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ItemsFailed,
    MountNotFound,
    NotFound,
    NotReady,
    PermissionDenied,
    ServerError,
    TransitError,
)

# OpenBao >= 2.4 counts every key and every text of a request's JSON (listener setting max_request_json_strings).
OPENBAO_MAX_STRINGS = 1000
# Vault >= 1.20.3 counts the elements of an array instead (max_json_array_element_count).
VAULT_MAX_ITEMS = 10000
# Both refuse bodies over 32 MiB (max_request_size).
MAX_BODY_BYTES = 16 * 1024 * 1024

_VAULT_BUILD = "+builtin.vault"


@dataclass(frozen=True)
class Item:
    """One item of a batch.

    Attributes:
        value: plaintext for encrypt, hmac and verify; ciphertext for decrypt and rewrap.
        name: what to call it in messages. Never its content.
        context: what a derived key is derived with.
        associated_data: what AEAD binds the ciphertext to.
        key_version: 0 for the latest.
        hmac: for verify, the fingerprint to check.
    """

    value: bytes = field(repr=False)
    name: str = ""
    context: bytes | None = field(default=None, repr=False)
    associated_data: bytes | None = field(default=None, repr=False)
    key_version: int = 0
    hmac: str = ""


@dataclass(frozen=True)
class Rewrapped:
    """What became of one ciphertext.

    Attributes:
        text: the new one, empty when there is none.
        reason: why there is none.
        foreign: whether the reason is that it belongs to another key or context.
    """

    text: str = ""
    reason: str = ""
    foreign: bool = False


Fields = Callable[[Item], Dict[str, Any]]

# After so many refusals the policy is not one for single secrets.
_HOPELESS = 10

_NOT_GRANTED = "permission denied"


class Transit:
    """One engine, mounted at ``backend``."""

    def __init__(self, client: Client, backend: str, *, foretelling: bool = False) -> None:
        """
        Args:
            foretelling: in check mode, an engine that is missing may be one that an earlier task would have enabled.
                Then it has no keys, and `is_foretold` tells so afterwards.
        """
        self._client = client
        self.backend = backend.strip("/")
        self._foretelling = foretelling
        self.is_foretold = False
        self._max_items: int | None = None

    # The engine itself

    def mount(self, *, exists: bool = False) -> Mapping[str, Any] | None:
        """The mount as ``sys/mounts`` shows it, ``None`` when there is none.

        With ``exists``, when the server has said that there is one, a standby is given the time to learn of it.
        Durations are in seconds, and 0 for the server's default, which ``/tune`` would show as a number instead.
        """
        try:
            mount = self._client.get("sys/mounts/" + self.backend, answers=() if exists else MountNotFound).data
        except MountNotFound:
            return None
        return mount if "/" not in self.backend else {**mount, "path": self._mounted_at()}

    def _mounted_at(self) -> str:
        """Where the engine that serves this path is mounted; of a path within an engine the server shows that one."""
        try:
            return str(self._client.get("sys/internal/ui/mounts/" + self.backend).data.get("path", "")).strip("/")
        except ServerError:
            # Not told to a token that may do nothing with the engine.
            return self.backend

    def enable(self, body: Mapping[str, Any]) -> None:
        self._client.post("sys/mounts/" + self.backend, {"type": "transit", **body})

    def tune(self, body: Mapping[str, Any]) -> None:
        self._client.post(f"sys/mounts/{self.backend}/tune", body)

    def disable(self) -> None:
        """Unmount the engine. This destroys its keys, those with ``deletion_allowed: false`` as well."""
        self._client.delete("sys/mounts/" + self.backend)

    def upsert_disabled(self) -> bool:
        return bool(self._client.get(self.backend + "/config/keys").data.get("disable_upsert"))

    def disable_upsert(self, disabled: bool) -> None:
        self._client.post(self.backend + "/config/keys", {"disable_upsert": disabled})

    def cache_size(self) -> int:
        return int(self._client.get(self.backend + "/cache-config").data.get("size") or 0)

    def set_cache_size(self, size: int) -> None:
        self._client.post(self.backend + "/cache-config", {"size": size})

    # Keys

    def key_names(self) -> list[str]:
        try:
            return list(self._client.list(self.backend + "/keys").data.get("keys") or ())
        except NotFound:
            return []
        except MountNotFound:
            if not self._foretelling:
                raise
            self.is_foretold = True
            return []

    def read_key(self, name: str, *, exists: bool = False) -> Mapping[str, Any] | None:
        """The key's attributes, ``None`` when it does not exist.

        With ``exists``, where nothing can be done without it, a standby is given the time to learn of it.
        """
        try:
            data = self._client.get(f"{self.backend}/keys/{name}", answers=() if exists else NotFound).data
        except NotFound as error:
            if error.reasons:
                raise
            return None
        except MountNotFound:
            if not self._foretelling:
                raise
            self.is_foretold = True
            return None
        if _is_key(data):
            return data
        raise self._no_engine(name)

    def create_key(self, name: str, body: Mapping[str, Any]) -> Reply:
        """Make the key. On a key that exists the server answers with that key, unchanged and without a word."""
        reply = self._client.post(f"{self.backend}/keys/{name}", body)
        if _is_key(reply.data):
            return reply
        raise self._no_engine(name).after([f"something was written to '{self.backend}/keys/{name}'"])

    def _no_engine(self, name: str) -> TransitError:
        """A store of another kind has or takes anything at a path that reads like a key's."""
        return ServerError(
            f"What is mounted at '{self.backend}' is no Transit engine, going by its answer for 'keys/{name}'. "
            "Correct the engine's path."
        )

    def configure_key(self, name: str, body: Mapping[str, Any]) -> Reply:
        return self._client.post(f"{self.backend}/keys/{name}/config", body)

    def rotate_key(self, name: str) -> Reply:
        """Add a version. Not sent again here when an answer is lost, which may hide a rotation that was done."""
        return self._client.post(f"{self.backend}/keys/{name}/rotate", {}, repeatable=False)

    def trim_key(self, name: str, oldest: int) -> None:
        """Destroy all versions that are older. There is no way back."""
        self._client.post(f"{self.backend}/keys/{name}/trim", {"min_available_version": oldest})

    def backup_key(self, name: str) -> str:
        """The key with all of its versions, in plaintext: treat it as what it is."""
        return str(self._client.get(f"{self.backend}/backup/{name}").data["backup"])

    def restore_key(self, name: str, backup: str, *, force: bool) -> Reply:
        """Make a key out of a backup. Not sent again here when an answer is lost.

        Args:
            force: put it in the place of a key that is there, versions that the backup does not have included.
        """
        body = {"backup": backup, **({"force": True} if force else {})}
        path = f"{self.backend}/restore/{name}"
        try:
            return self._client.post(path, body, repeatable=False)
        except ServerError as error:
            refused = error
        if refused.says("already exists"):
            refused.not_applied = True
        elif refused.status in (400, 500) and not isinstance(refused, (MountNotFound, NotReady)):
            # What a parser says of a backup that it does not understand may be a part of it.
            hidden = ServerError(f"The server refused '{path}' (HTTP {refused.status}).", refused.status)
            hidden.not_applied, hidden.unfinished = refused.not_applied, refused.unfinished
            raise hidden
        raise refused

    @property
    def may_retry(self) -> bool:
        return self._client.may_retry

    def find_active(self) -> bool:
        """Talk to the active node itself from now on, whose answers are never old. Whether it was found."""
        return self._client.find_active()

    def delete_key(self, name: str) -> None:
        self._client.delete(f"{self.backend}/keys/{name}")

    # Values, many in one request

    def encrypt(self, key: str, items: Sequence[Item]) -> list[str]:
        """Ciphertexts, in the order of the items."""
        results = self._batch("encrypt", key, items, _plaintext_field, _each_by_itself)
        return [str(result["ciphertext"]) for result in results]

    def decrypt(self, key: str, items: Sequence[Item]) -> list[bytes]:
        """Plaintexts, in the order of the items."""
        results = self._batch("decrypt", key, items, _ciphertext_field, _each_by_itself)
        return [base64.b64decode(result["plaintext"]) for result in results]

    def decrypt_each(self, key: str, items: Sequence[Item]) -> list[bytes | str]:
        """For each item its plaintext, or as text the reason why it has none."""
        results = self._answers("decrypt", key, items, _ciphertext_field, _each_by_itself)
        return [
            _meaning(str(result["error"])) if result.get("error") else base64.b64decode(result["plaintext"])
            for result in results
        ]

    def rewrap(self, key: str, items: Sequence[Item]) -> list[str]:
        """New ciphertexts of the same plaintexts, which stay on the server. Not possible with associated data."""
        results = self._batch("rewrap", key, items, _ciphertext_field)
        return [str(result["ciphertext"]) for result in results]

    def rewrap_each(self, key: str, items: Sequence[Item]) -> list[Rewrapped]:
        """For each item its new ciphertext, or the reason why there is none."""
        return [
            Rewrapped(reason=_meaning(str(result["error"])), foreign=_is_foreign(str(result["error"])))
            if result.get("error")
            else Rewrapped(str(result["ciphertext"]))
            for result in self._answers("rewrap", key, items, _ciphertext_field, None)
        ]

    def hmac(self, key: str, items: Sequence[Item]) -> list[str]:
        """Fingerprints (sha2-256) of plaintexts. A context has no part in them."""
        results = self._batch("hmac", key, items, _input_field, _version_field)
        return [str(result["hmac"]) for result in results]

    def verify(self, key: str, items: Sequence[Item]) -> list[bool | None]:
        """Whether each fingerprint belongs to its plaintext; ``None`` where the server can't tell (any more)."""
        results = self._batch("verify", key, items, _verify_fields, tolerate=_UNVERIFIABLE)
        return [None if result.get("error") else bool(result.get("valid")) for result in results]

    def _batch(
        self,
        operation: str,
        key: str,
        items: Sequence[Item],
        fields: Fields,
        shared: Fields | None = None,
        *,
        tolerate: tuple[str, ...] = (),
    ) -> list[Mapping[str, Any]]:
        results = self._answers(operation, key, items, fields, shared)
        failures = [
            (item_label(index, items[index].name), _meaning(str(result["error"])))
            for index, result in enumerate(results)
            if result.get("error") and not any(words in result["error"] for words in tolerate)
        ]
        if failures:
            raise ItemsFailed(operation, self._path(operation, key), len(items), failures)
        return results

    def _answers(
        self,
        operation: str,
        key: str,
        items: Sequence[Item],
        fields: Fields,
        shared: Fields | None,
    ) -> list[Mapping[str, Any]]:
        """What the server says of each item, in the order of the items. Some may be errors.

        Args:
            fields: what is said of an item.
            shared: what is said of an item once for its whole request. Those that differ in it are sent apart.
        """
        groups: dict[tuple[tuple[str, Any], ...], list[int]] = {}
        for index, item in enumerate(items):
            groups.setdefault(tuple(shared(item).items()) if shared else (), []).append(index)
        answers: dict[int, Mapping[str, Any]] = {}
        for facts, indexes in groups.items():
            bodies = [fields(items[index]) for index in indexes]
            for chunk in self._chunks(bodies):
                chosen = [bodies[position] for position in chunk]
                results = self._send_chunk(self._path(operation, key), chosen, dict(facts))
                answers.update(zip([indexes[position] for position in chunk], results))
        return [answers[index] for index in range(len(items))]

    def _path(self, operation: str, key: str) -> str:
        return f"{self.backend}/{operation}/{key}"

    def _chunks(self, bodies: Sequence[Mapping[str, Any]]) -> Iterator[list[int]]:
        if self._max_items is None and _strings(bodies) > OPENBAO_MAX_STRINGS:
            self._max_items = self._server_max_items()
        return chunks(bodies, self._max_items)

    def _server_max_items(self) -> int:
        """Vault's limit when this is surely Vault; 0 for OpenBao's, which is the narrower one."""
        try:
            # Readable for every token with a right below the mount.
            mount = self._client.get("sys/internal/ui/mounts/" + self.backend).data
        except ServerError:
            return 0
        return VAULT_MAX_ITEMS if str(mount.get("running_plugin_version", "")).endswith(_VAULT_BUILD) else 0

    def _send_chunk(
        self, path: str, bodies: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
    ) -> list[Mapping[str, Any]]:
        try:
            return list(self._client.post(path, {"batch_input": bodies, **facts}, writes=False).data["batch_results"])
        except ServerError as error:
            refused = error
        if isinstance(refused, PermissionDenied) and all("context" in body for body in bodies):
            return self._one_by_one(path, bodies, refused)
        if len(refused.item_errors) == len(bodies):
            return [{"error": words} for words in refused.item_errors]
        if len(bodies) > 1 and (refused.says("JSON input due to high complexity") or refused.status == 413):
            # The server's limit was set lower than the default. It refuses before it does anything.
            half = len(bodies) // 2
            return self._send_chunk(path, bodies[:half], facts) + self._send_chunk(path, bodies[half:], facts)
        raise refused

    def _one_by_one(
        self, path: str, bodies: Sequence[Mapping[str, Any]], refused: PermissionDenied
    ) -> list[Mapping[str, Any]]:
        """What the server says when it is asked for each by itself: a policy for single secrets allows no batch."""
        answers: list[Mapping[str, Any]] = []
        allowed = False
        for body in bodies:
            try:
                answers.append(self._client.post(path, body, writes=False).data)
                allowed = True
            except PermissionDenied:
                answers.append({"error": _NOT_GRANTED})
            except ServerError as error:
                answers.append({"error": "; ".join(error.reasons) or error.message})
                allowed = True
            if not allowed and len(answers) == _HOPELESS:
                break
        if not allowed:
            raise refused
        return answers

    def check_key_exists(self, key: str) -> None:
        """Refuse to go on when the key is known to be missing: an encrypt would create it if the token may.

        A token that may not read the key learns nothing here. It cannot create one either unless a policy with
        ``create`` on ``encrypt`` was written for it.

        Raises:
            NotFound: the key does not exist.
        """
        try:
            missing = self.read_key(key, exists=True) is None
        except PermissionDenied:
            return
        if missing:
            raise NotFound(
                f"The key '{key}' does not exist in the engine '{self.backend}'. "
                "Create it (vault_transit_key), or correct its name."
            )


def _is_key(data: Mapping[str, Any]) -> bool:
    return "latest_version" in data


def chunks(bodies: Sequence[Mapping[str, Any]], max_items: int | None = None) -> Iterator[list[int]]:
    """Indexes of items that fit in one request. The server refuses a mix of items with and without context."""
    for with_context in (True, False):
        chunk: list[int] = []
        strings = size = 0
        for index, body in enumerate(bodies):
            if ("context" in body) is not with_context:
                continue
            more_strings, more_bytes = _weight(body)
            full = len(chunk) >= max_items if max_items else _ENVELOPE + strings + more_strings > OPENBAO_MAX_STRINGS
            if chunk and (full or size + more_bytes > MAX_BODY_BYTES):
                yield chunk
                chunk, strings, size = [], 0, 0
            chunk.append(index)
            strings, size = strings + more_strings, size + more_bytes
        if chunk:
            yield chunk


# The names batch_input and partial_failure_response_code (or key_version).
_ENVELOPE = 2


def _strings(bodies: Sequence[Mapping[str, Any]]) -> int:
    return _ENVELOPE + sum(_weight(body)[0] for body in bodies)


def _weight(body: Mapping[str, Any]) -> tuple[int, int]:
    """How many strings and bytes an item is."""
    strings = size = 0
    # Plain loops: there may be a hundred thousand items.
    for name, value in body.items():
        text = isinstance(value, str)
        strings += 2 if text else 1
        size += len(name) + len(value if text else str(value)) + 6
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


def _plaintext_field(item: Item) -> dict[str, Any]:
    return {"plaintext": _encoded(item.value), **_common_fields(item)}


def _ciphertext_field(item: Item) -> dict[str, Any]:
    return {"ciphertext": item.value.decode("utf-8"), **_common_fields(item)}


def _input_field(item: Item) -> dict[str, Any]:
    return {"input": _encoded(item.value)}


def _each_by_itself(_item: Item) -> dict[str, Any]:
    # Otherwise one bad item makes the answer a 400 that holds the plaintext of the good ones.
    return {"partial_failure_response_code": 200}


def _version_field(item: Item) -> dict[str, Any]:
    # Here the server ignores an item's own version without a word.
    return {"key_version": item.key_version} if item.key_version else {}


def _verify_fields(item: Item) -> dict[str, Any]:
    return {"input": _encoded(item.value), "hmac": item.hmac}


def item_label(index: int, name: str) -> str:
    """What to call an item in messages."""
    return f"item {index + 1} ({name})" if name else f"item {index + 1}"


# Both say that this fingerprint tells nothing (any more), not that the request was wrong.
_UNVERIFIABLE = ("too old", "too new", "invalid HMAC")

_MEANINGS: tuple[tuple[str, str], ...] = (
    (
        "message authentication failed",
        "it does not decrypt: another key, another context or associated data, or the ciphertext is damaged",
    ),
    (
        "disallowed by policy (too old)",
        "its key version is below the key's min_decryption_version: lower that, or encrypt the value anew",
    ),
    (
        "version is too new",
        "its key version does not exist (yet): another key, or a key restored from an older backup",
    ),
    ("no prefix", "it is not a Transit ciphertext (vault:vN:...)"),
    ("could not decode base64", "the ciphertext is damaged or cut off"),
    ("invalid ciphertext length", "the ciphertext is damaged or cut off"),
    (
        "missing 'context' for key derivation",
        "the key is derived and needs the context under which the value was encrypted",
    ),
    ("illegal base64", "the ciphertext is damaged or cut off"),
    (_NOT_GRANTED, "the token's policies do not allow it for this name"),
)


# It is another key's, another context's, or damaged: the server cannot tell these apart.
_FOREIGN = (
    "message authentication failed",
    "version is too new",
    "invalid ciphertext",
    "could not decode base64",
    "missing 'context'",
)


def _is_foreign(words: str) -> bool:
    return any(sign in words for sign in _FOREIGN)


def _meaning(words: str) -> str:
    """The server's words for a failed item, said so that one can act on them."""
    for sign, meaning in _MEANINGS:
        if sign in words:
            return meaning
    return " ".join(words.split())


def decode_base64(text: str) -> bytes:
    """Strict base64.

    Raises:
        ValueError: it is none. The message does not repeat the text.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise ValueError("not valid base64")
