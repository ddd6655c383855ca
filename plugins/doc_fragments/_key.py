# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options for keys, of one and of many. **Private** to the collection."""

from __future__ import annotations


def _in_entries(documentation: str) -> str:
    """The same options one level down, in the entries of the option ``keys``."""
    options = documentation.partition("options:\n")[2]
    lines = options.replace("O(", "O(keys[].").splitlines()
    return "\n".join(f"    {line}" for line in lines)


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the key.
      - Letters, digits, C(_), C(-) and C(.), beginning and ending with a letter, a digit or C(_).
    type: str
    required: true
  state:
    description:
      - Whether the key exists.
      - V(absent) destroys the key, and with it everything that was encrypted with it.
        This needs C(deletion_allowed=true) on the server, or O(force=true).
    type: str
    choices:
      - absent
      - present
    default: present
  force:
    description:
      - With O(state=absent), allow the deletion on the server and delete the key in the same run.
    type: bool
    default: false
  rotate_older_than:
    description:
      - Rotate the key when its latest version is at least this old, for example V(90d), V(720h) or V(3600) seconds.
      - V(0) rotates the key in every run, so the module is not idempotent then.
      - The module never repeats a rotation blindly. When the answer is lost, it reads the key to learn whether the
        server has rotated it.
    type: str
  min_available_version:
    description:
      - Permanently destroy all older versions. Values that were encrypted with them can never be decrypted again.
      - Must not be above O(min_decryption_version) and O(min_encryption_version). Raise them before, or in the same
        task.
    type: int
  soft_deleted:
    description:
      - Whether the key is soft-deleted. It then neither encrypts nor decrypts, and keeps its versions and
        configuration.
      - V(true) soft-deletes it, after all other changes. V(false) restores it, before all other changes. OpenBao only.
    type: bool
  import:
    description:
      - Material to import as the key, or as a version of it. The module wraps it for the server with the server's
        public RSA key and a new AES key, so it needs the Python library C(cryptography) on the controller.
      - The material is only in memory. It is never in an argument of a process, a log, a diff, a temporary file or a
        result. If the module runs on another host, the controller wraps the material before it sends it, and must
        reach the server for that.
      - If the version exists, nothing is imported. For a key pair, the module compares the public keys and fails if
        they differ. The server does not show whether it has the private key as well, see O(import.complete). It does
        not show the material of other types either, so the module cannot compare it, and the return value
        C(imported.compared) is V(false).
      - A key that the server made is refused. Once the server has rotated a key, it no longer shows whether it was
        imported, so such a key is accepted if the public key is equal, or with O(import.allow_rotation=true).
      - Needs O(type), and cannot be combined with O(convergent_encryption), nor with O(derived) for the type
        V(ed25519), of which the server imports a key that it cannot use.
      - Keys of the types V(external-key) and V(managed_key), whose material stays elsewhere, and of the types
        V(hybrid), V(ml-dsa) and V(slh-dsa) cannot be imported.
    type: dict
    version_added: 0.1.0
    suboptions:
      src:
        description:
          - A file on the controller with the material. A file of Ansible Vault is decrypted in memory.
          - A relative path is searched for as by M(ansible.builtin.copy).
        type: str
      content:
        description:
          - The material itself. It may be empty if the version exists, so that you can destroy your copy.
        type: str
      origin:
        description:
          - Where O(import.content) comes from, for example the name of a file. Errors show it if O(import.content) is
            empty and the version does not exist.
        type: str
      encoding:
        description:
          - What the material is. V(pem) is a private key in PKCS#8 (C(-----BEGIN PRIVATE KEY-----)) or another format
            of private keys, or a public key. V(base64) and V(hex) are the bytes of the key, or of a key pair the DER
            of PKCS#8. V(raw) are the same bytes in the file O(import.src).
          - The default is V(pem) for key pairs (RSA, ECDSA, Ed25519) and V(base64) for other types. For a key of type
            V(hmac), which has any length, material that may be hex as well is refused without it.
        type: str
        choices:
          - base64
          - hex
          - pem
          - raw
      passphrase:
        description:
          - Passphrase of an encrypted private key. For a key that OpenSSH encrypted, the controller also needs the
            Python library C(bcrypt).
        type: str
      ciphertext:
        description:
          - Material that was wrapped elsewhere, as the server's API takes it.
        type: str
      public_key:
        description:
          - With O(import.ciphertext), the public key (PEM) that belongs to it, to compare it.
          - Alone, the public key to import. The key can then verify or encrypt, not sign or decrypt.
        type: str
      hash_function:
        description:
          - The hash of RSA-OAEP, with which the material is wrapped.
        type: str
        choices:
          - SHA1
          - SHA224
          - SHA256
          - SHA384
          - SHA512
        default: SHA256
      version:
        description:
          - The version of the key that the material is. V(1) makes the key. To add a version, increase it by one.
          - The server takes further versions until it rotates the key itself.
          - Tasks that add a version to the same key take turns on a controller. If another controller adds one in the
            same moment, the server takes both, and the module warns.
        type: int
        default: 1
      allow_rotation:
        description:
          - Whether the server may rotate the key. It can only be set with the first version.
          - Without it, O(rotate_older_than) and O(auto_rotate_period) are refused for this key.
        type: bool
      complete:
        description:
          - If the version exists and has the same public key, send the private key again. A version that has the public
            key alone gets the private key, and can sign and decrypt from then on. The server rejects it for a version
            that has a private key, which is how the module learns that it does.
          - The return value C(imported.private) is V(present) then, before you destroy your copy.
          - Check mode sends nothing, so it predicts no change, and C(imported.private) is V(unknown).
        type: bool
        default: false
  type:
    description:
      - The kind of key, for example V(aes256-gcm96), V(chacha20-poly1305), V(rsa-4096), V(ed25519) or V(hmac).
      - The server decides which types it supports. Its default is V(aes256-gcm96).
      - It can only be set when the key is created.
    type: str
  derived:
    description:
      - Derive a separate key for each context. A value that is encrypted under one name then does not decrypt under
        another.
      - It can only be set when the key is created.
    type: bool
  convergent_encryption:
    description:
      - The same plaintext and context always give the same ciphertext, which reveals equal values.
      - Needs O(derived=true), and can only be set when the key is created.
    type: bool
  key_size:
    description:
      - Size in bytes of a key of type V(hmac), 32 to 512. The default is V(32).
      - It can only be set when the key is created.
    type: int
  exportable:
    description:
      - Whether the key material may be exported. It can be turned on, never off again.
      - B(This cannot be undone.) From then on, anyone who can export the key has the key itself, even if policies
        change later. The module warns when it turns this on.
    type: bool
  allow_plaintext_backup:
    description:
      - Whether the key may be backed up in plaintext. It can be turned on, never off again.
      - B(This cannot be undone.) From then on, anyone who can back up the key has the key itself, if it is also
        exportable. The module warns when it turns this on.
    type: bool
  auto_rotate_period:
    description:
      - The server rotates the key after this time, for example V(90d), V(720h) or V(2592000) seconds.
      - V(0) turns this off. Any other value must be at least one hour.
    type: str
  deletion_allowed:
    description:
      - Whether the key may be deleted.
    type: bool
  min_decryption_version:
    description:
      - The oldest version that may still decrypt. What older versions signed or fingerprinted cannot be verified any
        more, and these versions cannot be exported.
      - Must not be above the latest version.
    type: int
  min_encryption_version:
    description:
      - The oldest version that may be requested to encrypt or sign. V(0) allows every version that may decrypt.
      - Must not be below O(min_decryption_version). Both change in one request.
    type: int
  external_key_ref:
    description:
      - For a key of type V(external-key), the reference C(CONFIG:KEY). OpenBao only.
      - It can only be set when the key is created.
    type: str
  managed_key_name:
    description:
      - For a key of type V(managed_key), the name of the managed key. Vault only.
      - It can only be set when the key is created.
    type: str
  managed_key_id:
    description:
      - For a key of type V(managed_key), the UUID of the managed key. Vault only.
      - It can only be set when the key is created.
    type: str
  parameter_set:
    description:
      - Parameter set of a key of type V(ml-dsa) or V(slh-dsa). Vault only.
      - It can only be set when the key is created.
    type: str
  hybrid_key_type_pqc:
    description:
      - Post-quantum part of a key of type V(hybrid). Vault only.
      - It can only be set when the key is created.
    type: str
  hybrid_key_type_ec:
    description:
      - Elliptic-curve part of a key of type V(hybrid). Vault only.
      - It can only be set when the key is created.
    type: str
"""

    ENTRIES: str = r"""
options:
  keys:
    description:
      - The keys, each with the options of M(mlkeys.transit.vault_transit_key).
      - Listing a key twice is an error.
    type: list
    elements: dict
    required: true
    suboptions:
      backend:
        description:
          - Where this key's engine is mounted. The default is O(backend).
        type: str
        aliases:
          - engine_mount_point
""" + _in_entries(DOCUMENTATION)
