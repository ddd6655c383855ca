# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted vars files as the controller reads them, with what Ansible itself has. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Callable

import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile, interpret
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents

# Gives a client that may speak, or raises TransitError.
Connect = Callable[[], Client]

# The same in C, ten times as fast, where PyYAML was built with it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: str, connect: Connect) -> VarsFile:
    """The file's content, or that of the document in a KV engine that it points to.

    Raises:
        TransitError: there is none of this kind. Never shows a line of it.
    """
    file = _from_disk(path)
    if file.place is not None:
        stored = Documents(connect(), file.place.mount).read(file.place.path)
        file = interpret(stored.content, f"{path} ({file.place})")
    if file.entries and not (file.backend and file.key):
        raise InvalidOption(f"{file.path} does not say which key encrypted it. Write it with vault_transit_vars.")
    return file


def _from_disk(path: str) -> VarsFile:
    try:
        with open(path, "rb") as stream:
            document = yaml.load(stream, Loader=_Loader)  # noqa: S506  a safe one
    except OSError as error:
        problem = f": {error.strerror or 'it cannot be read'}"
    except yaml.MarkedYAMLError as error:
        problem = " is not YAML" + (f" (line {error.problem_mark.line + 1})" if error.problem_mark else "")
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        problem = " is not YAML"
    else:
        return interpret({} if document is None else document, path)
    raise InvalidOption(f"{path}{problem}.")
