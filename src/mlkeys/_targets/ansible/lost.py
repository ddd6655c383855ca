# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Random secrets whose ciphertexts are lost: they are not made again while anything says that they existed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.inventory import Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.raw import AnsibleTask
from mlkeys._model.secret import GeneratedSecret
from mlkeys._targets.ansible.ciphertexts import (
    VARS,
    KeyState,
    Task,
    file_of,
    is_there,
    missing,
    path_expression,
)
from mlkeys._targets.ansible.jinja import in_file, literal
from mlkeys._targets.ansible.values import Values, stored_in_kv
from mlkeys._targets.ansible.yaml import Commented
from mlkeys._targets.state_names import FOLDER

#: Where results of `looking` are, on hosts.
_LOOKED = "random_secrets_looked_for"
_FOUND = "random_secrets_found"
_COPIES = "random_secrets_copies"
_FILES = "random_secrets_files"
_MISSING = "random_secrets_missing"
_UNREAD = "random_secrets_unread"
_STORED = "random_secrets_stored"
_SETS = "random_secrets_sets"
_WANTED = "random_secrets_wanted"
#: Where the file of a set is.
_PATH = "playbook_dir ~ '/' ~ one.file"
_NOT_ANSWERED = (
    "The KV engine does not return it. A warning above says why, such as a login without the right to read it"
)
#: Variables of the tasks.
NAMES = frozenset({"lost", _LOOKED, _FOUND, _COPIES, _FILES, _MISSING, _UNREAD, _STORED, _SETS, _WANTED})
#: The command of the deployment, which names its program.
_DEPLOY = "{{ deploy_command | default('mlkeys deploy') }}"
#: The folder of a project with the files of tasks that make random secrets.
RANDOM = "random"


def looking(pattern: str, places: Sequence[tuple[Any, Sequence[Encrypted]]], values: Values) -> Task:
    """Return the play that looks for files on hosts with generated secrets that are not stored any more.

    Args:
        places: paths of files, each with the secrets in it.
    """
    entries = dict.fromkeys(entry for _, found in places for entry in found)
    lost = " or ".join(f"({missing(values.file_of_entry(entry), entry)})" for entry in entries)
    found = f"{_LOOKED}.results | selectattr('stat.exists') | map(attribute='item.names') | flatten"
    tasks: list[Task] = [
        {
            "name": "Look for the files",
            "ansible.builtin.stat": {"path": Template("{{ item.path }}"), "get_checksum": False},
            "loop": [{"path": path, "names": [entry.name for entry in found]} for path, found in places],
            "loop_control": {"label": Template("{{ item.path }}")},
            "register": _LOOKED,
            "when": Template(lost),
        },
        {
            "name": "Remember what is in them",
            "ansible.builtin.set_fact": {_FOUND: Template(f"{{{{ {found} }}}}")},
            "when": Template(lost),
        },
    ]
    return {
        "name": f"Look for lost random secrets on {pattern}",
        "hosts": pattern,
        "gather_facts": False,
        "tasks": tasks,
    }


def if_wanted(sets: Sequence[tuple[str, EncryptedVars, Task]], was_there: str, values: Values) -> Task:
    """Return the task that includes the tasks of random secrets, of those files alone for which there is one to do.

    Where all random secrets are stored and recorded, and their keys are there, it is the only one.

    Args:
        sets: files of the tasks, each with the ciphertexts that these make, and with what the condition uses.
        was_there: the condition that the key of `one` of the sets existed before the run.
    """
    todo = " or ".join(
        (
            f"({_PATH}) is not file",
            f"one.names | difference(lookup('ansible.builtin.file', {_PATH}) | from_yaml | list) | length > 0",
            f"not ({was_there})",
            # Without the command `mlkeys` there may be no record. A check does not write it.
            "known is not none and [one.key ~ '/'] | product(one.names) | map('join') | difference(known) | length > 0",
        )
    )
    known = "{% set known = none if ansible_check_mode else recorded.generated | default(none) %}"
    wanted = f"{known}{{% for one in {_SETS} if {todo} %}}{{{{ one.tasks }}}} {{% endfor %}}"
    return {
        "name": "Random secrets, if missing",
        "ansible.builtin.include_tasks": {"file": Template("{{ item }}")},
        "loop": Template(f"{{{{ ({_WANTED} | default('', true)).split() }}}}"),
        "vars": {
            _SETS: [_set(tasks, element, more, values) for tasks, element, more in sets],
            _WANTED: Template(wanted),
        },
    }


