# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What Ansible passes over in its configuration, because a name is misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from mlkeys._commands.doctor.check import Check
from mlkeys._shared.suggestions import did_you_mean
from mlkeys._shared.vars_plugins import SETTING

if TYPE_CHECKING:
    from configparser import RawConfigParser

_DEFAULTS = "defaults"

# Words that only differ by a letter or two. Ansible's plugins have sections and keys of any names.
_NEAR = 0.85


def check(path: str, written: RawConfigParser, known: Mapping[str, Iterable[str]]) -> Iterator[Check]:
    """Compare a configuration with what is read of it.

    Args:
        path: the file, empty if Ansible reads none.
        written: what it says.
        known: the keys of each section of the collection's.
    """
    keys = {section: sorted(given) for section, given in known.items()}
    yield from (Check("ansible.cfg", "wrong", f"{path}: {said}") for said in _unknown(written, keys))


def _unknown(written: RawConfigParser, keys: Mapping[str, list[str]]) -> Iterator[str]:
    for section in written.sections():
        if section == _DEFAULTS:
            near = (key for key in written.options(section) if key != SETTING and _near(key, [SETTING]))
            yield from (f"[{section}] has no key '{key}'. Did you mean '{SETTING}'?" for key in near)
        elif section in keys:
            # The parser has made keys small, as Ansible does.
            unknown = (key for key in written.options(section) if key not in keys[section])
            yield from (f"[{section}] has no key '{key}'.{did_you_mean(key, keys[section])}" for key in unknown)
        elif near_sections := _near(section, keys):
            yield f"nothing reads the section [{section}].{did_you_mean(section, near_sections)}"


def _near(word: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(word.lower(), list(known), cutoff=_NEAR)
