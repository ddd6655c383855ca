# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a fleet in words. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import AbstractSet, Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.durations import age_text


def counted(hosts: AbstractSet[str], controller: str) -> str:
    """A number of hosts in words. The controller is apart: users do not think of it as one of them."""
    number = len(hosts - {controller})
    if not number and controller in hosts:
        return "the controller"
    return f"{number} host{'' if number == 1 else 's'}{' and the controller' if controller in hosts else ''}"


def line(key: Mapping[str, Any]) -> str:
    """A key in words."""
    used = [f"{one['ciphertexts']} at v{one['version']}" for one in key["versions"] if one["ciphertexts"]]
    age = f", {age_text(key['age_seconds'])} old" if key["age_seconds"] is not None else ""
    turns = f", rotated every {age_text(key['auto_rotate_period'])}" if key["auto_rotate_period"] else ""
    floor = f", floor v{key['min_decryption_version']}"
    return (
        f"{key['backend']}/{key['name']}: v{key['latest_version']}{age}{floor}{turns}; "
        f"ciphertexts: {', '.join(used) or 'none'}"
    )


def ciphertexts_are(places: Sequence[str]) -> str:
    return "1 ciphertext is" if len(places) == 1 else f"{len(places)} ciphertexts are"
