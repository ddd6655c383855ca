# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options for GnuPG. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  gpg_binary:
    description:
      - Name or path of the GnuPG program.
    type: str
    default: gpg
  gpg_home:
    description:
      - GnuPG's home folder. If unset, GnuPG's own default.
    type: path
"""
