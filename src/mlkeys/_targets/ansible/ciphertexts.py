# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ciphertexts in the folder of what must last: their files, the tasks that write and read them, their variables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.inventory import Template
from mlkeys._model.secret import GeneratedSecret
from mlkeys._model.stack import Stack
from mlkeys._shared.vars_files import METADATA
from mlkeys._targets.ansible.jinja import in_file, literal
from mlkeys._targets.ansible.values import SAME, STAYING, Values, may_move
from mlkeys._targets.ansible.yaml import Commented
from mlkeys._targets.names import MOVED, NEW_VALUES
from mlkeys._targets.state_names import RECORD_FILE, vars_file_of

Task = dict[str, Any]

VARS = "mlkeys.transit.vault_transit_vars"
# Unlike Ansible's own, it follows no link that somebody else has put there.
FILES = "mlkeys.transit.vault_transit_files"


_HELD = "ciphertexts_held"
_ENTRIES = "ciphertexts_of_results"
#: Variables of the tasks.
NAMES = frozenset({STAYING, SAME, MOVED, _HELD, _ENTRIES})
#: The prefix of variables with results of tasks that write ciphertexts.
RESULT = "ciphertexts_result_"
#: What the module does to entries that it does not leave as they are.
_REWRAPPED = "rewrapped"
_NEW = frozenset({"added", "updated", _REWRAPPED, "removed"})


class KeyState(NamedTuple):
    """What is known of a key when its ciphertexts are written.

    Attributes:
        when: conditions for tasks that need the key.
        when_no_more: the same for tasks that make nothing under a new key, so that a check does not await them.
        was_there: the condition that it existed before the run.
    """

    when: Sequence[Template]
    when_no_more: Sequence[Template]
    was_there: str


def file_of(element: EncryptedVars, values: Values) -> str:
    """Return the path of a file of ciphertexts, one for each key, relative to the project."""
    return values.state(vars_file_of(*values.key_of(element)))


def path_template(file: str) -> Template:
    """Return the path of a file of the project, wherever the play is run."""
    return Template(f"{{{{ playbook_dir }}}}/{in_file(file)}")


def path_expression(file: str, folder: str = "playbook_dir") -> str:
    """Return the same path as an expression."""
    return f"{folder} ~ {literal(f'/{file}')}"


def is_there(file: str, *, negated: bool = False) -> str:
    """Return the condition that a file of the project exists."""
    return f"({path_expression(file)}) is {'not ' if negated else ''}file"


def reading(file: str, known: str = "") -> Task:
    """Return the task that reads ciphertexts. A check has those of `predicting`.

    Args:
        known: the condition that there is something to predict from. A run may leave out the controller.
    """
    return {
        "name": f"Read {in_file(file.lstrip('./'))}",
        "ansible.builtin.include_vars": {"file": path_template(file)},
        "when": Template(f"not ansible_check_mode{f' or not ({known})' if known else ''}"),
    }


def predicting(files: Iterable[str], results: Iterable[str], names: Sequence[str] = (), known: str = "") -> Task:
    """Return the task that finds out, in a check, which stored ciphertexts a deployment leaves as they are.

    All others are replaced, also where a check has skipped the task that writes them.

    Args:
        results: variables with the results of the tasks that write the files.
        names: the secrets to look at. Default: all in the files.
        known: as for `reading`.
    """
    paths = ", ".join(path_expression(file) for file in files)
    entries = _entries_of(results)
    if names:
        entries += f" | selectattr('name', 'in', {_list_of(names)})"
    return {
        "name": "Find the ciphertexts that stay",
        "ansible.builtin.set_fact": {STAYING: _except(_NEW, STAYING), SAME: _except(_NEW - {_REWRAPPED}, SAME)},
        "when": Template(f"ansible_check_mode{f' and {known}' if known else ''}"),
        "vars": {
            _HELD: Template(f"{{{{ query('{VARS}', {paths}, decrypt=false, missing_ok=true) | combine }}}}"),
            _ENTRIES: Template(f"{{{{ {entries} | list }}}}"),
        },
    }


def reporting(results: Iterable[str]) -> Task:
    """Return the task that says in a check which secrets get new values: other stacks may use these."""
    found = f"{_entries_of(results)} | selectattr('action', 'in', ['added', 'updated']) | map(attribute='name') | list"
    return {
        "name": "Report secrets with new values",
        "ansible.builtin.set_stats": {"data": {NEW_VALUES: Template(f"{{{{ {found} }}}}")}},
        "when": Template("ansible_check_mode"),
    }


def _entries_of(results: Iterable[str]) -> str:
    """Return what tasks for one file or for many did to its entries, or would do, as an expression."""
    found = " + ".join(f"({result}.results | default([{result}]))" for result in results)
    return f"({found}) | map(attribute='entries', default=[]) | flatten"


