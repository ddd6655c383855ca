# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Everything that can go wrong, as sentences for people. **Private** to the collection.

::

    TransitError
     +- LibraryMissing        a Python library is not installed
     +- InvalidOption         an option or a file's content cannot be right, whatever the server says
     +- ChangeImpossible      the wanted state cannot be reached from the actual one (all reasons at once)
     +- ItemsFailed           some items of a batch failed (each by position and name, never by content)
     +- ServerUnreachable     no answer: address, refused, timeout, TLS, proxy
     +- ServerError           an answer that is no success
         +- Unauthenticated       token missing, expired, revoked; or login refused
         +- PermissionDenied      a policy says no
         +- NotFound              key (or other object) missing
         +- MountNotFound         no engine at the path
         +- NamespaceNotFound
         +- NotReady              sealed, not initialised, no active node

Messages hold facts that we put there: never a request's or a response's body.
"""

from __future__ import annotations

from typing import Sequence


class TransitError(Exception):
    """Base of all.

    Attributes:
        changed: whether something had been written on the server before it was raised.
        undone: whether the request that failed was certainly not carried out.
        unfinished: whether the server may still be at it.
    """

    changed = False
    undone = False
    unfinished = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def after(self, done: Sequence[str]) -> TransitError:
        """The same error, saying what had been done before it."""
        if done:
            self.changed = True
            self.message += f" Already done: {', '.join(done)}."
            self.args = (self.message,)
        return self


class LibraryMissing(TransitError):
    def __init__(self, library: str) -> None:
        super().__init__(f"The Python library {library} is needed where this runs, and is not installed.")
        self.library = library


class InvalidOption(TransitError):
    pass


class ChangeImpossible(TransitError):
    def __init__(self, subject: str, reasons: Sequence[str]) -> None:
        super().__init__(f"{subject}: {'; '.join(reasons)}. Nothing was changed.")
        self.reasons = tuple(reasons)


class ItemsFailed(TransitError):
    def __init__(self, operation: str, path: str, total: int, failures: Sequence[tuple[str, str]]) -> None:
        shown = [f"{label}: {reason}" for label, reason in failures[:10]]
        if len(failures) > len(shown):
            shown.append(f"and {len(failures) - len(shown)} more")
        super().__init__(
            f"{operation} failed for {len(failures)} of {total} item{'' if total == 1 else 's'} at {path}: "
            f"{'; '.join(shown)}."
        )
        self.failures = tuple(failures)


class ServerUnreachable(TransitError):
    pass


class ServerError(TransitError):
    """An answer that is no success.

    Attributes:
        reasons: the server's own words.
        item_errors: for a batch of which every item failed, the server's words for each.
        version: for a secret that was deleted, its version.
    """

    item_errors: tuple[str, ...] = ()
    version = 0

    def __init__(self, message: str, status: int = 0, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reasons = tuple(reasons)

    def says(self, text: str) -> bool:
        return any(text in reason for reason in self.reasons)


class Unauthenticated(ServerError):
    pass


class PermissionDenied(ServerError):
    pass


class NotFound(ServerError):
    pass


class MountNotFound(ServerError):
    pass


class NamespaceNotFound(ServerError):
    pass


class NotReady(ServerError):
    pass


_CAPABILITIES = {"GET": "read", "LIST": "list", "POST": "update", "PUT": "update", "DELETE": "delete"}


def from_answer(
    method: str, path: str, status: int, reasons: Sequence[str], namespace: str | None = None
) -> ServerError:
    """The error that an unsuccessful answer means.

    The server's texts were read off OpenBao 2.7 and Vault's source; both share the code that writes them.
    """
    words = _words(reasons)
    if status == 403:
        return _denied(method, path, reasons, words)
    if "namespace not found" in words:
        return NamespaceNotFound(
            "The namespace '%s' does not exist on this server. Check namespace (or BAO_NAMESPACE, VAULT_NAMESPACE)."
            % (namespace or ""),
            status,
            reasons,
        )
    if any(text in words for text in _NO_MOUNT):
        return MountNotFound(
            f"No secrets engine is mounted for '{path}'. Enable it, or correct the engine's path.",
            status,
            reasons,
        )
    if any(text in words for text in _NO_KEY):
        return NotFound(f"The key for '{path}' does not exist.", status, reasons)
    if status == 404:
        return NotFound(f"There is nothing at '{path}'.{_said(words)}", status, reasons)
    if status == 503 or "active cluster node not found" in words:
        return NotReady(f"The server is not ready for '{path}': {words}. {_REMEDY_NOT_READY}", status, reasons)
    if status == 429:
        return ServerError(
            f"The server limits the rate of requests at '{path}': {words or 'too many requests'}. "
            "Try again later, or set retries.",
            status,
            reasons,
        )
    return ServerError(f"The server refused '{path}' (HTTP {status}).{_said(words)}", status, reasons)


_REMEDY_NOT_READY = "Unseal it (bao operator unseal, vault operator unseal), or wait until a node is active."

_NO_MOUNT = (
    "no handler for route",
    "No secret engine mount at",
    "No auth engine at",
    "cannot fetch sysview for path",
)

_NO_KEY = (
    "encryption key not found",
    "signing key not found",
    "no existing key named",
    "could not delete key; not found",
    "key not found",
)


def _denied(method: str, path: str, reasons: Sequence[str], words: str) -> ServerError:
    # Only a policy's refusal comes wrapped as "1 error occurred"; an unknown token is refused bare.
    if list(reasons) == ["permission denied"] or "invalid token" in words:
        return Unauthenticated(
            "The server does not accept the token: it is wrong, expired, revoked or used up. "
            f"Refused at '{path}'; log in again or give another token.",
            403,
            reasons,
        )
    capability = _CAPABILITIES[method]
    return PermissionDenied(
        f"Permission denied: the token's policies do not give the capability '{capability}' on '{path}'. "
        "The server answers the same when the engine or the key in that path does not exist.",
        403,
        reasons,
    )


def _words(reasons: Sequence[str]) -> str:
    """The server's reasons as one line."""
    flat: list[str] = []
    for reason in reasons:
        text = " ".join(reason.split())
        if text.startswith("1 error occurred: * "):
            text = text[len("1 error occurred: * ") :]
        flat.append(text)
    return "; ".join(flat)


def _said(words: str) -> str:
    return f" It said: {words.rstrip('.')}." if words else ""
