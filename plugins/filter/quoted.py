# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: quoted
version_added: 0.1.0
short_description: Quote a value for a file of some format
description:
  - Quotes a string, and escapes all characters that have a special meaning to programs that read the file.
  - Numbers and booleans stay without quotes.
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
      - The format of the file.
      - V(docker_env) is for C(docker run --env-file), which takes each line as it is. It refuses line breaks.
      - V(dotenv) is for the library C(python-dotenv). Other readers read values without quotes, backslashes and C(${)
        the same way.
      - V(environment_file) is for C(EnvironmentFile=) of systemd, and for shells.
      - V(shell) is for shells only.
    type: str
    required: true
    choices:
      - docker_env
      - dotenv
      - environment_file
      - json
      - shell
      - toml
      - yaml
  allow_ciphertext:
    description:
      - Whether the result may hold ciphertext (C(vault:vN:...)), also encoded for a URL or in base64. Otherwise the
        filter fails, because a variable that was not decrypted would replace a good key.
      - Set it for programs that decrypt themselves.
    type: bool
    default: false
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

- name: Write ciphertext for a program that decrypts it itself
  ansible.builtin.copy:
    dest: "{{ credentials_folder }}/sealed.env"
    content: |
      OPENAI_API_KEY={{ sealed | mlkeys.transit.quoted('dotenv', allow_ciphertext=true) }}
    mode: "0600"
  vars:
    sealed: vault:v1:ZXhhbXBsZSBvZiBhIGNpcGhlcnRleHQ=
"""

RETURN = r"""
_value:
  description: The quoted value.
  type: str
  sample: "'two words'"
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import holds_ciphertext, refusal
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import SHAPES, UnsupportedValue, quoted
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import decrypted, marked


def in_quotes(value: Any, shape: str, *, allow_ciphertext: bool = False) -> Any:
    if shape not in SHAPES:
        raise AnsibleFilterError(f"quoted: shape must be one of {', '.join(SHAPES)}.")
    plain = decrypted(value)
    if not allow_ciphertext and isinstance(plain, str) and holds_ciphertext(plain):
        raise AnsibleFilterError(f"quoted: {refusal('the value')}")
    try:
        return marked(quoted(shape, plain), template=False)
    except UnsupportedValue as error:
        raise AnsibleFilterError(f"quoted: {error}.") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"quoted": in_quotes}