def _except(actions: Iterable[str], fact: str) -> Template:
    """Return the ciphertexts for which no task does one of these, besides those that a fact has already."""
    changed = f"{_ENTRIES} | selectattr('action', 'in', {_list_of(sorted(actions))}) | map(attribute='name') | list"
    names = f"{_ENTRIES} | map(attribute='name') | difference({changed})"
    found = f"{_HELD} | dict2items | selectattr('key', 'in', {names}) | items2dict"
    return Template(f"{{{{ {fact} | default({{}}) | combine({found}) }}}}")


def new_ciphertexts(names: Iterable[str]) -> Template:
    """Return the secrets whose stored ciphertexts a deployment replaces, as a check knows it, with what it does."""
    given = _list_of(sorted(set(names)))
    updated = f"{given} | difference({SAME} | list) | product(['updated']) | list"
    rewrapped = f"{given} | intersect({SAME} | list) | difference({STAYING} | list) | product(['{_REWRAPPED}']) | list"
    # A check without the controller knows nothing.
    return Template(f"{{{{ dict(({updated}) + ({rewrapped})) if {SAME} is defined else {{}} }}}}")


def placeholders(elements: Iterable[EncryptedVars]) -> Task:
    """Return the variables of a play with the ciphertexts that stay, and with a text for others: a check makes none.

    What a deployment reads has precedence over them.
    """
    return {
        entry.name: Template(f"{{{{ {STAYING}.{entry.name} | default('(new ciphertext of {entry.name})') }}}}")
        for element in elements
        for entry in element.entries
    }


def removal(name: str, file: str) -> Task:
    """Return the task that removes a file of this machine."""
    return {"name": name, FILES: {"files": [{"path": path_template(file), "state": "absent"}]}}


def folders(files: Iterable[str]) -> list[Task]:
    """Return the task that creates missing folders of ciphertexts."""
    paths = [path_expression(folder) for folder in sorted({file.rpartition("/")[0] for file in files})]
    if not paths:
        return []
    return [
        {
            "name": "Folders of ciphertexts",
            FILES: {"files": [{"path": Template("{{ item }}"), "state": "directory", "parents": True, "mode": "0755"}]},
            "loop": Template(f"{{{{ [{', '.join(paths)}] | reject('directory') }}}}"),
            # It is nothing that a deployment makes, and a prediction needs it too.
            "changed_when": False,
            "check_mode": False,
        }
    ]


def variables(elements: Iterable[EncryptedVars], values: Values) -> dict[str, dict[str, Any]]:
    """Return the variables of hosts that hold ciphertexts, by group."""
    found: dict[str, dict[str, Any]] = {}
    for element in elements:
        path = path_expression(f"../{file_of(element, values)}", "inventory_dir")
        group = found.setdefault(element.hosts.name if element.hosts is not None else "all", {})
        for entry in element.entries:
            group[entry.name] = Template(f"{{{{ (lookup('ansible.builtin.file', {path}) | from_yaml).{entry.name} }}}}")
    return found


def encrypting(element: EncryptedVars, values: Values, key: KeyState) -> Iterator[Task]:
    """Yield the tasks that encrypt the secrets of a file."""
    file = file_of(element, values)
    options = {
        "path": path_template(file),
        "backend": values.plain(element.key.backend),
        "key": values.plain(element.key.name),
        "mode": mode_of_new(path_expression(file)),
    }
    generated = [entry for entry in element.entries if isinstance(entry.plaintext, GeneratedSecret)]
    given = [entry for entry in element.entries if not isinstance(entry.plaintext, GeneratedSecret)]
    stored = Template(f"{{{{ {_stored(path_expression(file))} }}}}")
    for entry in generated:
        # A new key cannot decrypt what is stored.
        needed = [f"{missing(file, entry)} or not ({key.was_there})"]
        if may_move(entry):
            needed.append(f"'{entry.name}' not in {_moving(values)}")
        yield {
            "name": f"Random secret {values.name(entry)}, if missing",
            # The others are not declared here. A list of their names would grow with the square of their number.
            VARS: {**options, "leave": stored, "secrets": _secrets([entry], values, key)},
            "when": [*map(Template, needed), *key.when],
        }
    if generated:
        yield _noting(element, generated, values)
    when = [*(key.when if given else key.when_no_more)]
    if when and any(map(may_move, given)):
        more = is_more_than_moves(_list_of(given_in(element)), values)
        when.insert(0, Template(f"{key.when_no_more[0].text} or {more}"))
    yield {
        "name": f"Ciphertexts {values.name(element)}",
        VARS: {**options, **_others(element, file, values), "secrets": _secrets(given, values, key)},
        **({"when": when} if when else {}),
    }


def mode_of_new(path: str) -> Template:
    """Return the mode of a file in version control: git keeps none, so that a clone has that of the user's umask.

    Args:
        path: an expression.
    """
    return Template(f"{{{{ omit if ({path}) is file else '0644' }}}}")