def _set(tasks: str, element: EncryptedVars, more: Task, values: Values) -> Commented:
    given: Task = {"tasks": tasks, **_file(file_of(element, values)), **more}
    given |= {"key": "/".join(values.key_of(element)), "names": [entry.name for entry in random_in(element)]}
    return Commented(f"{element.node.path} {element.node.location_text}", given)


def _file(file: str) -> Task:
    path = in_file(file)
    return {"file": Template(path) if "{" in path else path}


#: The keys that a task with the variables of `stored_under` does not make, by ENGINE/KEY, each with the reason.
MUST_EXIST = (
    f"({_STORED} | default('', true)).split() | map('int') | map('extract', {_SETS}) "
    "| items2dict(key_name='key', value_name='reason')"
)
#: The condition that there is one.
ANY_MUST_EXIST = f"{_STORED} | default('', true) | length > 0"


def stored_under(keys: Iterable[TransitSecretBackendKey], values: Values) -> Task:
    """Return variables of a task that makes keys: under which of them random secrets are stored.

    A new key of the same name does not decrypt them. The variables are empty if no key has random secrets.
    """
    sets = [one for key in keys for one in _sets_of(key, values)]
    if not sets:
        return {}
    stored = f"lookup('ansible.builtin.file', {_PATH}) | from_yaml | list"
    held = f"one.names | difference(generate | default([])) | intersect({stored}) | length > 0"
    found = f"{{% for one in {_SETS} %}}{{% if ({_PATH}) is file and {held} %}}{{{{ loop.index0 }}}} {{% endif %}}"
    return {_SETS: sets, _STORED: Template(f"{found}{{% endfor %}}")}


def _sets_of(key: TransitSecretBackendKey, values: Values) -> Iterator[Commented]:
    """Yield the random secrets of a key, by the files with their ciphertexts. Other stacks may have some."""
    found: dict[str, tuple[EncryptedVars, list[str]]] = {}
    for element in values.view.files_under(key):
        stack = values.view.stack_of[element] or values.stack
        there = values if stack is values.stack else Values(values.view, stack, values.program_folder)
        if names := [entry.name for entry in random_in(element)]:
            found.setdefault(file_of(element, there), (element, []))[1].extend(names)
    for file, (element, names) in found.items():
        place = "/".join(values.key_of(element))
        generating = "".join(f" --generate {name}" for name in names)
        reason = Template(in_file(key_is_gone(place, file.lstrip("./"), names)) + _DEPLOY + generating)
        given: Task = {"key": place, **_file(file), "names": names, "reason": reason}
        yield Commented(f"{element.node.path} {element.node.location_text}", given)


def key_is_gone(key: str, file: str, lost: Iterable[str]) -> str:
    """Return why a key is not made again. The command that makes new values follows.

    Args:
        key: ENGINE/KEY.
        file: that holds the ciphertexts.
        lost: names of the random secrets that a new key would replace.
    """
    return (
        f"{', '.join(lost)}: {file} has it, and the server does not have the key {key} any more. Is this the right "
        f"server? If so, another clone may have moved its secrets: update {FOLDER} from version control. If "
        "not, restore the key from a backup. To make new values, which replace the old ones everywhere: "
    )


def refusing(element: EncryptedVars, values: Values, key: KeyState) -> Iterator[Task]:
    """Yield the task that fails when a generated secret would be made again, unknown to its users."""
    if not any(random_in(element)):
        return
    # All that are lost are named at once.
    generated = [entry for entry in values.entries_of_key(element) if isinstance(entry.plaintext, GeneratedSecret)]
    file = in_file(file_of(element, values).lstrip("./"))
    yield {
        "name": f"Random secrets of {values.name(element)} must not be made twice",
        "ansible.builtin.fail": {"msg": Template(_lost_message(file) + _unread_message(file))},
        "vars": {name: Template(f"{{{{ {code} }}}}") for name, code in _searching(generated, element, values).items()},
        # The last one reads files and asks the server.
        "when": [
            Template(key.was_there),
            Template(f"{_MISSING} | length > 0"),
            Template(f"lost | length > 0 or {_UNREAD} | length > 0"),
        ],
    }


def random_in(file: EncryptedVars) -> Iterator[Encrypted]:
    """Yield the generated secrets of a file."""
    return (entry for entry in file.entries if isinstance(entry.plaintext, GeneratedSecret))


def _lost_message(file: str) -> str:
    copy = "{{ one.path or (one.kv_mount ~ '/' ~ one.kv_path) }}"
    return (
        "{% if lost %}{{ lost | join(', ') }}"
        f": made by a former deployment, and not in {file}. Restore that file from version control or a backup"
        f"{{% for one in {_COPIES} if one.names | intersect(lost) %}}"
        "{{ loop.first | ternary(', or copy the ciphertext from ', ', ') }}"
        + copy
        + "{% endfor %}. To make new values, which replace the old ones everywhere: "
        + _generating("lost")
    )


