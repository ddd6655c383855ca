# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The plays that write files to hosts, and the templates of those files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._constructs.inventory import Template
from mlkeys._model.element import Element
from mlkeys._model.secret import GeneratedSecret
from mlkeys._targets.ansible import lost, services
from mlkeys._targets.ansible.ciphertexts import FILES, Task, is_there, placeholders, predicting, reading
from mlkeys._targets.ansible.content import content
from mlkeys._targets.ansible.jinja import literal
from mlkeys._targets.ansible.values import IS_CIPHERTEXT, SAME, STAYING, UNKNOWN, Values
from mlkeys._targets.ansible.yaml import Commented
from mlkeys._targets.names import terraform_name

#: The playbook that reports paths of files.
PATHS_FILE = "paths.yml"

#: They follow no link that a user of the host may have put there. Those of Ansible follow all.
FILE = "mlkeys.transit.vault_transit_file"

#: Text that looks like data stays text. Later versions of Ansible see to that, and warn of the option.
_AS_TEXT = {
    "as_text": Template("{{ {'convert_data': false} if ansible_version.full is version('2.19', '<') else {} }}"),
}


class HostFile(NamedTuple):
    """A file on a host and its template; empty where a role writes the file."""

    template: str
    text: str
    dest: str | Template
    mode: str


@dataclass(slots=True)
class HostPlay:
    """The files of the hosts of one pattern."""

    pattern: str
    configs: list[HostConfig] = field(default_factory=list)


def plays_of(elements: Iterable[Element]) -> list[HostPlay]:
    """Group configurations of the same hosts into plays, in the order of the program."""
    plays: dict[str, HostPlay] = {}
    for element in elements:
        if isinstance(element, HostConfig):
            pattern = ":".join(group.name for group in element.hosts)
            plays.setdefault(pattern, HostPlay(pattern)).configs.append(element)
    return list(plays.values())


def files_of(config: HostConfig, values: Values, sources: Mapping[str, str]) -> list[HostFile]:
    """Return the files that a configuration writes to its hosts."""
    name = terraform_name(values.name(config))
    header = f"{{# {config.node.path} {config.node.location_text} -#}}\n"
    if config.shape == "template":
        return [HostFile(f"templates/{name}.j2", sources[config.content], config.dest, config.mode)]
    if isinstance(config.content, Agent):
        # The role writes it.
        return [HostFile("", "", services.config_path(config), "0640")]
    text = content(config.shape, config.content, values)
    return [HostFile(f"templates/{name}.j2", header + text, config.dest, config.mode)]


def play(
    host_play: HostPlay, values: Values, vars_files: Mapping[Element, str], files: Mapping[HostConfig, Any]
) -> Task:
    """Return the play for the hosts of a pattern."""
    used = _files_of_play(host_play, values)
    dests = [file.dest for config in host_play.configs for file in files[config] if file.template]
    read = {vars_files[element]: element for element in used}
    tasks: list[Any] = []
    if read:
        results = values.results_of(one for element in read.values() for one in values.files_of_key(element))
        known = f"{results[0]} is defined"
        tasks = [*(reading(file, known) for file in read), predicting(read, results, known=known)]
    if dests:
        tasks += _making_folders(
            folder if isinstance(folder, Template) else values.text(folder) for folder in map(_folder_of, dests)
        )
    for config in host_play.configs:
        comment = f"{config.node.path} {config.node.location_text}"
        tasks += [Commented(comment, task) for task in _tasks(config, values, files[config], vars_files)]
    restarted = {
        values.view.text(config.restart)
        for config in host_play.configs
        if config.restart and not isinstance(config.content, Agent)
    }
    handlers = [_handler(service) for service in sorted(restarted)]
    head: Task = {
        "name": f"Write files to {host_play.pattern}",
        "hosts": host_play.pattern,
        "gather_facts": False,
    }
    if shown := placeholders(used):
        # With these, templates show what a real run would change.
        head["vars"] = shown
    head["tasks"] = tasks
    return {**head, "handlers": handlers} if handlers else head


def _files_of_play(host_play: HostPlay, values: Values) -> list[EncryptedVars]:
    """Return the files of ciphertexts that the configurations of a play need."""
    used: dict[EncryptedVars, None] = {}
    templates = False
    for config in host_play.configs:
        used |= dict.fromkeys(_files_referred_to(config, values))
        if config.shape == "template" and not templates:
            # All configurations of a play have the same hosts.
            templates = True
            used |= dict.fromkeys(_files_of_hosts(config, values))
    return list(used)


def looking(host_play: HostPlay, values: Values, files: Mapping[HostConfig, Any]) -> list[Task]:
    """Return the play that looks for files with random secrets, none when no file has one."""
    places = []
    # All configurations of a play have the same hosts, so that all of its templates see the same variables.
    templates = [config for config in host_play.configs if config.shape == "template"][:1]
    files_of_hosts = [file for config in templates for file in _files_of_hosts(config, values)]
    of_hosts = [entry for file in files_of_hosts for entry in lost.random_in(file)]
    for config in host_play.configs:
        random = dict.fromkeys(of_hosts if config.shape == "template" else _random_used(config, values))
        if random:
            places += [(_dest(file, values), list(random)) for file in files[config]]
    return [lost.looking(host_play.pattern, places, values)] if places else []


def _dest(file: HostFile, values: Values) -> str | Template:
    return file.dest if isinstance(file.dest, Template) else values.text(file.dest)


def _random_used(config: HostConfig, values: Values) -> Iterator[Encrypted]:
    for _, text in config.texts():
        for pointer in values.view.pointers(text):
            source = pointer.element.source() if isinstance(pointer.element, Decrypted) else pointer.element
            if isinstance(source, Encrypted) and isinstance(source.plaintext, GeneratedSecret):
                yield source