def _others(element: EncryptedVars, file: str, values: Values) -> dict[str, Any]:
    """Return what a task does to stored secrets that it gets no values for. Several tasks may write one file.

    Each changes its own ones alone, and the first one what belongs to no other: a check, in which none sees what those
    before it do, then counts nothing twice.
    """
    given, random = values.names_of_key(element)
    own = given_in(element)
    if element is not values.files_of_key(element)[0]:
        return {"leave": Template(f"{{{{ {left_besides(path_expression(file), _list_of(own))} }}}}")}
    left = sorted({*given} - {*own})
    keep: Any = random
    if any(may_move(entry) for entry in values.entries_of_key(element)):
        former = f"({_moving(values)}.values() | map(attribute='context') | list)"
        keep = Template(f"{{{{ {_list_of(random)} + {former} }}}}")
    return {"purge": True, **({"keep": keep} if keep else {}), **({"leave": left} if left else {})}


def is_more_than_moves(names: str, values: Values) -> str:
    """Return the condition that not all secrets move: a check then awaits what a task makes."""
    return f"{names} | difference({_moving(values)} | list) | length > 0"


def besides_moves(secrets: str, values: Values) -> Template:
    """Return secrets without those that move: those are there when a deployment comes to them."""
    return Template(f"{{{{ {secrets} | dict2items | rejectattr('key', 'in', {_moving(values)}) | items2dict }}}}")


def _moving(values: Values) -> str:
    """Return an expression for the secrets of a stack that a deployment moves before these tasks, as a check knows."""
    return f"({values.moved(values.stack)} | default({{}}))"


def given_in(element: EncryptedVars) -> list[str]:
    """Return the names of the secrets of a file that are not random."""
    return sorted(entry.name for entry in element.entries if not isinstance(entry.plaintext, GeneratedSecret))


def left_besides(path: str, names: str) -> str:
    """Return the secrets that a file has, without some names, as an expression.

    Args:
        path: an expression, and so are the names.
    """
    return f"{_stored(path)} | difference({names})"


def _secrets(entries: list[Encrypted], values: Values, key: KeyState) -> dict[str, Any]:
    return {
        entry.name: Commented(f"{entry.node.path} {entry.node.location_text}", values.plaintext(entry, key.was_there))
        for entry in entries
    }


def missing(file: str, entry: Encrypted) -> str:
    """Return the condition that a file does not have a secret."""
    found = f"lookup('ansible.builtin.file', {path_expression(file)}) | from_yaml"
    return f"{is_there(file, negated=True)} or '{entry.name}' not in {found}"


def _stored(path: str) -> str:
    """Return the names of the secrets that a file has, as an expression."""
    found = f"lookup('ansible.builtin.file', {path}) | from_yaml"
    return f"({found} | reject('eq', '{METADATA}') | list if ({path}) is file else [])"


def _noting(element: EncryptedVars, generated: Sequence[Encrypted], values: Values) -> Task:
    """Return the task that records random secrets before anything uses them, whatever ends the run after that."""
    place = "/".join(values.key_of(element))
    full = _list_of(f"{place}/{entry.name}" for entry in generated)
    of_key = (
        f"((recorded.secrets[{literal(place)}] | default([])) + {_list_of(entry.name for entry in generated)}) | unique"
    )
    added = (
        f"{{'generated': (recorded.generated + {full}) | unique | sort, "
        f"'secrets': recorded.secrets | combine({{{literal(place)}: {of_key} | sort}})}}"
    )
    text = f"recorded | combine({added}) | to_nice_json(indent=2, sort_keys=true, ensure_ascii=false)"
    return {
        "name": f"Record random secrets of {values.name(element)}",
        FILES: {
            "files": [
                {
                    "path": path_template(values.state(RECORD_FILE)),
                    # Older cores make data of what is not marked by `string`, and escape a written \n.
                    "content": Template(f"{{{{ ({text} ~ '\n') | string }}}}"),
                    "mode": "0644",
                }
            ]
        },
        # The program does not make it.
        "changed_when": False,
        "when": [
            Template("not ansible_check_mode"),
            # Without the command `mlkeys` there may be no record.
            Template("recorded.generated is defined"),
            Template(f"{full} | difference(recorded.generated) | length > 0"),
        ],
    }


def _list_of(texts: Iterable[str]) -> str:
    """Return texts as an expression."""
    return f"[{', '.join(map(literal, texts))}]"


def recorded(values: Values) -> Task:
    """Return the variable of a play with the record of what was deployed."""
    file = values.state(RECORD_FILE)
    text = f"lookup('ansible.builtin.file', {path_expression(file)})"
    return {"recorded": Template(f"{{{{ {text} | from_json if {is_there(file)} else {{}} }}}}")}


def former_managers() -> Template:
    """Return the other stacks of the program whose policies move to this one, as the command `mlkeys` finds them."""
    return Template("{{ former_managers | default(omit) }}")


def manager(stack: Stack) -> Template:
    """Return the text by which a server knows who made a policy."""
    text = f"'program ' ~ recorded.program ~ {literal(f', stack {stack.node.id}, owner ')} ~ recorded.owner"
    return Template(f"{{{{ {text} if recorded.owner is defined else omit }}}}")