def _unread_message(file: str) -> str:
    return (
        f"{{% else %}}{{{{ {_MISSING} | join(', ') }}}}: not in "
        + file
        + f". A former deployment may have made it: {{% for one in {_UNREAD} %}}{{{{ one.path }}}} was not read. "
        + "{{ one.reason[:1] | upper }}{{ one.reason[1:] }}. {% endfor %}Correct that, or make new values: "
        + _generating(_MISSING)
        + "{% endif %}"
    )


def _generating(names: str) -> str:
    return f"{_DEPLOY} {{{{ {names} | map('regex_replace', '^', '--generate ') | join(' ') }}}}"


def _searching(generated: Sequence[Encrypted], element: EncryptedVars, values: Values) -> dict[str, str]:
    """Return expressions that find what is lost, by the names of variables."""
    file, (backend, name) = file_of(element, values), values.key_of(element)
    names = ", ".join(f"'{entry.name}'" for entry in generated)
    stored = f"(lookup('ansible.builtin.file', {path_expression(file)}) | from_yaml if {is_there(file)} else {{}})"
    recorded = f"(recorded.secrets | default({{}}))[{literal(f'{backend}/{name}')}] | default([])"
    # The record of a complete deployment has all names. A file may be older than a secret that comes into it.
    complete = "recorded.complete | default(recorded.secrets | default({}) | length > 0)"
    on_hosts = f"(hostvars.values() | map(attribute='{_FOUND}', default=[]) | flatten) if not ({complete}) else []"
    copies = f"{_COPIES} | map(attribute='names') | flatten"
    program = f"playbook_dir ~ {literal(f'/{values.program_folder}')}"
    files = f"lookup('mlkeys.transit.vars_files', {program}, backend={literal(backend)}, key={literal(name)})"
    documents = dict(_documents(generated, element, values))
    in_documents = ", ".join(f"{{'path': {literal(path)}, 'names': {names}}}" for path, (_, names) in documents.items())
    unread = "".join(
        f" + ([{{'path': {literal(path)}, 'reason': {literal(_NOT_ANSWERED)}}}] if ({found}) is none else [])"
        for path, (found, _) in documents.items()
    )
    return {
        _MISSING: f"[{names}] | reject('in', {stored} | list) | reject('in', generate | default([])) | list",
        _FILES: files,
        _COPIES: f"[{in_documents}] + {_FILES}.files",
        # The log of this run is made by it, and is not an encrypted vars file.
        _UNREAD: f"{_FILES}.unread | rejectattr('kind', 'eq', 'output') | list{unread}",
        "lost": f"{_MISSING} | select('in', ({recorded}) + ({on_hosts}) + ({copies})) | list",
    }


def _documents(
    generated: Sequence[Encrypted], element: EncryptedVars, values: Values
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the documents of KV engines that the program names.

    With each come an expression for what is in it, None where it could not be read, and one for the names of secrets.
    """
    stack = values.stack
    if stack.terraform_secrets == "ephemeral" and "terraform" in values.view.app.targets:
        for entry in generated:
            # Terraform writes a document for each.
            path = f"{stack.node.id}/{entry.name}"
            found = stored_in_kv(stack.terraform_kv.strip("/"), path, errors="warn")
            yield f"{stack.terraform_kv.strip('/')}/{path}", (found, f"[{literal(entry.name)}] if {found} else []")
    for task in values.view.of_kind(stack, AnsibleTask):
        given = task.data.get(VARS)
        if isinstance(given, Mapping) and given.get("store") == "kv" and _is_of(given, element, values):
            mount, document = _known(given.get("kv_mount", "secret"), values), _known(given.get("kv_path"), values)
            if mount is not None and document is not None:
                found = stored_in_kv(mount, document, errors="warn")
                yield f"{mount}/{document}", (found, f"{found} | default([], true) | list")


def _is_of(given: Mapping[str, Any], element: EncryptedVars, values: Values) -> bool:
    """Whether a task writes ciphertexts of the key of a file, as far as that is known."""
    backend, name = values.key_of(element)
    known = (_known(given.get("backend", "transit"), values), _known(given.get("key"), values))
    return known[0] in (None, backend) and known[1] in (None, name)


def _known(given: Any, values: Values) -> str | None:
    """Return an option of a task, None when it is only known when the task runs."""
    text = values.view.known_text(given) if isinstance(given, str) else None
    return None if text is None or "{{" in text or "{%" in text else text.strip("/")
