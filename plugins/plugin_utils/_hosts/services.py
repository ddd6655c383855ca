# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variables that describe the services of a host to the files that it needs for them. Pure. **Private**."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import paths_of_ciphertexts, refusal
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import VARIABLE_NAME
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import (
    UnsupportedValue,
    quoted,
    rendered,
    steering_problem,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import REWRAPPED
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.agent import Rendered, writing
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.health import health, problems_of_health, start_type
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.host import Host
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import AUTHORITIES
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import problems as problems_of_login
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.names import problems_of_name, problems_of_names
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import (
    PLAINTEXT,
    SECRET,
    Sealed,
    encrypted_files,
    is_secret,
    names_in,
    renewed,
    sealed,
    secrets_of,
)

AGENT = "agent"
CREDENTIAL = "credential"
MODES = (AGENT, CREDENTIAL, PLAINTEXT)

FOLDER = "/etc/mlkeys"
RUNTIME = "/run/mlkeys"

_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+")
_MODE = re.compile(r"0?[0-7]{3}")
_PATH = re.compile(r"(?:/[^/\x00-\x1f\x7f]+)+")
# Characters that have no special meaning in any setting of a unit.
_PLAIN_PATH = re.compile(r"[\w/.@:+,~-]+", re.ASCII)


def described(
    services: Iterable[Mapping[str, Any]], documents: Iterable[Mapping[str, Any]], host: Host
) -> list[dict[str, Any]]:
    """Work out what a host needs for each of its services.

    Args:
        services: as users describe them.
        documents: encrypted vars files, each a ``path`` and its ``content``.

    Raises:
        InvalidOption: with every problem of all services. The text shows no value of a secret.
    """
    files, given = encrypted_files(documents), list(services)
    found, problems = [], []
    for index, service in enumerate(given):
        one = _Service(service, files, host)
        one.problems += problems_of_names(given, index)
        found.append(one.described())
        problems += [f"The service '{one.name}': {problem}" for problem in one.problems]
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")
    return found


class _Service:
    """One service, and the problems of its options."""

    def __init__(self, given: Mapping[str, Any], files: Sequence[VarsFile], host: Host) -> None:
        self.problems: list[str] = []
        self._given = given
        self._sources = files
        self._host = host
        self._secrets: dict[str, Sealed] = {}
        self.name = str(given.get("name") or "")
        self.mode = str(given.get("mode") or AGENT)
        self.backend = str(given.get("backend") or host.backend)
        self.key = str(given.get("key") or host.key)
        self.command = [str(word) for word in given.get("command") or ()]
        own = self.name if self.command else "root"
        self.user = str(given.get("user") or own)
        self.group = str(given.get("group") or self.user)
        self.folder = f"{FOLDER}/{self.name}"
        self.runtime = f"{RUNTIME}/{self.name}"

    def described(self) -> dict[str, Any]:
        given = self._given
        place = {"name": self.name, "folder": self.folder, "runtime": self.runtime}
        self.problems += problems_of_name(self.name, present=given.get("state") != "absent")
        if given.get("state") == "absent":
            return {**place, "state": "absent", "user": self.user}
        self._check()
        if self.problems:
            return place
        files = list(self._files())
        links = [{"path": file.path, "target": file.real} for file in files if file.real != file.path]
        texts = [file for file in files if not file.secrets]
        shown: dict[str, Any] = {
            **place,
            "state": "present",
            "mode": self.mode,
            "user": self.user,
            "group": self.group,
            "command": self.command,
            "words": " ".join(map(systemd_word, self.command)),
            "agent": self._agent(files, self._secrets),
            "environment_file": self._environment_file(),
            "written": [{**file.attributes, "text": rendered(file.shape, file.content)} for file in texts],
            "decrypted": [file.unrendered for file in self._decrypted(files)],
            "links": links,
            "holds": self._held(),
            "watch": bool(given.get("watch")),
            "placed": sorted(str(file["dest"]) for file in given.get("files") or ()),
            "secrets": [
                {"value": secret.ciphertext, "name": secret.name, "context": secret.name}
                for secret in self._secrets.values()
            ],
            "predicted": any(secret.predicted for secret in self._secrets.values()),
            "backend": self.backend,
            "key": self.key,
        }
        for name in ("description", "working_directory", "restart", "watchdog"):
            shown[name] = str(given.get(name) or "")
        for name in ("after", "wants", "write_paths", "restart_units"):
            shown[name] = [str(value) for value in given.get(name) or ()]
        shown["type"] = start_type(given)
        # Services need not restart because of these.
        more = {
            "fingerprint": self._fingerprint(shown, files),
            "allow_ciphertext": bool(given.get("allow_ciphertext")),
            "places": [*self._authorities(), *_places(texts, links)],
            "has_secret_id": self.mode != PLAINTEXT and self._host.has_secret_id,
            "is_used_up": self.mode != PLAINTEXT and self._host.is_used_up,
        }
        return {**shown, **health(given), **more}

    def _check(self) -> None:
        self.problems += [*self._problems_of_command(), *self._problems_of_names(), *self._problems_of_files()]
        self.problems += problems_of_health(self._given)
        secrets = secrets_of(self._given)
        if self.mode not in MODES:
            self.problems.append(f"mode must be one of {', '.join(MODES)}")
        if secrets and not self.key:
            self.problems.append("it names no key: set vault_transit_host_key")
        if self.mode != PLAINTEXT:
            self.problems += self._problems_of_login(secrets)
        if self._given.get("watch") and (self.mode == PLAINTEXT or self._host.is_used_up):
            self.problems.append("watch needs mode agent or credential, and vault_transit_host_secret_id_kept")
        for name in secrets if self.key else ():
            try:
                self._secrets[name] = self._sealed(name)
            except InvalidOption as error:
                self.problems.append(error.message)

    def _sealed(self, name: str) -> Sealed:
        found = sealed(name, self._sources, self.backend, self.key, predicted=self._host.predicted)
        action = self._host.new_ciphertexts.get(name)
        # Where Ansible decrypts, what is rewrapped is the same, and the old ciphertext says what it is.
        is_same = action is None or (self.mode == PLAINTEXT and action == REWRAPPED)
        return found if is_same or not self._host.predicted else renewed(found, str(action))

    def _problems_of_login(self, secrets: Sequence[str]) -> Iterator[str]:
        if not secrets:
            yield "it names no secret: set environment, or files with secrets in them"
        yield from problems_of_login(self._host.login(self.folder, self.runtime))

    def _problems_of_command(self) -> Iterator[str]:
        if not self.command:
            if self.mode != PLAINTEXT or self._given.get("environment") or self._given.get("plain_environment"):
                yield "command is missing: set the program to start, and its arguments"
        elif len(self.command) == 1 and re.search(r"\s", self.command[0]):
            yield f"command must be a list of words, but '{self.command[0]}' looks like a whole line"
        elif not self.command[0].startswith("/"):
            yield f"command must begin with the absolute path of a program, not with '{self.command[0]}'"
        if any(re.search(r"[\x00-\x08\x0b-\x1f\x7f]", word) for word in self.command):
            yield "command contains a control character"

    def _problems_of_names(self) -> Iterator[str]:
        given = self._given
        secret, plain = (given.get(name) or {} for name in ("environment", "plain_environment"))
        yield from _misnamed((*secret, *plain), VARIABLE_NAME, "a valid name of an environment variable")
        for problem in filter(None, (steering_problem(str(name)) for name in secret)):
            yield f"environment: {problem}: set it in plain_environment"
        for name in sorted(set(secret) & set(plain)):
            yield f"{name} is both in environment and in plain_environment"
        yield from _misnamed({self.user, self.group}, _ACCOUNT, "a valid name of a user or a group")
        units = (unit for name in ("after", "wants", "restart_units") for unit in given.get(name) or ())
        yield from _misnamed(units, _UNIT, "a valid name of a unit")
        for path in (given.get("working_directory"), *(given.get("write_paths") or ())):
            if path and not (_is_path(str(path)) and _PLAIN_PATH.fullmatch(str(path))):
                yield f"'{path}' is not an absolute path without spaces and special characters"
        if re.search(r"[\x00-\x1f\x7f]", str(given.get("description") or "")):
            yield "description must be a single line"

    def _problems_of_files(self) -> Iterator[str]:
        for name, value in (self._given.get("plain_environment") or {}).items():
            try:
                quoted("environment_file", value)
            except UnsupportedValue as problem:
                yield f"plain_environment: {name}: {problem}"
        yield from self._problems_of_ciphertext()
        paths = set()
        for file in self._given.get("files") or ():
            dest = str(file.get("dest") or "")
            yield from (f"the file '{dest}': {problem}" for problem in self._problems_of_file(file, dest))
            if dest in paths:
                yield f"the file '{dest}' is listed twice"
            paths.add(dest)

    def _problems_of_ciphertext(self) -> Iterator[str]:
        """Values that are ciphertext because nothing decrypted a variable."""
        if self._given.get("allow_ciphertext"):
            return
        for path in paths_of_ciphertexts(self._given.get("plain_environment") or {}):
            yield refusal(f"plain_environment: {path}").rstrip(".")
        for file in self._given.get("files") or ():
            for path in paths_of_ciphertexts(file.get("content")):
                yield refusal(f"the file '{file.get('dest') or ''}': {path or 'content'}").rstrip(".")

    def _problems_of_file(self, file: Mapping[str, Any], dest: str) -> Iterator[str]:
        if not _is_path(dest):
            yield "dest must be an absolute path"
        try:
            rendered(str(file.get("shape")), file.get("content"), lambda value: "''" if is_secret(value) else None)
        except UnsupportedValue as problem:
            yield str(problem)
        has_secrets = bool(names_in(file.get("content")))
        mode = str(file.get("mode") or "")
        if mode and not _MODE.fullmatch(mode):
            yield "mode must be octal digits in quotes, such as '0640'"
        elif has_secrets and mode and mode[-1] != "0":
            yield f"with mode {mode}, every user of the host could read its secrets"
        if has_secrets and self.mode == AGENT:
            yield "an agent passes secrets in the environment only: move them to environment, or set mode to credential"
        if has_secrets and self.mode == CREDENTIAL and (file.get("owner") or file.get("group")):
            yield "in mode credential, it always belongs to the user of the service: remove owner and group"

    def _files(self) -> Iterator[_File]:
        """All files, including the one that the program gets its environment from."""
        if self._environment_file():
            path = self._environment_file()
            yield _File(path, path, "environment_file", self._environment(), "0400", self.user, self.group)
        for file in self._given.get("files") or ():
            dest, content = str(file["dest"]), file.get("content")
            kept_in_memory = bool(names_in(content)) and self.mode == CREDENTIAL
            real = f"{self.runtime}{dest}" if kept_in_memory else dest
            owner, group, mode = "root", self.group, "0640"
            if names_in(content):
                owner, mode = self.user, "0400" if kept_in_memory else "0600"
            yield _File(
                dest,
                real,
                str(file["shape"]),
                content,
                str(file.get("mode") or mode),
                str(file.get("owner") or owner),
                str(file.get("group") or group),
            )

    def _environment(self) -> dict[str, Any]:
        secret = {str(name): {SECRET: str(value)} for name, value in (self._given.get("environment") or {}).items()}
        return {**{str(name): value for name, value in (self._given.get("plain_environment") or {}).items()}, **secret}

    def _environment_file(self) -> str:
        if not self._environment():
            return ""
        in_memory = self.mode != PLAINTEXT and self._given.get("environment")
        return f"{self.runtime if in_memory else self.folder}/environment"

    def _held(self) -> list[str]:
        """Names of what belongs in the folder of the service, besides the script that starts it."""
        held = ["placed", "started"]
        if self.mode != PLAINTEXT:
            held += ["agent.hcl", "fetch"]
            held += [AUTHORITIES] if self._authorities() else []
        if self.mode != PLAINTEXT and self._host.has_secret_id:
            held += ["role_id", "accessor"]
            held += ["once"] if self._host.is_used_up else ["secret_id", "expires"]
        if self._environment_file().startswith(self.folder):
            held.append("environment")
        return held

    def _agent(self, files: Iterable[_File], secrets: Mapping[str, Sealed]) -> str:
        """The agent's configuration; empty if there is no agent."""
        if self.mode == PLAINTEXT:
            return ""
        login = self._host.login(self.folder, self.runtime)
        wanted = [Rendered(file.real, file.shape, file.content, file.mode) for file in files if file.secrets]
        return writing(login, wanted, secrets.__getitem__)

    def _authorities(self) -> list[dict[str, str]]:
        """The file with the CA certificates of its agent, if they are a text. Another text needs no restart."""
        login = self._host.login(self.folder, self.runtime)
        if self.mode == PLAINTEXT or login.authorities != f"{self.folder}/{AUTHORITIES}":
            return []
        text = f"{login.ca_cert_bytes.strip()}\n"
        return [{"path": login.authorities, "content": text, "owner": "root", "group": self.group, "mode": "0640"}]

    def _fingerprint(self, shown: Mapping[str, Any], files: Iterable[_File]) -> str:
        """A hash that changes whenever a service has to restart. Nothing that goes into it is secret.

        A rewrap changes ciphertexts, and no value. So values count by their origins.
        """
        values = {name: replace(secret, ciphertext=secret.origin) for name, secret in self._secrets.items()}
        origins = {name: secret.origin for name, secret in values.items()}
        known = {**shown, "agent": self._agent(files, values), "secrets": origins}
        return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode("utf-8")).hexdigest()

    def _decrypted(self, files: Iterable[_File]) -> list[_File]:
        return [file for file in files if file.secrets] if self.mode == PLAINTEXT else []


