# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: quoted
version_added: 0.1.0
short_description: Write a value as it has to stand in a file of some kind
description:
  - Puts quotes around a text, and escapes what would mean something else to the file's readers, whatever the text is.
  - Numbers and flags are written without quotes.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The value.
    type: raw
    required: true
  shape:
    description:
      - V(dotenv) is for the library C(python-dotenv). Values without quotes, backslashes and C(${) read the same
        everywhere.
      - V(environment_file) is for C(EnvironmentFile=) of systemd, and for shells.
      - V(shell) is for shells alone.
    type: str
    required: true
    choices:
      - dotenv
      - environment_file
      - json
      - shell
      - toml
      - yaml
"""

EXAMPLES = r"""
- name: Write an environment file
  ansible.builtin.copy:
    dest: "{{ credentials_folder }}/.env"
    content: |
      ACCOUNT={{ account | mlkeys.transit.quoted('dotenv') }}
    mode: "0600"
  vars:
    account: it's "mine"
"""

RETURN = r"""
_value:
  description: The value with its quotes.
  type: str
  sample: "'sk-not-a-real-key'"
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import SHAPES, Unfit, quoted
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import decrypted
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked


def in_quotes(value: Any, shape: str) -> Any:
    if shape not in SHAPES:
        raise AnsibleFilterError(f"quoted: the shape is one of {', '.join(SHAPES)}.")
    try:
        return marked(quoted(shape, decrypted(value)), template=False)
    except Unfit as error:
        message = f"quoted: {error}."
    raise AnsibleFilterError(message)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"quoted": in_quotes}
