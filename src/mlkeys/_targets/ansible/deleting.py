# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One task that deletes many elements, but for those that the program only found."""

from __future__ import annotations

from collections.abc import Sequence

from mlkeys._constructs.inventory import Template
from mlkeys._model.element import Element
from mlkeys._targets.ansible.jinja import literal
from mlkeys._targets.ansible.tasks import KEY, KEYS, Task
from mlkeys._targets.ansible.yaml import Commented


def comment_of(element: Element) -> str:
    return f"{element.node.path} {element.node.location_text}"


def absent_keys_task(found: Sequence[tuple[Element, Task]], places: Sequence[str]) -> Task:
    entries = [Commented(comment_of(key), task[KEY]) for key, task in found]
    own = "places | select('in', destroyed.get('keys', places)) | list"
    chosen = "dict(places | zip(listed)) | dict2items | selectattr('key', 'in', own) | map(attribute='value') | list"
    return {
        "name": f"{len(found)} keys",
        KEYS: {"keys": Template(f"{{{{ {chosen} }}}}")},
        "when": Template("own | length > 0"),
        "vars": {"places": [*places], "listed": entries, "own": Template(f"{{{{ {own} }}}}")},
    }


def is_own(kind: str, name: str) -> Template:
    """Return the condition that a program made an object: it does not delete what it found."""
    return Template(f"{literal(name)} in destroyed.get('{kind}', [{literal(name)}])")


def own_alone(task: Task, places: Sequence[tuple[str, str] | None]) -> Task:
    """Return the task that deletes many objects, without those that the program found."""
    if not all(places):
        return task
    items = [
        Commented(item.comment, {**item.value, "own": _own(*one)})
        for item, one in zip(task["loop"], places, strict=True)
        if one is not None
    ]
    return {**task, "loop": items, "when": Template("item.own")}


def _own(kind: str, name: str) -> Template:
    return Template(f"{{{{ {is_own(kind, name).text} }}}}")
