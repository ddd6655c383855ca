# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What makes a file an encrypted vars file.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

# The entry of an encrypted vars file that describes the file itself.
METADATA = "_transit"

# How the names of encrypted vars files end.
VARS_FILE_SUFFIXES = (".transit.yml", ".transit.yaml", ".transit.json")


def is_vars_file_name(name: str) -> bool:
    """Whether a file with this name, or at this path, is an encrypted vars file."""
    return name.endswith(VARS_FILE_SUFFIXES)


def is_read_by_ansible(name: str) -> bool:
    """Whether it is one, by its name alone, that Ansible reads in a folder: it leaves out hidden files."""
    return is_vars_file_name(name) and not name.startswith(".")
