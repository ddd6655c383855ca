# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The Transit engine's endpoints as methods. **Private** to the collection.

The rest of the collection knows neither paths nor the encoding on the wire: plaintext and contexts are bytes here,
base64 stays inside.

API: https://openbao.org/api-docs/secret/transit/ and https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    MountNotFound,
    NotFound,
    NotReady,
    PermissionDenied,
    ServerError,
    TransitError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.mounts import visible_mount
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import malformed
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import (
    BatchRequests,
    Item,
    ItemResult,
    ciphertext_field,
    each_by_itself,
    input_field,
    plaintext_field,
    verify_fields,
    version_field,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import (
    UNVERIFIABLE,
    is_foreign,
    meaning,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_mount, checked_name


class Rewrapped(NamedTuple):
    """The result of rewrapping one ciphertext.

    Attributes:
        text: the new ciphertext, empty when there is none.
        reason: why there is none.
        foreign: whether the reason is that it belongs to another key or context.
    """

    text: str = ""
    reason: str = ""
    foreign: bool = False


class Transit:
    """One engine, mounted at ``backend``."""

    def __init__(self, client: Client, backend: str, *, predicting: bool = False) -> None:
        """
        Args:
            predicting: in check mode, an engine that is missing may be one that an earlier task would have enabled.
                Then it has no keys, and `is_predicted` is set.

        Raises:
            InvalidOption: no engine can be mounted there. The methods raise it for what cannot be a key's name.
        """
        self.client = client
        self.backend = checked_mount(backend)
        self._predicting = predicting
        # The namespaces in the path, as far as they are known.
        self._above = ""
        self.is_predicted = False
        self._batches = BatchRequests(client, self.backend)

    # The engine itself

    def mount(self, *, exists: bool = False) -> Mapping[str, Any] | None:
        """The mount as ``sys/mounts`` shows it, ``None`` when there is none.

        With ``exists``, when the server has confirmed that there is one, a standby gets the time to learn of it.
        Durations are in seconds, and 0 for the server's default, which ``/tune`` would show as a number instead.
        """
        try:
            reply = self.client.get(self._of_mount, answers=() if exists else MountNotFound)
        except (MountNotFound, PermissionDenied) as error:
            # A token that may manage the engine of a namespace below may have no right to this path, as one of its own.
            if not self._above and self._find_namespaces():
                return self.mount(exists=exists)
            if isinstance(error, PermissionDenied):
                raise
            return None
        mount = reply.data
        if wrong := malformed(MOUNT_ATTRIBUTES, {**reply.mapping("config"), **mount}):
            raise UnexpectedAnswer(reply.path, wrong)
        return mount if "/" not in self.backend else {**mount, "path": self._mounted_at()}

    def _mounted_at(self) -> str:
        """Where the engine that serves this path is mounted; of a path within an engine the server shows that one."""
        inner = self.backend[len(self._above) :]
        mount = visible_mount(self.client, inner, self._above)
        if not mount:
            return self.backend
        found = str(mount.get("path", "")).strip("/")
        return self.backend if self._above and found.endswith(inner) else found

    @property
    def _of_mount(self) -> str:
        """Mounts are managed in their own namespace, also by a path that leads there from one above it."""
        return f"{self._above}sys/mounts/{self.backend[len(self._above) :]}"

    def _find_namespaces(self) -> bool:
        """Whether the path begins with namespaces that the token can see."""
        for name in self.backend.split("/")[:-1]:
            try:
                self.client.get(f"{self._above}sys/namespaces/{name}", answers=ServerError)
            except ServerError:
                break
            self._above += f"{name}/"
        return bool(self._above)

    def enable(self, body: Mapping[str, Any]) -> None:
        self.client.post(self._of_mount, {"type": "transit", **body})

    def tune(self, body: Mapping[str, Any]) -> None:
        self.client.post(f"{self._of_mount}/tune", body)

    def disable(self) -> None:
        """Unmount the engine. This destroys its keys, those with ``deletion_allowed: false`` as well."""
        if not self._above:
            # What shows a mount to a namespace above it does not remove it from there.
            self._find_namespaces()
        self.client.delete(self._of_mount)

    def upsert_disabled(self) -> bool:
        return bool(self.client.get(self.backend + "/config/keys").data.get("disable_upsert"))

    def disable_upsert(self, disabled: bool) -> None:
        self.client.post(self.backend + "/config/keys", {"disable_upsert": disabled})

    def cache_size(self) -> int:
        return self.client.get(self.backend + "/cache-config").number("size", 0)

    def set_cache_size(self, size: int) -> None:
        self.client.post(self.backend + "/cache-config", {"size": size})

    # Keys

    def key_names(self) -> list[str]:
        try:
            names = self.client.list(self.backend + "/keys").texts("keys")
            # After the first import, the server's own wrapping key is listed as a folder.
            return [name for name in names if not name.endswith("/")]
        except NotFound:
            return []
        except MountNotFound:
            if not self._predicting:
                raise
            self.is_predicted = True
            return []

    def read_key(self, name: str, *, exists: bool = False, context: str = "") -> Mapping[str, Any] | None:
        """The key's attributes, ``None`` when it does not exist.

        With ``exists``, where nothing can be done without it, a standby gets the time to learn of it.

        Args:
            context: of a derived key pair, which public key to show.
        """
        query = {"context": base64.b64encode(context.encode("utf-8")).decode("ascii")} if context else None
        try:
            data = self.client.get(self._key_path(name), query, answers=() if exists else NotFound).data
        except NotFound as error:
            if error.reasons:
                raise
            return None
        except MountNotFound:
            if not self._predicting:
                raise
            self.is_predicted = True
            return None
        if _is_key(data):
            return {**data, "name": name}
        raise self._not_transit(name)

    def missing(self, name: str) -> NotFound:
        """The error about a key that does not exist."""
        return NotFound(
            f"The key '{name}' does not exist in the engine '{self.backend}'. Create it (vault_transit_key), or "
            f"correct its name. {self.client.asked_with('list', f'{self.backend}/keys')}"
        )

    def create_key(self, name: str, body: Mapping[str, Any]) -> Reply:
        """Make the key. On a key that exists the server answers with that key, silently and unchanged."""
        reply = self.client.post(self._key_path(name), body)
        if _is_key(reply.data):
            return replace(reply, data={**reply.data, "name": name})
        raise self._not_transit(name).after([f"something was written to '{self.backend}/keys/{name}'"])

    def _not_transit(self, name: str) -> TransitError:
        """A store of another kind may have or accept anything at a path that reads like a key's."""
        return ServerError(
            f"What is mounted at '{self.backend}' does not look like a Transit engine: its answer for 'keys/{name}' is "
            f"not a key. Correct the engine's path. {self.client.asked_with('secrets list')}"
        )

    def configure_key(self, name: str, body: Mapping[str, Any]) -> Reply:
        return self._key_reply(name, self.client.post(self._key_path(name) + "/config", body))

    def rotate_key(self, name: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Add a version. Not sent again here when an answer is lost: the rotation may have been done."""
        return self._key_reply(name, self.client.post(self._key_path(name) + "/rotate", body or {}, repeatable=False))

    def soft_delete_key(self, name: str) -> None:
        """Stop all uses of the key until it is restored. OpenBao only."""
        self.client.delete(self._key_path(name) + "/soft-delete")

    def restore_soft_deleted(self, name: str) -> None:
        """Undo that. OpenBao only."""
        self.client.post(self._key_path(name) + "/soft-delete-restore", {})

    def wrapping_key(self) -> str:
        """The public key that wraps material for an import, a PEM. The server makes it when it is first asked for."""
        return self.client.get(self.backend + "/wrapping_key").text("public_key")

    def import_key(self, name: str, body: Mapping[str, Any]) -> None:
        """Make a key of material. Not sent again here when an answer is lost."""
        self.client.post(self._key_path(name) + "/import", body, repeatable=False)

    def import_version(self, name: str, body: Mapping[str, Any]) -> None:
        """Add a version of material. Not sent again here when an answer is lost."""
        self.client.post(self._key_path(name) + "/import_version", body, repeatable=False)

    def export_key(self, name: str, key_type: str, version: int, form: str = "") -> str:
        """The secret material of one version, in plaintext. Empty if the version has the public key alone.

        Args:
            key_type: the server's word for what the material is for, such as ``signing-key``.
            form: the server's word for an encoding, empty for its default.
        """
        path = f"{self.backend}/export/{key_type}/{checked_name(name)}/{version}"
        keys = self.client.get(path, {"format": form} if form else None).mapping("keys")
        if isinstance(material := keys.get(str(version)), str):
            return material
        raise UnexpectedAnswer(path, "keys")

    def trim_key(self, name: str, oldest: int) -> None:
        """Destroy all versions that are older. There is no way back."""
        self.client.post(self._key_path(name) + "/trim", {"min_available_version": oldest})

    def backup_key(self, name: str) -> str:
        """The key with all of its versions, in plaintext."""
        return self.client.get(f"{self.backend}/backup/{checked_name(name)}").text("backup")

    def restore_key(self, name: str, backup: str, *, force: bool) -> Reply:
        """Make a key from a backup. Not sent again here when an answer is lost.

        Args:
            force: replace an existing key, with all its versions, also those that the backup does not have.
        """
        path = f"{self.backend}/restore/{checked_name(name)}"
        try:
            return self.client.post(path, {"backup": backup, **({"force": True} if force else {})}, repeatable=False)
        except ServerError as error:
            refused = error
        if refused.says("already exists"):
            refused.not_applied = True
        elif refused.status in (400, 500) and not isinstance(refused, (MountNotFound, NotReady)):
            # A parser's message about a backup that it does not understand may quote the backup. Raised outside of the
            # handler, so that not even a suppressed context keeps that message.
            said = f"The server refused '{path}' (HTTP {refused.status}). {refused.asked}"
            hidden = ServerError(said, refused.status)
            hidden.not_applied, hidden.unfinished = refused.not_applied, refused.unfinished
            raise hidden
        raise refused

    @property
    def may_retry(self) -> bool:
        return self.client.may_retry

    def find_active(self) -> bool:
        """Send requests to the active node from now on: its answers are never stale. Whether it was found."""
        return self.client.find_active()

    def delete_key(self, name: str) -> None:
        self.client.delete(self._key_path(name))

    def _key_reply(self, name: str, reply: Reply) -> Reply:
        if _is_key(reply.data):
            return replace(reply, data={**reply.data, "name": name})
        raise UnexpectedAnswer(reply.path, "latest_version")

    def _key_path(self, name: str) -> str:
        return f"{self.backend}/keys/{checked_name(name)}"

    # Values, many in one request

    def encrypt(self, key: str, items: Sequence[Item]) -> list[str]:
        """Ciphertexts, in the order of the items."""
        results = self._batches.results("encrypt", key, items, plaintext_field, each_by_itself)
        return [result.sealed("ciphertext") for result in results]

    def decrypt(self, key: str, items: Sequence[Item]) -> list[bytes]:
        """Plaintexts, in the order of the items."""
        results = self._batches.results("decrypt", key, items, ciphertext_field, each_by_itself)
        return [plaintext_of(result) for result in results]

    def may_decrypt(self, key: str) -> bool:
        """Whether the token may decrypt something with a key, as far as it may ask that."""
        path = f"{self.backend}/decrypt/{checked_name(key)}"
        granted = self.client.capabilities([path])
        return granted is None or bool({"update", "root"}.intersection(granted[path]))

    def denied(self, updates: Sequence[str]) -> list[str]:
        """Those of the engine's paths that the token may not update. Nothing if it may not ask what it may do."""
        paths = [f"{self.backend}/{path.strip('/')}" for path in updates]
        granted = (self.client.capabilities(paths) if paths else None) or {}
        return [path for path, may in granted.items() if may and not {"update", "root"}.intersection(may)]

    def decrypt_each(self, key: str, items: Sequence[Item], *, together: bool = False) -> list[bytes | str]:
        """For each item its plaintext, or as text the reason why it has none; `together` asks for none by itself."""
        batches = BatchRequests(self.client, self.backend, together=True) if together else self._batches
        results = batches.answers("decrypt", key, items, ciphertext_field, each_by_itself)
        return [meaning(result.error) if result.error else plaintext_of(result) for result in results]

    def rewrap(self, key: str, items: Sequence[Item]) -> list[str]:
        """New ciphertexts of the same plaintexts, which stay on the server. Not possible with associated data."""
        results = self._batches.results("rewrap", key, items, ciphertext_field)
        return [result.sealed("ciphertext") for result in results]

    def rewrap_each(self, key: str, items: Sequence[Item]) -> list[Rewrapped]:
        """For each item its new ciphertext, or the reason why there is none."""
        return [_rewrapped(result) for result in self._batches.answers("rewrap", key, items, ciphertext_field)]

    def hmac(self, key: str, items: Sequence[Item]) -> list[str]:
        """Fingerprints (sha2-256) of plaintexts. A context has no part in them."""
        results = self._batches.results("hmac", key, items, input_field, version_field)
        return [result.sealed("hmac") for result in results]

    def verify(self, key: str, items: Sequence[Item]) -> list[bool | None]:
        """Whether each fingerprint belongs to its plaintext; ``None`` where the server cannot know (any more)."""
        results = self._batches.results("verify", key, items, verify_fields, tolerate=UNVERIFIABLE)
        return [None if result.error else result.flag("valid") for result in results]

    def existing_key(self, key: str) -> Mapping[str, Any] | None:
        """The key's attributes, ``None`` where the token may not read it.

        Before an encrypt, this refuses to go on when the key is known to be missing: the server would create it if the
        token may. A token that may not read the key cannot create one either unless a policy with ``create`` on
        ``encrypt`` was written for it.

        Raises:
            NotFound: the key does not exist.
        """
        try:
            found = self.read_key(key, exists=True)
        except PermissionDenied:
            return None
        if found is None:
            raise self.missing(key)
        return found


def _rewrapped(result: ItemResult) -> Rewrapped:
    error = result.error
    if error:
        return Rewrapped(reason=meaning(error), foreign=is_foreign(error))
    return Rewrapped(result.sealed("ciphertext"))


def plaintext_of(result: ItemResult) -> bytes:
    """
    Raises:
        UnexpectedAnswer: it is not base64.
    """
    try:
        return base64.b64decode(result.text("plaintext"), validate=True)
    except ValueError:
        raise UnexpectedAnswer(result.path, "plaintext") from None


def _is_key(data: Mapping[str, Any]) -> bool:
    """Whether this describes a key: with a version, and with attributes of the kinds that a server sends."""
    numbers = (data.get("latest_version"), data.get("min_available_version") or 0)
    versions = data.get("keys") or {}
    return (
        not malformed(KEY_ATTRIBUTES, data)
        and all(isinstance(number, int) for number in numbers)
        and isinstance(versions, dict)
        and all(str(version).isdecimal() for version in versions)
    )
