# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Decide what to do when a member of a cluster is down or lags behind. **Private** to the collection.

A standby of OpenBao >= 2.5 answers reads itself and may lag behind the active node, usually by less than a tenth of a
second. From 2.7 on (and in Vault Enterprise) responses carry the index of the storage's state. A request that names an
index is answered from no older state: a standby that lags behind forwards it to the active node.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence
from urllib.parse import urlsplit

INDEX = "X-Vault-Index"

# For how many seconds a standby may lag behind before its answer counts, and how often it is asked meanwhile.
LAG_SECONDS = 3.0
POLL_SECONDS = 0.02


class Members:
    """The addresses of a cluster's members, and the one in use.

    A request goes to the member that served last. When that one cannot serve it, the others are tried, each once,
    before anything waits. A member that is not listed is used as well, where a standby names it as the active node.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._listed = tuple(addresses)
        self._home = self._listed[0]
        self._untried: list[str] = []
        self.address = self._home

    @property
    def several(self) -> bool:
        return len(self._listed) > 1

    def begin(self) -> None:
        """Start a request: all others may be tried when this member cannot serve it."""
        place = self._listed.index(self._home)
        others = self._listed[place:] + self._listed[:place]
        self._untried = [address for address in others if address != self.address]

    def next(self) -> bool:
        """Use a member that was not tried yet. Whether there is one."""
        if not self._untried:
            return False
        self.address = self._home = self._untried.pop(0)
        return True

    def begin_again(self) -> None:
        """Start another round, of listed members only, after all have failed."""
        self.address = self._home
        self.begin()

    def follow(self, location: str) -> bool:
        """Use the member that another one names as the active node. Whether that is possible.

        Never from https down to http, which would expose the token.
        """
        here, target = urlsplit(self.address), urlsplit(location)
        if target.scheme not in ("http", "https") or not target.netloc or target.netloc == here.netloc:
            return False
        if here.scheme == "https" and target.scheme != "https":
            return False
        self.address = f"{target.scheme}://{target.netloc}"
        self._untried = [address for address in self._untried if address != self.address]
        return True

    def turn_back(self) -> None:
        """Use the listed member again: the one that it named does not respond."""
        self.address = self._home


def consistency_headers(index: str | None, *, forward: bool = True, active_only: bool = False) -> dict[str, str]:
    """The headers by which a request asks for consistency.

    Args:
        index: of the state that the answer must not be older than.
        forward: whether a standby that lags behind forwards the request instead of refusing it.
        active_only: the member that receives the request carries it out, or nobody does. One that is forwarded may be
            carried out although the member that forwarded it then redirects it.
    """
    headers = {}
    if index:
        headers[INDEX] = index
    if index and forward:
        headers["X-Vault-Inconsistent"] = "forward-active-node"
    if active_only:
        headers["X-Vault-No-Request-Forwarding"] = "true"
    return headers


def is_standby(leader: Mapping[str, Any]) -> bool:
    """Whether a member that answers ``sys/leader`` with this is known not to be the active node."""
    return bool(leader.get("ha_enabled")) and not leader.get("is_self")


def is_active(leader: Mapping[str, Any]) -> bool:
    """Whether it is known to be the active node, or the only one."""
    return bool(leader) and not is_standby(leader)


def lags_behind(status: int) -> bool:
    """Whether the response to a request that only names an index means that the state is older. OpenBao sends 429."""
    return status in (412, 429)


def forbids_forwarding(reasons: Sequence[str]) -> bool:
    """Whether the server does not let clients ask for forwarding. Vault Enterprise must be configured to."""
    return any("forwarding via header" in reason for reason in reasons)


def is_temporary(status: int, reasons: Sequence[str]) -> bool:
    """Whether a response means that the same request may succeed later, as for the server's own client."""
    may_pass = status in (412, 429) or (status >= 500 and status != 501)
    return may_pass or _changes_leader(reasons) or is_conflict(reasons)


def may_serve_elsewhere(status: int, reasons: Sequence[str]) -> bool:
    """Whether another member may succeed now. A rate limit holds for all of them."""
    return status in (502, 503, 504) or _changes_leader(reasons)


def certainly_not_applied(status: int, reasons: Sequence[str]) -> bool:
    """Whether a server that responds with this has not carried out the request."""
    words = " ".join(reasons)
    if status == 503:
        return "is sealed" in words or "not initialized" in words
    return status < 500 or "active cluster node not found" in words


def is_conflict(reasons: Sequence[str]) -> bool:
    """Whether another request changed the same at the same time, so that this one failed."""
    return any("transaction commit failed" in reason for reason in reasons)


def _changes_leader(reasons: Sequence[str]) -> bool:
    return any(sign in reason for reason in reasons for sign in _LEADER_CHANGES)


_LEADER_CHANGES = (
    "active cluster node not found",
    "leadership lost while committing log",
    "leadership transfer in progress",
    "node is not the leader",
)


def pause_before(backoff: float, retry_after: str | None, timeout: float) -> float | None:
    """Seconds to wait before a retry; ``None`` when the server asks for more than ``timeout`` of them."""
    asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
    if asked > timeout:
        return None
    return max(asked, min(backoff, float(timeout)))
