# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The sources of plaintext: a deployment checks that they exist before it changes anything, without reading them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlkeys._analysis.view import View
from mlkeys._commands.deployment.carry import moves_of
from mlkeys._commands.deployment.state import StackState
from mlkeys._constructs.encryption import Encrypted
from mlkeys._errors import MlkeysError, Problem
from mlkeys._model.secret import EnvSecret, FileSecret, PromptSecret
from mlkeys._model.stack import root_of


def missing_sources(states: Iterable[StackState]) -> list[Problem]:
    """The sources of secrets that are missing: environment variables, files, a terminal.

    A secret with a stored ciphertext keeps it, so that its source may be missing.
    """
    return [
        Problem(element.node.path, element.node.location_text, problem)
        for state in states
        for element in _not_stored(state)
        for problem in _problems(element, Path(root_of(state.stack).node.folder or "."))
    ]


def require_sources(states: Iterable[StackState]) -> None:
    """Check that no source is missing.

    Raises:
        MlkeysError: it lists the missing ones.
    """
    if missing := missing_sources(states):
        raise MlkeysError("\n".join(["Nothing was deployed: secrets are missing.", *(f"  {text}" for text in missing)]))


def _not_stored(state: StackState) -> list[Encrypted]:
    """The secrets of a stack without a stored ciphertext, also under a former name."""
    kept = {(key, name) for key, names in state.stored().items() for name in names}
    if kept:
        kept |= {(move.key, name) for move in moves_of(state) for name in move.names}
    view = View(root_of(state.stack))
    return [
        element
        for element in state.stack.node.walk()
        if isinstance(element, Encrypted) and (_key_of(view, element), element.name) not in kept
    ]


def _key_of(view: View, element: Encrypted) -> str:
    return "/".join(view.text(str(part)).strip("/") for part in (element.key.backend, element.key.name))


def _problems(element: Encrypted, folder: Path) -> Iterator[str]:
    source = element.plaintext
    if isinstance(source, EnvSecret) and not os.environ.get(source.variable):
        yield f"the environment variable {source.variable} is {'empty' if source.variable in os.environ else 'not set'}"
    elif isinstance(source, FileSecret):
        path = folder / Path(source.path).expanduser()
        if not (path.is_file() and os.access(path, os.R_OK)):
            yield f"{source.path} is not a readable file"
    elif isinstance(source, PromptSecret) and not sys.stdin.isatty():
        yield f"cannot prompt for {source.question!r}: standard input is not a terminal"
