# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One task for many files of ciphertexts, and the tasks that read them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.inventory import Template
from mlkeys._model.element import Element
from mlkeys._targets.ansible.ciphertexts import (
    VARS,
    besides_moves,
    given_in,
    is_more_than_moves,
    left_besides,
    mode_of_new,
    path_template,
    predicting,
    reading,
)
from mlkeys._targets.ansible.lost import RANDOM, random_in
from mlkeys._targets.ansible.tasks import Task, existed, existed_or_makes_nothing
from mlkeys._targets.ansible.values import Values, may_move
from mlkeys._targets.names import variable_name

#: The prefix of variables of a play with secrets.
SECRETS = "secrets_of_"

_PATH = "{{ playbook_dir }}/"
_PATH_OF_ITEM = "playbook_dir ~ '/' ~ item.file"
#: What an item of a loop has besides options of the module.
_OF_AN_ITEM = frozenset({"file", "secrets", "key_place", "own", "given"})


def many_random(files: Sequence[EncryptedVars]) -> bool:
    """Whether random secrets have their tasks in files of their own."""
    return sum(len([*random_in(file)]) for file in files) > 1


def random_file(file: EncryptedVars, values: Values) -> str:
    """Return the file with the tasks of the random secrets of a file."""
    return f"{RANDOM}/{variable_of(file, values)}.yml"


def variable_of(file: EncryptedVars, values: Values) -> str:
    """Return the end of the name of the variable with the secrets of a file."""
    return variable_name(values.name(file))


def files_task(
    given: Sequence[tuple[EncryptedVars, Task]], values: Values, places: Mapping[Element, tuple[str, int]]
) -> Task:
    """Return one task for many files of ciphertexts, whose keys one task makes.

    Few of its texts are templates, and its items are small: Ansible compiles each template, and copies all items for
    each of them. It also shows items at -v, so that they must not hold a secret.

    Args:
        given: the files, each with the task that would write it alone.
    """
    items: list[Task] = [_item(file, alone, variable_of(file, values), places) for file, alone in given]
    shared = {
        name: value
        for name, value in items[0].items()
        if name not in _OF_AN_ITEM and all(item.get(name) == value for item in items)
    }
    items = [{name: value for name, value in item.items() if name not in shared} for item in items]
    options: Task = {
        name: Template(f"{{{{ item.{name} | default(omit) }}}}")
        for name in sorted({name for item in items for name in item} - _OF_AN_ITEM)
    }
    if any("own" in item for item in items):
        # What the file has is another thing when it comes to the item.
        left = left_besides(_PATH_OF_ITEM, "item.own")
        options["leave"] = Template(f"{{{{ {left} if item.own is defined else item.leave | default(omit) }}}}")
    task: Task = {
        "name": f"{len(items)} files of ciphertexts",
        VARS: {
            "path": Template(f"{_PATH}{{{{ item.file }}}}"),
            **options,
            **shared,
            "mode": mode_of_new(_PATH_OF_ITEM),
            "secrets": secrets_of("item.secrets", [file for file, _ in given], values),
        },
        "loop": items,
        "loop_control": {"label": Template("{{ item.file }}")},
    }
    register, _ = places.get(given[0][0].key, ("", 0))
    if register:
        result = f"{register}.results[item.key_place]"
        task["when"] = existed(result)
        if any("given" in item for item in items):
            nothing = f"item.given is not defined or {existed_or_makes_nothing(result).text}"
            task["when"] = [Template(f"{nothing} or {is_more_than_moves('item.given', values)}"), task["when"]]
    return task


def secrets_of(variable: str, files: Iterable[EncryptedVars], values: Values) -> Template:
    """Return the secrets in a variable of the play.

    Args:
        variable: an expression for the end of its name.
    """
    found = f"lookup('ansible.builtin.vars', '{SECRETS}' ~ {variable})"
    moves = any(may_move(entry) for file in files for entry in file.entries)
    return besides_moves(found, values) if moves else Template(f"{{{{ {found} }}}}")


def _item(file: EncryptedVars, alone: Task, variable: str, places: Mapping[Element, tuple[str, int]]) -> Task:
    """Return the item of a file in the loop of a task for many.

    Args:
        variable: the end of the name of the variable with its secrets.
    """
    options = dict(alone[VARS])
    path = options.pop("path").text.removeprefix(_PATH)
    del options["secrets"], options["mode"]
    item: Task = {"file": Template(path) if "{" in path else path, "secrets": variable}
    own = given_in(file)
    if isinstance(options.get("leave"), Template):
        del options["leave"]
        item["own"] = own
    if not own or any(map(may_move, file.entries)):
        # A check awaits none of them, or not those that move.
        item["given"] = own
    if file.key in places:
        item["key_place"] = places[file.key][1]
    return {**item, **options}


def reading_again(files: Mapping[Element, str], elements: Iterable[Element], values: Values) -> list[Task]:
    """Return the tasks that read files of ciphertexts once they are written.

    Args:
        files: paths of those that tasks on the controller need.
        elements: what was made last.
    """
    found = [one for one in elements if isinstance(one, EncryptedVars) and one in files]
    if not found:
        return []
    paths = [*dict.fromkeys(files[one] for one in found)]
    # Other tasks for the same file may follow.
    names = sorted({entry.name for one in found for entry in one.entries})
    check = predicting(paths, values.results_of(found), names)
    if len(paths) == 1:
        return [reading(paths[0]), check]
    task = {
        "name": f"Read {len(paths)} files of ciphertexts",
        "ansible.builtin.include_vars": {"file": Template("{{ item }}")},
        "loop": [path_template(path) for path in paths],
        "when": Template("not ansible_check_mode"),
    }
    return [task, check]