@dataclass(frozen=True)
class _File:
    """A file of a service.

    Attributes:
        real: where the file is. If this differs from its path, there is a link at the path.
    """

    path: str
    real: str
    shape: str
    content: Any
    mode: str
    owner: str
    group: str

    @property
    def secrets(self) -> list[str]:
        return names_in(self.content)

    @property
    def attributes(self) -> dict[str, str]:
        return {"path": self.path, "mode": self.mode, "owner": self.owner, "group": self.group}

    @property
    def unrendered(self) -> dict[str, Any]:
        return {**self.attributes, "shape": self.shape, "content": self.content}


def _places(texts: Iterable[_File], links: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Files without secrets, and links, for the module that writes them."""
    files = [{**file.attributes, "content": rendered(file.shape, file.content)} for file in texts]
    return [*files, *({**link, "state": "link"} for link in links)]


def _misnamed(names: Iterable[Any], pattern: re.Pattern[str], what: str) -> list[str]:
    return [f"'{name}' is not {what}" for name in names if not pattern.fullmatch(str(name))]


def _is_path(path: str) -> bool:
    return _PATH.fullmatch(path) is not None and not {".", ".."} & set(path.split("/"))


_CONTROL = {"\n": "\\n", "\t": "\\t"}


def systemd_word(word: str) -> str:
    """Quote a word of a command line in a unit: https://www.freedesktop.org/software/systemd/man/systemd.service.html."""
    for old, new in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$"), *_CONTROL.items()):
        word = word.replace(old, new)
    return f'"{word}"'
