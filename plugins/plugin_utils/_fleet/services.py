# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions the services of a fleet started with. Pure. **Private** to the collection.

A program has its secrets in memory and does not decrypt again, so that a floor does not touch it. Two kinds of services
do: those that nobody knows the start of, such as one that an agent of an earlier release supervises, and those that
follow their ciphertext and have not restarted yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._transit.timestamps import moment
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.account_words import listed

# The result of the role's tasks running.yml for a host.
RUNNING = "vault_transit_host_running"
# Words of it that say that something is so.
_FLAGS = ("runs", "waits", "fails", "started", "stale", "undeclared")

# The results of the role's tasks rights.yml, with the value that one has that succeeded.
_RIGHTS = {"vault_transit_host_readable": "approle", "vault_transit_host_replaceable": "secret_id"}


def why_no_restart(variables: Mapping[str, Any]) -> str:
    """Why the services of a host cannot get a login for a restart; empty if they can, or need none."""
    results = {value: variables.get(name) or {} for name, value in _RIGHTS.items()}
    denied = (str(one["msg"]) for value, one in results.items() if one.get("msg") and value not in one)
    return next(denied, "").rstrip(".")


@dataclass
class Service:
    """A service that a host runs, or would run.

    Attributes:
        keys: ``ENGINE/KEY`` of what its next start decrypts.
        versions: of the ciphertexts that it started with; empty if that is not known.
        runs: whether it runs. One that waits for its secrets does not.
        waits: whether it waits for its secrets, or is about to start again.
        fails: whether it started a moment ago and ended, or is not ready.
        started: whether the role saw it come up with what it deployed last.
        expires: when its secret ID does, as the server writes it; empty if that is not known.
        undeclared: whether it runs, or waits to, although no variable of the host describes it.
        stale: whether it follows its ciphertext, and that has changed since it started.
    """

    host: str
    name: str
    keys: set[str] = field(default_factory=set)
    versions: list[int] = field(default_factory=list)
    runs: bool = False
    waits: bool = False
    fails: bool = False
    started: bool = False
    stale: bool = False
    undeclared: bool = False
    expires: str = ""

    @property
    def login_ends(self) -> float | None:
        """Seconds since the epoch; ``None`` for never, or if that is not known."""
        # The server writes the year 1 for "never".
        end = moment(self.expires)
        return end if end is not None and end > 0 else None

    @property
    def place(self) -> dict[str, str]:
        return {"host": self.host, "path": f"/etc/mlkeys/{self.name}"}

    def row(self) -> dict[str, Any]:
        return {"host": self.host, "service": self.name, "versions": sorted(self.versions)}


def services_of(host: str, result: Mapping[str, Any]) -> list[Service]:
    """The services of a host, from what the role prints: lines of a name, a word and a value."""
    found: dict[str, Service] = {}
    for line in result.get("stdout_lines", ()):
        name, word, value = [*str(line).split(" ", 2), "", ""][:3]
        service = found.setdefault(name, Service(host, name))
        if word in ("uses", "key"):
            service.keys.add(value)
        elif word == "version" and value.isdigit():
            service.versions.append(int(value))
        elif word in _FLAGS:
            setattr(service, word, True)
            if value in ("runs", "waits"):
                setattr(service, value, True)
        elif word == "expires":
            service.expires = value
    return list(found.values())


def known(services: Iterable[Service], key: str) -> list[Service]:
    """Those that have secrets of a key, or of one that nobody knows. One that runs may have them although its next
    start has others. One that nothing describes decrypts nothing if it has no folder, or no agent."""
    return [one for one in services if key in one.keys or not (one.keys or one.undeclared)]


def why_down(service: Service) -> str:
    """Why a service is not up; empty if it is."""
    if service.fails:
        # To systemd, a start that gets no secrets and a program that ends again and again look alike.
        first = "it waits for its secrets, or its" if service.waits else "its"
        return f"it does not come up: {first} program ended, or is not ready"
    if service.runs:
        return ""
    return "it waits for its secrets" if service.waits else "it does not run"


def not_up(services: Iterable[Service]) -> Iterator[str]:
    """What keeps the floor, of services that are down: whether they start with the new version, nobody knows."""
    named = [f"{one.host}: {one.name} ({why_down(one)})" for one in services]
    if named:
        yield (
            f"these services are not up: {listed(named)}. See their logs, and start them: ansible-playbook "
            "mlkeys.transit.site. Accept one that should be down as HOST:/etc/mlkeys/NAME, as a place that is not read"
        )


def why_holding(service: Service, target: int) -> str:
    """Why a service that runs may have to decrypt an older version again; empty if it has not."""
    if not service.runs:
        return ""
    if not service.versions:
        return "nobody knows which version it started with"
    if service.stale and min(service.versions) < target:
        return f"it started with v{min(service.versions)}, and has not restarted yet"
    return ""


def undeclared(service: Service, site: str) -> str:
    """What to do about a service that runs, or waits to, although nothing describes it.

    Args:
        site: the command that deploys services.
    """
    does = "runs with" if service.runs else "waits for"
    return (
        f"{service.host}: {service.name} {does} its secrets, but vault_transit_host_services does not have it. "
        f"Describe it there, with state: absent if it has to go, and run {site}."
    )
