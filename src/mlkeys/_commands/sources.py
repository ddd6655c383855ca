# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where a deployment finds plaintext: looked for before anything is changed, never looked at."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlkeys._constructs.encryption import Encrypted
from mlkeys._errors import MlkeysError, Problem
from mlkeys._model.secret import EnvSecret, FileSecret, PromptSecret
from mlkeys._model.stack import Stack, root_of


def missing_sources(stacks: Iterable[Stack]) -> list[Problem]:
    """What stacks take from environment, files and terminal, and would not find there."""
    return [
        Problem(element.node.path, element.node.location_text, problem)
        for stack in stacks
        for element in stack.node.walk()
        if isinstance(element, Encrypted)
        for problem in _problems(element, Path(root_of(stack).node.folder or "."))
    ]


def require_sources(stacks: Iterable[Stack]) -> None:
    """See that nothing is missing.

    Raises:
        MlkeysError: with everything that is.
    """
    if missing := missing_sources(stacks):
        raise MlkeysError("\n".join(["Nothing was deployed: secrets are missing.", *(f"  {text}" for text in missing)]))


def _problems(element: Encrypted, folder: Path) -> Iterator[str]:
    source = element.plaintext
    if isinstance(source, EnvSecret) and not os.environ.get(source.variable):
        yield f"the environment variable {source.variable} is {'empty' if source.variable in os.environ else 'not set'}"
    elif isinstance(source, FileSecret):
        path = folder / Path(source.path).expanduser()
        if not (path.is_file() and os.access(path, os.R_OK)):
            yield f"{source.path} is no file that can be read"
    elif isinstance(source, PromptSecret) and not sys.stdin.isatty():
        yield f"nobody can answer {source.question!r}: the standard input is no terminal"
