# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse options that a module does not have, before a result can show their values. **Private** to the collection.

Only options that a module knows to be secret are masked. The value of a misspelt one would be shown.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Iterable, NoReturn

from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import printable
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import did_you_mean


class _Specified(Exception):
    """A module has named its options."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__("the options are known")
        self.names = names


def _specified(argument_spec: dict[str, Any], *, add_file_common_args: bool = False, **_others: Any) -> NoReturn:
    names = {name for own, option in argument_spec.items() for name in (own, *(option.get("aliases") or ()))}
    raise _Specified(frozenset(names | (set(FILE_COMMON_ARGUMENTS) if add_file_common_args else set())))


@functools.lru_cache(maxsize=None)
def known_options(module: str) -> frozenset[str]:
    """The names and aliases of the options of ``mlkeys.transit.MODULE``."""
    code: Any = importlib.import_module(f"ansible_collections.mlkeys.transit.plugins.modules.{module}")
    usual = code.AnsibleModule
    code.AnsibleModule = _specified
    try:
        code.main()
    except _Specified as found:
        return found.names
    finally:
        code.AnsibleModule = usual
    raise ValueError(f"{module} does not name its options")


def spelling_problem(module: str, given: Iterable[str]) -> str:
    """A sentence about options that the module does not have, empty if there are none. It repeats no value."""
    known = known_options(module)
    unknown = [name for name in given if name not in known and not name.startswith("_ansible_")]
    if not unknown:
        return ""
    named = " and ".join(f"'{printable(name)}'" for name in unknown)
    plural = "s" if len(unknown) > 1 else ""
    return (
        f"mlkeys.transit.{module} does not have the option{plural} {named}.{did_you_mean(unknown[0].lower(), known)} "
        "Nothing was done."
    )
