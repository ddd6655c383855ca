# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What to do when a member of a cluster is down or lags behind: decisions only. **Private** to the collection.

A standby of OpenBao >= 2.5 answers reads itself and may lag behind the active node, usually by less than a tenth of a
second. From 2.7 on (and in Vault Enterprise) answers carry the index of the storage's state. A request that names an
index is answered from no older state: a standby that lags hands it on to the active node.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence
from urllib.parse import urlsplit

INDEX = "X-Vault-Index"

# Seconds for which a standby is given the benefit of the doubt, and between two looks at it.
PATIENCE = 3.0
LOOK_AGAIN = 0.02


class Members:
    """The addresses of a cluster's members, and the one to talk to.

    A request goes to the member that served last. When that one cannot serve, the others are tried, each once, before
    anything waits. A member that is not listed may be talked to as well, where a standby names it as the active node.
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
        """A request begins: all others may be tried when this member cannot serve it."""
        place = self._listed.index(self._home)
        others = self._listed[place:] + self._listed[:place]
        self._untried = [address for address in others if address != self.address]

    def next(self) -> bool:
        """Turn to a member that was not tried yet. Whether there was one."""
        if not self._untried:
            return False
        self.address = self._home = self._untried.pop(0)
        return True

    def begin_again(self) -> None:
        """All were tried in vain: another round, of listed members only."""
        self.address = self._home
        self.begin()

    def follow(self, location: str) -> bool:
        """Turn to the member that another one names as the active node. Whether that is possible.

        Never from https down to http, which would show the token.
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
        """The named one does not answer: back to the listed member."""
        self.address = self._home


def consistency_headers(index: str | None, *, hand_on: bool = True, active_only: bool = False) -> dict[str, str]:
    """What a request says to the cluster.

    Args:
        index: of the state that the answer must not be older than.
        hand_on: whether a standby that lags behind shall hand the request on, instead of refusing it.
        active_only: it must be carried out by the member that gets it or not at all. One that is handed on may be
            carried out although the member that handed it on then says to send it elsewhere.
    """
    said = {}
    if index:
        said[INDEX] = index
    if index and hand_on:
        said["X-Vault-Inconsistent"] = "forward-active-node"
    if active_only:
        said["X-Vault-No-Request-Forwarding"] = "true"
    return said


def is_standby(leader: Mapping[str, Any]) -> bool:
    """Whether a member that answers ``sys/leader`` so is known not to be the active node."""
    return bool(leader.get("ha_enabled")) and not leader.get("is_self")


def is_active(leader: Mapping[str, Any]) -> bool:
    """Whether it is known to be the active node, or the only one."""
    return bool(leader) and not is_standby(leader)


def has_not_reached(status: int) -> bool:
    """Whether the answer to a request that only named an index means: not that far yet. OpenBao says so by 429."""
    return status in (412, 429)


def hands_nothing_on(reasons: Sequence[str]) -> bool:
    """Whether the server does not let clients say what is handed on. Vault Enterprise has to be configured to."""
    return any("forwarding via header" in reason for reason in reasons)


def may_pass(status: int, reasons: Sequence[str]) -> bool:
    """Whether an answer means that the same request may succeed later."""
    return status in (412, 429, 502, 503) or _changes_leader(reasons)


def may_serve_elsewhere(status: int, reasons: Sequence[str]) -> bool:
    """Whether another member may succeed now. A limit of requests holds for all of them."""
    return status in (502, 503) or _changes_leader(reasons)


def certainly_undone(status: int, reasons: Sequence[str]) -> bool:
    """Whether a server that answers so has not carried out the request."""
    words = " ".join(reasons)
    if status == 503:
        return "is sealed" in words or "not initialized" in words
    return status < 500 or "active cluster node not found" in words


def _changes_leader(reasons: Sequence[str]) -> bool:
    return any(sign in reason for reason in reasons for sign in _LEADER_CHANGES)


_LEADER_CHANGES = (
    "active cluster node not found",
    "leadership lost while committing log",
    "leadership transfer in progress",
    "node is not the leader",
)


def pause_before(backoff: float, retry_after: str | None, timeout: int) -> float | None:
    """Seconds to wait before another try; ``None`` when the server asks for more than ``timeout`` of them."""
    asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
    if asked > timeout:
        return None
    return max(asked, min(backoff, float(timeout)))