def _files_referred_to(config: HostConfig, values: Values) -> Iterator[EncryptedVars]:
    for _, text in config.texts():
        for pointer in values.view.pointers(text):
            source = pointer.element.source() if isinstance(pointer.element, Decrypted) else pointer.element
            if not isinstance(source, Encrypted) or not isinstance(source.node.scope, EncryptedVars):
                continue
            # Ciphertexts of other stacks are not variables of this one.
            if values.view.stack_of[source] is values.stack:
                yield source.node.scope


def _files_of_hosts(config: HostConfig, values: Values) -> Iterator[EncryptedVars]:
    """Yield the files of ciphertexts whose variables the hosts of a configuration have."""
    for file in values.view.of_kind(values.stack, EncryptedVars):
        if file.hosts is None or file.hosts in config.hosts:
            yield file


def _rendered(file: HostFile, config: HostConfig, values: Values, vars_files: Mapping[Element, str]) -> Template:
    """Return the content of a file."""
    source = literal(file.template.removeprefix("templates/"))
    found = f"lookup('ansible.builtin.template', {source}, **as_text) | string"
    used = [*_files_of_hosts(config, values)] if config.shape == "template" and config.delivery == "plaintext" else []
    if used:
        # It decrypts by itself, and check mode encrypts nothing that is new. What is rewrapped has the same value.
        known = STAYING if config.allow_ciphertext else SAME
        given = f"template_vars={known} | default({{}}), **as_text"
        found = f"lookup('ansible.builtin.template', {source}, {given}) | string"
        words = {*re.findall(r"\w+", file.text)}
        names = {entry.name for one in used for entry in one.entries if entry.name in words}
        there = [*dict.fromkeys(is_there(vars_files[one]) for one in used)]
        there += [f"({known}.{name} | default({name})) is {IS_CIPHERTEXT}" for name in sorted(names)]
        found = f"({found}) if not ansible_check_mode or ({' and '.join(there)}) else {UNKNOWN}"
    return Template(f"{{{{ {found} }}}}")


def _tasks(
    config: HostConfig, values: Values, files: Iterable[HostFile], vars_files: Mapping[Element, str]
) -> Iterator[Task]:
    if isinstance(config.content, Agent):
        yield services.task(config, config.content, values, vars_files)
        return
    for file in files:
        options: Task = {
            "path": _dest(file, values),
            "content": _rendered(file, config, values, vars_files),
            "mode": file.mode,
        }
        names = {"owner": config.owner, "group": config.group}
        options |= {name: values.view.text(value) for name, value in names.items() if value}
        task: Task = {"name": f"File {values.name(config)}", FILES: {"files": [options]}, "vars": dict(_AS_TEXT)}
        if config.delivery == "plaintext":
            del task[FILES]
            allowed = {"allow_ciphertext": True} if config.allow_ciphertext else {}
            # The arguments of a module go through a pipe. A diff or result would show the plaintext.
            task |= {FILE: {**options, **allowed}, "no_log": True, "diff": False}
            task["vars"]["ansible_pipelining"] = True
        if config.restart:
            task["notify"] = f"Restart {values.view.text(config.restart)}"
        yield task


def _making_folders(folders: Iterable[str | Template]) -> list[Task]:
    """Return the tasks that create missing folders. Existing ones keep their mode."""
    return [
        {
            "name": "Check for folders",
            "ansible.builtin.stat": {"path": Template("{{ item }}")},
            "loop": list(dict.fromkeys(folders)),
            "register": "folders_found",
        },
        {
            "name": "Create missing folders",
            FILES: {
                "files": [{"path": Template("{{ item.item }}"), "state": "directory", "parents": True, "mode": "0755"}]
            },
            "loop": Template("{{ folders_found.results | rejectattr('stat.exists') }}"),
            "loop_control": {"label": Template("{{ item.item }}")},
        },
    ]


def _folder_of(dest: str | Template) -> str | Template:
    # A check ensures that the last part is a name.
    if isinstance(dest, Template):
        return Template(dest.text.rpartition("/")[0])
    return dest.rpartition("/")[0] or "/"


def _handler(service: str) -> Task:
    return {
        "name": f"Restart {service}",
        "ansible.builtin.systemd_service": {"name": service, "state": "restarted", "daemon_reload": True},
    }


def templates_of_paths(elements: Iterable[object]) -> list[str]:
    """Return the paths of files whose variables only Ansible knows."""
    configs = (element for element in elements if isinstance(element, HostConfig))
    return sorted({config.dest.text for config in configs if isinstance(config.dest, Template)})


def finding_paths(elements: Sequence[Element]) -> list[Task]:
    """Return the playbook that reports those paths, by host and place among them. It goes to no host."""
    numbers = {text: str(number) for number, text in enumerate(templates_of_paths(elements))}
    found: list[Task] = []
    for one in plays_of(elements):
        texts = [config.dest.text for config in one.configs if isinstance(config.dest, Template)]
        if texts:
            reported = "{'paths': {inventory_hostname: dict(numbers | zip(paths_of_files))}}"
            task = {
                "name": "Report the paths of files",
                "ansible.builtin.set_stats": {"data": Template(f"{{{{ {reported} }}}}")},
                "vars": {
                    "numbers": [numbers[text] for text in texts],
                    "paths_of_files": [Template(text) for text in texts],
                },
            }
            name = f"Evaluate paths on {one.pattern}"
            found.append({"name": name, "hosts": one.pattern, "gather_facts": False, "tasks": [task]})
    return found
