# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say how to reach GnuPG. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  gpg_binary:
    description:
      - The program of GnuPG, by its name or path.
    type: str
    default: gpg
  gpg_home:
    description:
      - GnuPG's folder, its own default when nothing is said.
    type: path
"""
