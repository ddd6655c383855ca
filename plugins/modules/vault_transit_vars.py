#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_vars
version_added: 0.1.0
short_description: Write encrypted vars files with the Transit secrets engine
description:
  - Encrypts secrets with a key of the Transit engine of HashiCorp Vault or OpenBao, and keeps the ciphertexts in a vars
    file that is safe to commit. Without the vars plugin, its variables hold ciphertext.
  - A stored ciphertext stays as it is as long as its plaintext is the same. A stored HMAC shows that, with
    C(transit/hmac) and C(transit/verify), so the token needs no right to decrypt.
  - A ciphertext behind the wanted key version is rewrapped, even if its secret is not given. Its plaintext does not
    leave the server.
  - Every value is encrypted with its variable's name as context. Under a key with C(derived=true), a ciphertext pasted
    under another name does not decrypt. Under other keys the server ignores the context.
  - Each operation sends all secrets in one request, as far as the server's limits allow.
  - The file keeps its comments, order and style, and is replaced in one step. Removing an entry removes only its own
    lines. JSON is reformatted.
  - If somebody else changes the file in the meantime, it is left as it is, and the module fails.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
  - ruamel.yaml (for files that are not JSON)
options:
  path:
    description:
      - The vars file, by convention C(*.transit.yml). Its folder must exist.
      - A file whose name ends with C(.json) is JSON, any other YAML.
      - Symbolic links are followed only if root or the user that runs the module owns them. In a folder that
        somebody else may write to, they are followed only to places in that folder.
      - With O(store=kv) the path is optional. The file then only points to the document, so that the vars plugin
        P(mlkeys.transit.vault_transit#vars) finds it. A file that already points to a document is followed, whatever
        O(store) is.
    type: path
  store:
    description:
      - Where to keep the ciphertexts. V(file) for the file O(path), V(kv) for a KV engine (version 2) of the server.
      - A document of a KV engine is replaced only if nobody else wrote it in the meantime.
    type: str
    choices:
      - file
      - kv
    default: file
  kv_mount:
    description:
      - Where the KV engine is mounted, for O(store=kv).
    type: str
    default: secret
  kv_path:
    description:
      - The document's path in the KV engine, for O(store=kv).
    type: str
  key:
    description:
      - Name of the key to encrypt with. A file that was written with another key is refused.
    type: str
    required: true
  secrets:
    description:
      - Variable names and their values in plaintext.
      - Names are letters, digits and C(_). Values are text, or nested data.
      - Nested data make a new file one of format 2, in which each leaf is encrypted with its path as context, such as
        C(providers.openai.api_key). Numbers, booleans, and empty lists and dictionaries keep their types. A file of
        format 1 stays as it is until C(mlkeys upgrade) changes it, and holds texts alone.
      - A name can also be the path of a leaf, C(providers.openai.api_key). In a key, write all characters but letters,
        digits, C(_) and C(-) as in a URL (C(open%2Eai)). A number is the place in a list.
      - Entries of dictionaries that are missing stay. A given list is the whole list, so stored elements behind its end
        are removed, unless it is empty.
      - A secret that is missing, or whose value is empty or V(null), keeps its stored ciphertext. So a run needs
        plaintext for new and changed entries only, and somebody who has none can deploy. It is an error if the file
        holds no ciphertext of a secret without a value. An empty dictionary or list keeps what is stored below it, and
        is a value where nothing is. O(store_empty) names exceptions.
      - If you pass any secrets, the module warns about entries that it keeps although they are neither among O(secrets)
        nor in O(keep). Without O(purge), a secret that you drop from the task stays in the file.
    type: dict
    default: {}
  store_empty:
    description:
      - Names of secrets whose empty text, V(null), or empty dictionary or list is a value to store. Of nested data,
        also the data around secrets, such as C(providers).
      - The names must be among O(secrets). The file must be of format 2, which a new file then is.
    type: list
    elements: str
    default: []
  allow_ciphertext:
    description:
      - Whether values of O(secrets) may be or contain ciphertexts. By default the module refuses them, since they mean
        that nothing decrypted a variable, and would be encrypted twice.
    type: bool
    default: false
  purge:
    description:
      - Remove entries that are not named in O(secrets).
      - If neither O(secrets) nor O(keep) names one, the module fails, because all would go. To remove all, also set
        O(keep=[]).
    type: bool
    default: false
  keep:
    description:
      - Names of entries that O(purge) keeps although they are not among O(secrets), and about which the module does not
        warn. Of nested data, also what is around entries, such as C(providers).
    type: list
    elements: str
  leave:
    description:
      - Names of entries that stay as they are, also if they are behind O(key_version). Those that are among O(secrets)
        do not.
      - For entries that the key does not decrypt, which cannot be rewrapped.
    type: list
    elements: str
    default: []
  key_version:
    description:
      - The version of the key that no entry should be behind. V(0) for the latest.
      - Entries of a newer version stay as they are.
    type: int
    default: 0
  fingerprint_key:
    description:
      - Name of the key for the HMACs. If unset, O(key).
      - With a separate key, which need not be rotated, fingerprints outlive rotations of O(key). The token then must be
        able to read O(key), to learn its latest version.
    type: str
  refresh_fingerprints:
    description:
      - Renew the HMACs of entries that are not among O(secrets) if they are of an older key version. This decrypts the
        entries, so the token needs C(update) on C(transit/decrypt/KEY).
      - Useful after a rotation, before the key's C(min_decryption_version) is raised.
    type: bool
    default: false
  return_successors:
    description:
      - Whether to return what replaced each ciphertext.
    type: bool
    default: false
  mode:
    description:
      - Permissions of the file, as in M(ansible.builtin.file). If unset, a new file gets V(0600), and an existing file
        keeps its permissions.
    type: raw
extends_documentation_fragment:
  - ansible.builtin.files
  - mlkeys.transit._attributes
  - mlkeys.transit._attributes.actiongroup_vault
  - mlkeys.transit._auth
  - mlkeys.transit._backend
  - mlkeys.transit._connection
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows names, versions and reasons, never a value.
  idempotent:
    support: full
notes:
  - The token needs C(update) on C(transit/verify/KEY), C(transit/hmac/KEY) and C(transit/encrypt/KEY), and on
    C(transit/rewrap/KEY) to rewrap entries. For O(store=kv) it also needs C(read), C(create) and
    C(update) on C(KV_MOUNT/data/KV_PATH).
  - The server limits the size of a request, which means about 24 MB for a secret on OpenBao, and 1 MiB on Vault.
  - A fingerprint whose version is below the key's C(min_decryption_version) cannot be verified any more. With a token
    that may decrypt, the module then decrypts to compare. Without that right it writes the entry once more, with the
    reason C(fingerprint expired).
  - A fingerprint carries a digest of its ciphertext. After a merge that took the ciphertext of one side and the
    fingerprint of the other, the module compares by decrypting, or writes the entry once more, with the reason
    C(fingerprint of another ciphertext). It warns about entries that it can neither compare nor write.
seealso:
  - module: mlkeys.transit.vault_transit_key
  - plugin: mlkeys.transit.vault_transit
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Keep the API keys of ML providers encrypted beside the inventory
  mlkeys.transit.vault_transit_vars:
    path: "{{ inventory_dir }}/group_vars/all/keys.transit.yml"
    key: ml-api-key
    secrets:
      openai_api_key: "{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}"
      anthropic_api_key: "{{ lookup('ansible.builtin.env', 'ANTHROPIC_API_KEY') }}"

- name: Keep what the file holds, rewrapped with the key's latest version
  mlkeys.transit.vault_transit_vars:
    path: "{{ inventory_dir }}/group_vars/all/keys.transit.yml"
    key: ml-api-key

- name: Keep them in a KV engine of the server, and let a file beside the inventory point there
  mlkeys.transit.vault_transit_vars:
    path: "{{ inventory_dir }}/group_vars/all/central.transit.yml"
    store: kv
    kv_path: ml/llm_gateways
    key: ml-api-key
    secrets:
      hf_token: "{{ lookup('ansible.builtin.env', 'HF_TOKEN') }}"

- name: Keep nested data
  mlkeys.transit.vault_transit_vars:
    path: "{{ inventory_dir }}/group_vars/all/nested.transit.yml"
    key: ml-api-key
    secrets:
      providers:
        openai:
          api_key: "{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}"
          retries: 3
          proxy: null
    store_empty: [providers.openai.proxy]

- name: Keep only one of them
  mlkeys.transit.vault_transit_vars:
    path: "{{ inventory_dir }}/group_vars/all/keys.transit.yml"
    key: ml-api-key
    secrets:
      openai_api_key: "{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}"
    purge: true
"""

RETURN = r"""
entries:
  description: What happened to each entry, in the order of the file, then new ones.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the variable, or path of the leaf in nested data.
      type: str
      returned: always
    action:
      description:
        - V(kept), V(added), V(updated) (encrypted again), V(rewrapped), V(refreshed) (fingerprint only), V(removed).
      type: str
      returned: always
    reason:
      description:
        - The reason. Empty for an entry that was kept because its value is the stored one. V(replaced) and V(not in the
          list) for a leaf that was removed because others are in its place, or the given list is shorter.
        - V(no value given) for one that was kept because its secret has no value, and V(not declared) for one that was
          kept although it is not among O(secrets), if there are any.
        - V(unencrypted) for one that the file names in C(unencrypted) below C(_transit). Its value is stored as it is,
          without a fingerprint.
      type: str
      returned: always
    version:
      description: The key version of the ciphertext. V(null) for an entry that was removed, or is unencrypted.
      type: int
      returned: always
  sample:
    - name: openai_api_key
      action: kept
      reason: ""
      version: 1
    - name: anthropic_api_key
      action: updated
      reason: the value changed
      version: 1
successors:
  description:
    - For O(mlkeys.transit.vault_transit_rewrap#module:replacements), what replaced each ciphertext that the file is
      known to have held, by the digest of that. If a value changed, this is the ciphertext of the new value.
  returned: with O(return_successors)
  type: dict
  sample:
    "sha256:5feceb66ffc86f38d952786c6d696c79": "vault:v2:Qm1ab3WHDOjf7mq6"
"""

from ansible_collections.mlkeys.transit.plugins.module_utils._module.files import run_on_file
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import Module
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec, file_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import reconcile_vars
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.request import vars_request


def argument_spec() -> Spec:
    return {
        **file_spec(),
        **connection_spec(),
        **backend_spec(),
        "path": {"type": "path"},
        "store": {"type": "str", "choices": ["file", "kv"], "default": "file"},
        "kv_mount": {"type": "str", "default": "secret"},
        "kv_path": {"type": "str"},
        "key": {"type": "str", "required": True, "no_log": False},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
        "store_empty": {"type": "list", "elements": "str", "default": []},
        "allow_ciphertext": {"type": "bool", "default": False},
        "purge": {"type": "bool", "default": False},
        "keep": {"type": "list", "elements": "str", "no_log": False},
        "leave": {"type": "list", "elements": "str", "default": []},
        "key_version": {"type": "int", "default": 0, "no_log": False},
        "fingerprint_key": {"type": "str", "no_log": False},
        "refresh_fingerprints": {"type": "bool", "default": False},
        "return_successors": {"type": "bool", "default": False},
    }


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        add_file_common_args=True,
        required_if=[("store", "file", ["path"]), ("store", "kv", ["kv_path"])],
        supports_check_mode=True,
    )
    run_on_file(module, vars_request, reconcile_vars)


if __name__ == "__main__":
    main()
