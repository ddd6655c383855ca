# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a service are missing on a host or differ there. Pure. **Private** to the collection."""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.services import FOLDER

UNITS = "/etc/systemd/system"

Place = Mapping[str, str]


@dataclass(frozen=True)
class Texts:
    """What the role makes of a service on this host.

    Attributes:
        record: a line for each file, user and group. It is written before them, so that a later removal finds all.
        fetch: the script that decrypts.
        run: the unit; on hosts without systemd, the script.
        boot: what starts the service at boot on hosts without systemd, in the file ``boot_file`` if it is set.
        watch: the units that watch the ciphertext: the one of the path, and the one of the service.
    """

    record: str
    role_id: str = ""
    fetch: str = ""
    run: str = ""
    systemd: bool = False
    boot: str = ""
    boot_file: str = ""
    boot_mode: str = ""
    watch: Sequence[str] = ()
    secret_id_kept: bool = True


def reported(lines: Iterable[str]) -> dict[str, list[str]]:
    """What an inspection printed about each service, by its name; about the host, by ``.``."""
    found: dict[str, list[str]] = {".": []}
    for name, _space, report in (line.partition(" ") for line in lines):
        found.setdefault(name, []).append(report)
    return found


def outdated(service: Mapping[str, Any], seen: Iterable[str], texts: Texts) -> dict[str, list[Place]]:
    """The places that a host needs to be sent, in the order in which to write them.

    Args:
        service: as `services.described` describes it.
        seen: what the inspection reported of the host and of the service.

    Returns:
        ``first``, before the user and the group exist, if one of them does not; then ``files``; and ``watch``, once the
        service is up.
    """
    known = set(seen)
    folder = service["folder"]
    lacks_accounts = not {"has user", "has group"} <= known
    of_root = [_folder(FOLDER, "root", "root", "0755")]
    if lacks_accounts and "has folder" not in known:
        of_root.append(_folder(folder, "root", "root", "0700"))
    own = _folder(folder, "root", service["group"], "0750")
    record = _file(f"{folder}/placed", texts.record, "root", "0600")
    begins = [*of_root, record] if lacks_accounts else [*of_root, own, record]
    files = [own] if lacks_accounts else []
    files += [*service["places"], *_of_agent(service, texts), *_of_start(service, texts)]
    wanted = {"first": begins if lacks_accounts else [], "files": files, "watch": _of_watch(service, texts)}
    if not lacks_accounts:
        wanted["files"] = [*begins, *files]
    return {name: [one for one in places if not _is_seen(one, known, folder)] for name, places in wanted.items()}


def stamp(service: Mapping[str, Any], texts: Texts) -> str:
    """A hash of everything that the service is started with, and of nothing secret."""
    started_with = texts.run + texts.fetch + str(service.get("fingerprint", "")) + texts.role_id
    return hashlib.sha256(started_with.encode("utf-8")).hexdigest()


def _of_agent(service: Mapping[str, Any], texts: Texts) -> list[Place]:
    if not service["agent"]:
        return []
    folder, group = service["folder"], service["group"]
    places = [
        _file(f"{folder}/agent.hcl", service["agent"], group, "0640"),
        _file(f"{folder}/fetch", texts.fetch, group, "0750"),
    ]
    if service.get("has_secret_id", True):
        places.insert(1, _file(f"{folder}/role_id", texts.role_id, group, "0440"))
    if not texts.secret_id_kept:
        # Of the wrapping token.
        places.append(_folder(f"{folder}/once", service["user"], group, "0700"))
    return places


def _of_start(service: Mapping[str, Any], texts: Texts) -> list[Place]:
    if not service["command"]:
        return []
    if texts.systemd:
        return [_file(f"{UNITS}/{service['name']}.service", texts.run, "root", "0644")]
    script = _file(f"{service['folder']}/service", texts.run, "root", "0750")
    if not texts.boot_file:
        return [script]
    boots = _file(texts.boot_file, texts.boot, "root", texts.boot_mode)
    return [script, _folder(posixpath.dirname(texts.boot_file), "root", "root", "0755"), boots]


def _of_watch(service: Mapping[str, Any], texts: Texts) -> list[Place]:
    names = [f"{UNITS}/mlkeys-{service['name']}.{kind}" for kind in ("path", "service")]
    return [_file(name, text, "root", "0644") for name, text in zip(names, texts.watch)]


def _file(path: str, content: str, group: str, mode: str) -> Place:
    return {"path": path, "content": content, "owner": "root", "group": group, "mode": mode}


def _folder(path: str, owner: str, group: str, mode: str) -> Place:
    return {"path": path, "state": "directory", "owner": owner, "group": group, "mode": mode}


def _is_seen(place: Place, seen: set[str], folder: str) -> bool:
    """Whether the inspection reported it as it should be, by its path or by its name in the folder of the service."""
    names = {place["path"], posixpath.relpath(place["path"], folder)}
    return not seen.isdisjoint(f"is {name} {_report(place)}" for name in names)


def _report(place: Place) -> str:
    if place.get("state") == "link":
        return f"link {place['target']}"
    report = f"{place['mode'].lstrip('0')} {place['owner']}:{place['group']}"
    if "content" not in place:
        return report
    return f"{report} {hashlib.sha256(place['content'].encode('utf-8')).hexdigest()}"
