# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Escape hatches: plain data for one target, where this package has no construct."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlkeys._constructs.inventory import untagged
from mlkeys._model.data import texts_in
from mlkeys._model.element import Element
from mlkeys._model.tree import Construct, where
from mlkeys._model.types import named_now, report_foreign


class _Raw(Element):
    def __init__(self, scope: Construct | str, id_: str | None, data: object) -> None:
        place, name = where(scope, id_)
        super().__init__(place, name)
        self.data: dict[str, Any] = named_now(self, "the data", untagged(data)) if isinstance(data, Mapping) else {}
        if not self.data:
            self.node.add_problem("a dictionary that is not empty is required")
        report_foreign(self, "the data", self.data)

    def texts(self) -> Iterable[tuple[str, str]]:
        return (("data", text) for text in texts_in(self.data))

    def named(self) -> Iterable[tuple[str, object]]:
        return (("data", self.data),)


class TerraformBlock(_Raw):
    """Blocks of Terraform JSON, merged into those of the stack.

    References become expressions. Other strings are Terraform templates and are not escaped.

    Args:
        block: the blocks, such as `{"resource": {"vault_…": {"name": {…}}}}`.
    """

    runtime_fields = frozenset({"data"})

    def __init__(self, scope: Construct | str, id_: str | None = None, /, *, block: Mapping[str, Any]) -> None:
        super().__init__(scope, id_, block)


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
