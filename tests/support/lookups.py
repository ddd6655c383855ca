# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the lookups of the collection as a template does, without a playbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

Lookup = Callable[..., list[Any]]


def lookup_plugin(name: str = "vault_transit", loader: DataLoader | None = None) -> Any:
    """A lookup of the collection, with nothing in it of an earlier run."""
    loader = DataLoader() if loader is None else loader
    return lookup_loader.get(f"mlkeys.transit.{name}", loader=loader, templar=Templar(loader=loader, variables={}))


def lookup_with(**usual: object) -> Lookup:
    """A function from terms and options to the results of ``vault_transit``.

    Args:
        usual: options that each run has, unless it gives others.
    """

    def run(*terms: object, variables: Mapping[str, object] | None = None, **options: object) -> list[Any]:
        found: list[Any] = lookup_plugin().run(list(terms), dict(variables or {}), **{**usual, **options})
        return found

    return run
