# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: shaped
version_added: 0.1.0
short_description: Format data as a file
description:
  - Returns the text of a file that holds the data, with every value quoted as programs that read such files need it.
author:
  - mlkeys contributors (@mlkeys)
options:
  _input:
    description:
      - The data. Only O(shape=json) and O(shape=yaml) take something else than a dictionary.
    type: raw
    required: true
  shape:
    description:
      - The format of the file.
      - V(docker_env) is for C(docker run --env-file), which takes each line as it is. It refuses line breaks.
      - V(dotenv) is for the library C(python-dotenv). Other readers read values without quotes, backslashes and C(${)
        the same way.
      - V(environment_file) is for C(EnvironmentFile=) of systemd, and for shells.
      - V(shell) is for shells only. It exports the variables.
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
  secrets:
    description:
      - Maps names of secrets to their values.
      - Each dictionary in the data whose only entry is C(secret) with such a name is replaced by the value. Without
        this option, such dictionaries remain as they are.
    type: dict
"""

EXAMPLES = r"""
- name: Write a configuration
  ansible.builtin.copy:
    dest: "{{ credentials_folder }}/config.yaml"
    content: "{{ config | mlkeys.transit.shaped('yaml') }}"
    mode: "0640"
  vars:
    config:
      model_list:
        - model_name: gpt
          api_key: os.environ/OPENAI_API_KEY
"""

RETURN = r"""
_value:
  description: The text.
  type: str
  sample: "model_name: \"gpt\"\n"
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import paths_of_ciphertexts, refusal
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import (
    SHAPES,
    UnsupportedValue,
    quoted,
    rendered,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import decrypted, marked
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import SECRET, is_secret


def shaped(data: Any, shape: str, secrets: Any = None, *, allow_ciphertext: bool = False) -> Any:
    if shape not in SHAPES:
        raise AnsibleFilterError(f"shaped: shape must be one of {', '.join(SHAPES)}.")
    known, plain = decrypted(secrets or {}), decrypted(data)
    if not allow_ciphertext:
        _check_plaintext(plain, known)

    def leaf(value: Any) -> str | None:
        if secrets is None or not is_secret(value):
            return None
        if value[SECRET] not in known:
            raise UnsupportedValue(f"there is no secret '{value[SECRET]}'")
        return quoted(shape, known[value[SECRET]])

    try:
        return marked(rendered(shape, plain, leaf), template=False)
    except UnsupportedValue as error:
        raise AnsibleFilterError(f"shaped: {error}.") from None


def _check_plaintext(data: Any, secrets: Any) -> None:
    """
    Raises:
        AnsibleFilterError: a value holds ciphertext. The message names its place.
    """
    places = paths_of_ciphertexts(data) + [f"the secret {name}" for name in paths_of_ciphertexts(secrets)]
    if places:
        raise AnsibleFilterError(f"shaped: {refusal(', '.join(place or 'the value' for place in places))}")


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"shaped": shaped}
