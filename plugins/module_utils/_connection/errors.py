# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The errors of the collection. Their messages are sentences for people. **Private** to the collection.

::

    TransitError
     +- LibraryMissing        a Python library is not installed
     +- InvalidOption         an option or a file's content is invalid, whatever the server answers
     +- ChangeImpossible      the desired state cannot be reached from the actual one (all reasons at once)
     +- FileError             a file or folder cannot be read or written as asked
     +- ItemsFailed           some items of a batch failed (each by position and name, never by content)
     +- ServerUnreachable     no response: address, refused, timeout, TLS, proxy
     +- ServerError           an unsuccessful response
         +- UnexpectedAnswer      a response whose content neither Vault nor OpenBao sends
         +- Unauthenticated       token missing, expired or revoked; or login refused
         +- PermissionDenied      a policy does not allow it
         +- NotFound              key (or other object) missing
         +- MountNotFound         no engine is mounted at the path
         +- NamespaceNotFound
         +- NotReady              sealed, not initialised, no active node

Messages hold facts that the collection itself puts there: never a request's or a response's body.
"""

from __future__ import annotations

from typing import Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import one_line


class TransitError(Exception):
    """Base of all.

    Attributes:
        changed: whether something was written on the server before it was raised.
        not_applied: whether the request that failed was certainly not carried out.
        unfinished: whether the server may still be working on the request.
    """

    changed = False
    not_applied = False
    unfinished = False

    def __init__(self, message: str) -> None:
        # It may quote a file, a name or a server's words.
        message = one_line(message)
        super().__init__(message)
        self.message = message

    def after(self, done: Sequence[str]) -> TransitError:
        """The same error, with a list of what was done before it."""
        if done:
            self.changed = True
            self.message += one_line(f" Already done: {', '.join(done)}.")
            self.args = (self.message,)
        return self

    def about(self, path: str) -> TransitError:
        """The same error, with the file that it is about."""
        self.message = one_line(f"{path}: {self.message}")
        self.args = (self.message,)
        return self


def first_of(failures: Sequence[tuple[str, str]]) -> str:
    """The first failures, each a label and a reason, and how many more there are."""
    shown = [f"{label}: {reason}" for label, reason in failures[:10]]
    more = [f"and {len(failures) - len(shown)} more"] if len(failures) > len(shown) else []
    return "; ".join([*shown, *more])


class LibraryMissing(TransitError):
    """A library is not installed.

    Attributes:
        library: its name, as in Python's package index.
        extra: that of the package `mlkeys` which brings it, empty without one of its own.
        remedy: a sentence that says what to install, with a blank before it.
    """

    def __init__(self, library: str, extra: str = "") -> None:
        beside = f", or pip install 'mlkeys[{extra}]'" if extra else ""
        self.remedy = (
            f" Install it: pip install {library}{beside}; in an execution environment, add {library} to its Python "
            "dependencies."
        )
        super().__init__(
            f"The required Python library {library} is not installed in the Python that runs this.{self.remedy}"
        )
        self.library = library
        self.extra = extra


class InvalidOption(TransitError):
    pass


class ChangeImpossible(TransitError):
    def __init__(self, subject: str, reasons: Sequence[str]) -> None:
        super().__init__(f"{subject}: {'; '.join(reasons)}. Nothing was changed.")
        self.reasons = tuple(reasons)


class FileError(TransitError):
    def __init__(self, message: str, *, changed: bool = False) -> None:
        """
        Args:
            changed: whether the run has changed something before.
        """
        super().__init__(message)
        self.changed = changed


class ItemsFailed(TransitError):
    def __init__(
        self, operation: str, path: str, total: int, failures: Sequence[tuple[str, str]], asked: str = ""
    ) -> None:
        """
        Args:
            asked: a sentence that says which server was asked, with a blank before it, or nothing.
        """
        super().__init__(
            f"{operation} failed for {len(failures)} of {total} item{'' if total == 1 else 's'} at {path}: "
            f"{first_of(failures)}.{asked}"
        )
        self.failures = tuple(failures)


class ServerUnreachable(TransitError):
    pass


class ServerError(TransitError):
    """An unsuccessful response.

    Attributes:
        reasons: the server's own words.
        item_errors: for a batch of which every item failed, the server's error for each.
        version: for a deleted secret, its version.
        asked: a sentence that says which server was asked, as a part of the message; empty where that is not known.
    """

    item_errors: tuple[str, ...] = ()
    version = 0
    asked = ""

    def __init__(self, message: str, status: int = 0, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reasons = tuple(reasons)

    def says(self, text: str) -> bool:
        return any(text in reason for reason in self.reasons)

    def in_words(self, message: str) -> ServerError:
        """The same refusal, with a message that says what it means here, and which server was asked."""
        other = ServerError(" ".join(filter(None, [message, self.asked])), self.status, self.reasons)
        other.asked = self.asked
        return other


class UnexpectedAnswer(ServerError):
    def __init__(self, path: str, field: str) -> None:
        super().__init__(
            f"The server's answer to '{path}' is not one of Vault or OpenBao: '{field}' is missing or malformed. "
            "Check url, and what is mounted at that path."
        )


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
