# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_transit
version_added: 0.1.0
short_description: Encrypt, decrypt, rewrap and fingerprint values with the Transit secrets engine
description:
  - Sends all terms of one call to the Transit engine of HashiCorp Vault or OpenBao in one request, as far as the
    server's limits allow, and returns the results in the order of the terms.
  - Terms and results are plain text. The plugin encodes to base64, as the server's API requires.
  - Errors name a failed term by its position, and by its name if it has one, never by its content.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  _terms:
    description:
      - The values. Ciphertext for O(operation=decrypt) and O(operation=rewrap), plaintext for the others.
      - A term is a string, a list of terms at any depth, or a dictionary with C(value) and any of C(name) (for
        messages), C(context), C(associated_data) and C(key_version), which override the options of the same names. The
        lookup refuses those that have no effect with the operation. All of these but C(key_version) must be text.
      - With O(operation=verify), a dictionary with C(value) and C(signature). With O(operation=verify_hmac), one with
        C(value) and C(hmac).
      - With O(operation=random), a number of bytes. Without terms, the lookup returns one result of O(bytes) bytes.
      - With O(operation=datakey), the name of a data key for messages, or a dictionary without C(value). The lookup
        returns one data key for each term, and one without terms.
      - With O(kv_path), the names of the secrets, or of the fields with O(operation=kv_get).
      - With O(operation=read) and no terms, the lookup returns the whole document, a dictionary like an encrypted vars
        file.
      - With O(operation=kv_get) and no terms, the lookup returns all fields as one dictionary, which is empty if the
        secret or the engine does not exist.
    type: list
    elements: raw
    required: false
  operation:
    description:
      - What to do with the terms.
      - V(encrypt) returns a new ciphertext in every run. To keep the ciphertext while the plaintext is the same, use
        M(mlkeys.transit.vault_transit_vars).
      - V(rewrap) returns ciphertext of the key's latest version. The plaintext does not leave the server.
      - V(hmac) returns a fingerprint that is always the same for the same value and key version. V(verify_hmac) returns
        whether a fingerprint is that of the value.
      - V(sign) returns a signature by an asymmetric key. V(verify) returns whether a signature is that of the value.
      - V(cmac) returns a CMAC. Only Vault Enterprise has this operation.
      - V(hash) returns a digest, without a key, with one request per term.
      - V(random) returns random bytes of the server as text, with one request per term. They are secret if you use them
        as one, and Ansible does not know that. See the notes.
      - V(datakey) returns a dictionary with a new data key, with one request per term - C(ciphertext), C(key_version),
        and with O(type=plaintext) C(plaintext), in base64. To get the plaintext later, decrypt the ciphertext with
        O(encoding=base64).
      - V(read) requires O(kv_path) and returns ciphertext as it is stored. It needs no permission to decrypt.
      - V(kv_get) requires O(kv_path) and returns fields of any secret in a KV engine (version 2) as they are stored,
        which may be plaintext. Use it to encrypt what is in such an engine.
    type: str
    choices:
      - cmac
      - datakey
      - decrypt
      - encrypt
      - hash
      - hmac
      - kv_get
      - random
      - read
      - rewrap
      - sign
      - verify
      - verify_hmac
    default: decrypt
  key:
    description:
      - Name of the key.
      - If the token may read the key, O(operation=encrypt) first checks that it exists, so that a mistyped name does
        not create a key.
      - Required unless O(operation) is V(hash), V(kv_get), V(random) or V(read).
      - With O(kv_path), O(key) and O(backend) must be those that the document names.
    type: str
  kv_path:
    description:
      - Path of an encrypted document in a KV engine, written by M(mlkeys.transit.vault_transit_vars) with
        O(mlkeys.transit.vault_transit_vars#module:store=kv), whose secrets to decrypt or read.
      - With O(operation=kv_get), path of any secret.
    type: str
  kv_mount:
    description:
      - Path where the KV engine is mounted.
    type: str
    default: secret
  context:
    description:
      - The context of a derived key, as plain text. For entries of a file that M(mlkeys.transit.vault_transit_vars)
        wrote, this is the name of the variable.
      - Under a key that is not derived, a context has no effect. O(operation=decrypt) and O(operation=rewrap) take one
        all the same, and the others refuse it. See the notes. An empty context is none.
      - HMACs and CMACs are of a version of the key, and the same for each context, so their operations refuse one.
    type: str
  associated_data:
    description:
      - Additional data to bind the ciphertext to, as plain text. Decrypting requires the same data. RSA keys cannot
        bind a value to data.
    type: str
  key_version:
    description:
      - Version of the key to encrypt, rewrap, sign or fingerprint with. V(0) is the latest. The key's
        C(min_decryption_version) and C(min_encryption_version) hold for each of them.
    type: int
    default: 0
  encoding:
    description:
      - How plaintext is encoded, in terms and in results.
      - Use V(base64) for binary values, such as digests with O(prehashed).
    type: str
    choices:
      - base64
      - utf-8
    default: utf-8
  allow_ciphertext:
    description:
      - Whether O(operation=encrypt) takes terms that are or contain ciphertexts. By default the lookup refuses them,
        since they mean that nothing decrypted a variable, and would be encrypted twice.
    type: bool
  term_errors:
    description:
      - What to do about single terms that fail, for example because a ciphertext is damaged.
      - V(strict) fails. V(warn) shows a warning and V(ignore) logs a message. Both return V(null) in the place of each
        term that failed, and the results of the others.
      - The default is Ansible's own C(errors), which all lookups have, or V(strict).
      - What concerns all terms, such as a server that does not respond, a key that does not exist, a missing right or
        an option that is not for the key, fails with either of them. Ansible's C(errors) then decides about the lookup
        as a whole.
    type: str
    choices:
      - ignore
      - strict
      - warn
  hash_algorithm:
    description:
      - The hash algorithm of O(operation=sign), O(operation=verify), O(operation=hmac), O(operation=verify_hmac) and
        O(operation=hash). By default, the server uses V(sha2-256).
      - A key of type C(ed25519) always uses the algorithm of its standard, so the lookup refuses this option for its
        signatures. See the notes.
      - V(sha1) and V(none) are for signatures only. V(none) is for RSA keys, and requires O(prehashed=true) and
        O(signature_algorithm=pkcs1v15).
    type: str
    aliases:
      - algorithm
    choices:
      - none
      - sha1
      - sha2-224
      - sha2-256
      - sha2-384
      - sha2-512
      - sha3-224
      - sha3-256
      - sha3-384
      - sha3-512
  signature_algorithm:
    description:
      - The signature algorithm of RSA keys. By default, the server uses V(pss). The lookup refuses it for other keys.
        See the notes.
    type: str
    choices:
      - pkcs1v15
      - pss
  marshaling_algorithm:
    description:
      - The form of signatures. By default, the server uses V(asn1). V(jws) is the form of JSON Web Signatures. It
        changes the encoding of signatures to URL-safe base64 without padding, and of ECDSA keys the signature as well.
    type: str
    choices:
      - asn1
      - jws
  salt_length:
    description:
      - The length of the salt of PSS signatures of RSA keys - C(auto), C(hash), or a number of bytes, 1 or more. By
        default, the server uses C(auto).
      - It has no effect with O(signature_algorithm=pkcs1v15), so the lookup refuses the combination. It also refuses it
        for keys of other types. See the notes.
    type: str
  prehashed:
    description:
      - Whether the values are already digests of O(hash_algorithm). Pass them with O(encoding=base64).
      - The lookup refuses values of another length, of which the server would use a part for ECDSA keys.
      - OpenBao ignores this option for keys of type C(ed25519), and signs the digest as any other value, so the lookup
        refuses it. See the notes.
    type: bool
  mac_length:
    description:
      - Number of bytes of a CMAC. By default, the server returns the whole CMAC.
    type: int
  type:
    description:
      - Whether O(operation=datakey) returns the data key in plaintext as well. The default is V(wrapped).
    type: str
    choices:
      - plaintext
      - wrapped
  bits:
    description:
      - Size of a data key. By default, the server uses V(256).
    type: int
    choices:
      - 128
      - 256
      - 512
  bytes:
    description:
      - How many bytes O(operation=random) returns if there are no terms. The default is 32, and the server allows
        131072 at most.
    type: int
  source:
    description:
      - Where random bytes come from. V(seal) is the source of a server with an external one, and V(all) uses both. A
        server without an external source uses V(platform) in their place, and does not fail. By default, the server
        uses V(platform).
      - With a source, the policy of the token must allow C(random/SOURCE) below the engine.
    type: str
    choices:
      - all
      - platform
      - seal
  format:
    description:
      - The form of the results of O(operation=hash), by default V(hex), and of O(operation=random), by default
        V(base64).
    type: str
    choices:
      - base64
      - hex
extends_documentation_fragment:
  - mlkeys.transit._auth
  - mlkeys.transit._auth.plugins
  - mlkeys.transit._backend
  - mlkeys.transit._backend.plugins
  - mlkeys.transit._connection
  - mlkeys.transit._connection.plugins
notes:
  - In a run that shares logins, by the vars plugin P(mlkeys.transit.vault_transit#vars) or the callback
    P(mlkeys.transit.session#callback), O(operation=decrypt) asks the server once for a ciphertext, for all hosts and
    tasks.
  - Decrypted values, data keys with O(type=plaintext) and random bytes are plaintext. C(--diff) shows them in the diff
    of a template, so set C(diff=false) and C(no_log=true) on such tasks, or deliver the ciphertext and decrypt it where
    it is used. Do not put them in facts that a fact cache stores.
  - The server ignores some options for keys of some types. To refuse them, the lookup reads the key first, if one of
    O(context), O(hash_algorithm), O(prehashed), O(salt_length) and O(signature_algorithm) is set and O(operation) is
    V(datakey), V(sign) or V(verify), and for O(operation=encrypt) always. A token that may not read the key gets what
    the server makes of the options.
  - The server limits the size of a request, which means about 24 MB for a value on OpenBao, and 768 KiB on Vault. Of
    larger content, sign the digest, with O(prehashed=true) and O(encoding=base64) if the key is an RSA or ECDSA key,
    and use the digest as the value for HMACs. M(ansible.builtin.stat) returns the digest of a file.
seealso:
  - module: mlkeys.transit.vault_transit_vars
  - module: mlkeys.transit.vault_transit_key
"""

EXAMPLES = r"""
- name: Encrypt a value
  ansible.builtin.set_fact:
    ciphertext: >-
      {{ lookup('mlkeys.transit.vault_transit', 'sk-not-a-real-key', operation='encrypt',
                key='ml-api-key', context='openai_api_key') }}

- name: Decrypt and check a value without showing it
  ansible.builtin.assert:
    that:
      - lookup('mlkeys.transit.vault_transit', ciphertext, key='ml-api-key', context='openai_api_key').endswith('-key')
    quiet: true

- name: Decrypt several values in one request
  ansible.builtin.assert:
    that:
      - query('mlkeys.transit.vault_transit', secrets, key='ml-api-key') | length == 2
    quiet: true
  vars:
    secrets:
      - name: openai_api_key
        value: "{{ ciphertext }}"
        context: openai_api_key
      - name: the same again
        value: "{{ ciphertext }}"
        context: openai_api_key

- name: Rewrap a ciphertext to the latest version of the key
  ansible.builtin.debug:
    msg: >-
      {{ lookup('mlkeys.transit.vault_transit', ciphertext, operation='rewrap',
                key='ml-api-key', context='openai_api_key') }}

- name: Decrypt what can be decrypted
  ansible.builtin.assert:
    that:
      - texts[0].endswith('-key')
      - texts[1] is none
    quiet: true
  vars:
    texts: >-
      {{ query('mlkeys.transit.vault_transit', ciphertext, 'damaged', key='ml-api-key', context='openai_api_key',
               errors='ignore') }}

- name: Sign a release
  ansible.builtin.set_fact:
    signature: "{{ lookup('mlkeys.transit.vault_transit', 'release 1.0', operation='sign', key='releases') }}"

- name: Check the signature
  ansible.builtin.assert:
    that:
      - query('mlkeys.transit.vault_transit', signed, operation='verify', key='releases') == [true]
  vars:
    signed:
      value: release 1.0
      signature: "{{ signature }}"

- name: Check a fingerprint
  ansible.builtin.assert:
    that:
      - query('mlkeys.transit.vault_transit', marked, operation='verify_hmac', key='releases') == [true]
  vars:
    marked:
      value: release 1.0
      hmac: "{{ fingerprint }}"
    fingerprint: "{{ lookup('mlkeys.transit.vault_transit', 'release 1.0', operation='hmac', key='releases') }}"

- name: Show a digest that the server computes
  ansible.builtin.debug:
    msg: "{{ lookup('mlkeys.transit.vault_transit', 'release 1.0', operation='hash', hash_algorithm='sha2-512') }}"

- name: Make a data key, of which only the ciphertext is kept
  ansible.builtin.set_fact:
    data_key: >-
      {{ lookup('mlkeys.transit.vault_transit', operation='datakey', key='ml-api-key', context='archive').ciphertext }}

- name: Encrypt a new random password without showing it
  ansible.builtin.set_fact:
    password_ciphertext: >-
      {{ lookup('mlkeys.transit.vault_transit', lookup('mlkeys.transit.vault_transit', operation='random', bytes=24),
                operation='encrypt', key='ml-api-key', context='database_password') }}
"""

RETURN = r"""
_raw:
  description:
    - The results, in the order of the terms. V(true) or V(false) for O(operation=verify) and O(operation=verify_hmac),
      dictionaries for O(operation=datakey), else text.
  type: list
  elements: raw
  sample:
    - vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.look_up import look_up
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.request import OWN_OPTIONS
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import (
    connection_options,
    decrypting_items,
    errors_given,
    report,
    run,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import decrypted
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import (
    refuse_unknown,
    set_options,
    templated_variables,
)

_OPTIONS = (
    *("operation", "key", "backend", "context", "associated_data", "key_version", "encoding"),
    *("kv_path", "kv_mount", "term_errors", *OWN_OPTIONS),
)


class LookupModule(LookupBase):
    @property
    def load_name(self) -> str:
        """The name under which Ansible keeps this plugin's documentation."""
        return str(self._load_name)

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        configured = templated_variables(self.load_name, variables or {}, self._templar)
        refuse_unknown(self.load_name, kwargs)
        set_options(self, self.load_name, configured, kwargs)
        options = {name: self.get_option(name) for name in _OPTIONS}
        options["term_errors"] = options["term_errors"] or errors_given()
        given = decrypted(terms)
        connection = connection_options(self.get_option)
        decrypt = decrypting_items(connection)
        return run(connection, lambda client: look_up(client, given, options, report, decrypt))
