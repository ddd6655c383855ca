# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of authentication. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  auth_method:
    description:
      - The auth method to log in with.
      - V(none) sends no token. Use it behind an agent or a proxy that adds one.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AUTH_METHOD).
    type: str
    choices:
      - token
      - approle
      - userpass
      - ldap
      - jwt
      - kubernetes
      - cert
      - none
    default: token
  mount_point:
    description:
      - Path where the auth method is mounted. Defaults to the name of the auth method.
      - This is not the mount of the secrets engine.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_MOUNT_POINT).
    type: str
  token:
    description:
      - The token, for O(auth_method=token).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TOKEN), E(BAO_TOKEN) or E(VAULT_TOKEN). If unset, it is read
        from O(token_file).
    type: str
  token_path:
    description:
      - Directory of O(token_file). Defaults to the home directory.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TOKEN_PATH) or E(HOME).
    type: str
  token_file:
    description:
      - Name of the file in which the command line clients of Vault and OpenBao store their token.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TOKEN_FILE).
    type: str
    default: .vault-token
  token_validate:
    description:
      - Whether to validate the token before using it, at the cost of one more request.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TOKEN_VALIDATE).
    type: bool
    default: false
  token_revoke:
    description:
      - Whether to revoke a token that a login created when it is no longer needed. A token that you provide is never
        revoked.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TOKEN_REVOKE).
    type: bool
    default: true
  username:
    description:
      - User name, for O(auth_method=userpass) and O(auth_method=ldap).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_USERNAME).
    type: str
  password:
    description:
      - Password, for O(auth_method=userpass) and O(auth_method=ldap).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_PASSWORD).
    type: str
  role_id:
    description:
      - Role ID of an AppRole.
      - The name of the role for O(auth_method=jwt), O(auth_method=kubernetes) and O(auth_method=cert).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_ROLE_ID).
    type: str
  secret_id:
    description:
      - Secret ID of an AppRole.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_SECRET_ID).
    type: str
  jwt:
    description:
      - The JSON web token, for O(auth_method=jwt).
      - For O(auth_method=kubernetes), it is read from O(kubernetes_token_path) if unset.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_JWT).
    type: str
  kubernetes_token_path:
    description:
      - Path of the service account's token, for O(auth_method=kubernetes).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_KUBERNETES_TOKEN_PATH).
    type: str
    default: /var/run/secrets/kubernetes.io/serviceaccount/token
  cert_auth_public_key:
    description:
      - Path of the client certificate, for O(auth_method=cert).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CERT_AUTH_PUBLIC_KEY).
    type: str
  cert_auth_private_key:
    description:
      - Path of the client certificate's private key, for O(auth_method=cert).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CERT_AUTH_PRIVATE_KEY).
    type: str
"""

    PLUGINS = r"""
options:
  auth_method:
    env:
      - name: ANSIBLE_HASHI_VAULT_AUTH_METHOD
    ini:
      - section: hashi_vault_collection
        key: auth_method
    vars:
      - name: ansible_hashi_vault_auth_method
  mount_point:
    env:
      - name: ANSIBLE_HASHI_VAULT_MOUNT_POINT
    ini:
      - section: hashi_vault_collection
        key: mount_point
    vars:
      - name: ansible_hashi_vault_mount_point
  token:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN
    vars:
      - name: ansible_hashi_vault_token
  token_path:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN_PATH
    ini:
      - section: hashi_vault_collection
        key: token_path
    vars:
      - name: ansible_hashi_vault_token_path
  token_file:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN_FILE
    ini:
      - section: hashi_vault_collection
        key: token_file
    vars:
      - name: ansible_hashi_vault_token_file
  token_validate:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN_VALIDATE
    ini:
      - section: hashi_vault_collection
        key: token_validate
    vars:
      - name: ansible_hashi_vault_token_validate
  token_revoke:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN_REVOKE
    ini:
      - section: hashi_vault_collection
        key: token_revoke
    vars:
      - name: ansible_hashi_vault_token_revoke
  username:
    env:
      - name: ANSIBLE_HASHI_VAULT_USERNAME
    vars:
      - name: ansible_hashi_vault_username
  password:
    env:
      - name: ANSIBLE_HASHI_VAULT_PASSWORD
    vars:
      - name: ansible_hashi_vault_password
  role_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_ROLE_ID
    ini:
      - section: hashi_vault_collection
        key: role_id
    vars:
      - name: ansible_hashi_vault_role_id
  secret_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_SECRET_ID
    vars:
      - name: ansible_hashi_vault_secret_id
  jwt:
    env:
      - name: ANSIBLE_HASHI_VAULT_JWT
    vars:
      - name: ansible_hashi_vault_jwt
  kubernetes_token_path:
    env:
      - name: ANSIBLE_HASHI_VAULT_KUBERNETES_TOKEN_PATH
    ini:
      - section: hashi_vault_collection
        key: kubernetes_token_path
    vars:
      - name: ansible_hashi_vault_kubernetes_token_path
  cert_auth_public_key:
    env:
      - name: ANSIBLE_HASHI_VAULT_CERT_AUTH_PUBLIC_KEY
    ini:
      - section: hashi_vault_collection
        key: cert_auth_public_key
    vars:
      - name: ansible_hashi_vault_cert_auth_public_key
  cert_auth_private_key:
    env:
      - name: ANSIBLE_HASHI_VAULT_CERT_AUTH_PRIVATE_KEY
    ini:
      - section: hashi_vault_collection
        key: cert_auth_private_key
    vars:
      - name: ansible_hashi_vault_cert_auth_private_key
"""
