# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Escape hatches: plain data for one target, where this package has no construct."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlkeys._model.element import Element
from mlkeys._model.tree import Construct, where


def texts_in(data: object) -> Iterable[str]:
    """Yield every string in nested data, keys included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for name, value in data.items():
            yield str(name)
            yield from texts_in(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from texts_in(value)


def mapped(data: Any, change: Callable[[str], Any]) -> Any:
    """Return the data with each string changed; keys stay."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, Mapping):
        return {str(name): mapped(value, change) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [mapped(value, change) for value in data]
    return data


class _Raw(Element):
    def __init__(self, scope: Construct | str, id_: str | None, data: Mapping[str, Any]) -> None:
        place, name = where(scope, id_)
        super().__init__(place, name)
        self.data = dict(data)

    def texts(self) -> Iterable[tuple[str, str]]:
        return (("data", text) for text in texts_in(self.data))


class TerraformBlock(_Raw):
    """Blocks of Terraform JSON, merged into those of the stack.

    References become expressions. Other strings are Terraform templates and are not escaped.

    Args:
        block: the blocks, such as `{"resource": {"vault_…": {"name": {…}}}}`.
    """

    def __init__(self, scope: Construct | str, id_: str | None = None, /, *, block: Mapping[str, Any]) -> None:
        super().__init__(scope, id_, block)

    def block(self, render: Callable[[str], str]) -> dict[str, Any]:
        """Return the blocks with references rendered."""
        result: dict[str, Any] = mapped(self.data, lambda text: _unescaped(render(text)))
        return result


class AnsibleTask(_Raw):
    """A task of the stack's playbook.

    References become expressions. Other strings are Ansible templates and are not escaped. The task runs after the
    tasks of the constructs that it refers to, else in the order of the program.

    Args:
        task: the task, such as `{"ansible.builtin.debug": {"msg": "…"}}`.
    """

    runtime_fields = frozenset({"data"})

    def __init__(self, scope: Construct | str, id_: str | None = None, /, *, task: Mapping[str, Any]) -> None:
        super().__init__(scope, id_, task)


def _unescaped(template: str) -> str:
    return template.replace("$${", "${").replace("%%{", "%{")
