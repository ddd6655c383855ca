# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The sources of plaintext: a deployment checks that they exist before it changes anything, without reading them."""

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
    """The sources of the stacks' secrets that are missing: environment variables, files, a terminal."""
    return [
        Problem(element.node.path, element.node.location_text, problem)
        for stack in stacks
        for element in stack.node.walk()
        if isinstance(element, Encrypted)
        for problem in _problems(element, Path(root_of(stack).node.folder or "."))
    ]


def require_sources(stacks: Iterable[Stack]) -> None:
    """Check that no source is missing.

    Raises:
        MlkeysError: it lists the missing ones.
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
            yield f"{source.path} is not a readable file"
    elif isinstance(source, PromptSecret) and not sys.stdin.isatty():
        yield f"cannot prompt for {source.question!r}: standard input is not a terminal"
