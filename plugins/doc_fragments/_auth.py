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
      - V(aws_iam) needs the Python library C(botocore), V(azure) C(azure-identity), and V(gcp) C(google-auth) with
        C(requests), unless you set O(jwt).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AUTH_METHOD).
    type: str
    choices:
      - token
      - approle
      - userpass
      - ldap
      - jwt
      - kubernetes
      - aws_iam
      - azure
      - gcp
      - cert
      - none
    default: token
  mount_point:
    description:
      - Path where the auth method is mounted. Defaults to the name of the auth method, and to V(aws) for
        O(auth_method=aws_iam).
      - This is not the mount of the secrets engine.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_MOUNT_POINT).
    type: str
  token:
    description:
      - The token, for O(auth_method=token).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TOKEN), E(BAO_TOKEN) or E(VAULT_TOKEN). If unset, it is read
        from the token helper that the configuration of the command line client names, else from O(token_file).
    type: str
  token_path:
    description:
      - Directory of O(token_file). Defaults to the home directory.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TOKEN_PATH) or E(HOME).
    type: str
  token_file:
    description:
      - Name of the file in which the command line clients of Vault and OpenBao store their token.
      - With another name, or another O(token_path), their token helper is not asked.
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
      - The name of the role for all other methods. It is optional for O(auth_method=cert) and O(auth_method=aws_iam).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_ROLE_ID).
    type: str
  secret_id:
    description:
      - Secret ID of an AppRole.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_SECRET_ID).
    type: str
  jwt:
    description:
      - The JSON web token, for O(auth_method=jwt), O(auth_method=azure) and O(auth_method=gcp).
      - If unset, O(auth_method=jwt) uses E(VAULT_ID_TOKEN), which a job of GitLab may have, else asks GitHub Actions
        for the token of the job, which needs the permission C(id-token) to be C(write).
      - For O(auth_method=kubernetes), it is read from O(kubernetes_token_path) if unset.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_JWT).
    type: str
  jwt_audience:
    description:
      - The audience for which GitHub Actions issues the token of a job.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_JWT_AUDIENCE).
    type: str
  kubernetes_token_path:
    description:
      - Path of the service account's token, for O(auth_method=kubernetes).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_KUBERNETES_TOKEN_PATH).
    type: str
    default: /var/run/secrets/kubernetes.io/serviceaccount/token
  aws_profile:
    description:
      - The profile of the AWS credentials, for O(auth_method=aws_iam).
      - Without O(aws_access_key), C(botocore) finds credentials as the AWS CLI does, in C(AWS_PROFILE),
        C(AWS_ACCESS_KEY_ID), files, and the role of the machine.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AWS_PROFILE).
    type: str
    aliases:
      - boto_profile
  aws_access_key:
    description:
      - ID of an access key, for O(auth_method=aws_iam).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AWS_ACCESS_KEY), E(EC2_ACCESS_KEY) or E(AWS_ACCESS_KEY).
    type: str
    aliases:
      - aws_access_key_id
  aws_secret_key:
    description:
      - The secret of O(aws_access_key). Only a signature that it makes is sent.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AWS_SECRET_KEY), E(EC2_SECRET_KEY) or E(AWS_SECRET_KEY).
    type: str
    aliases:
      - aws_secret_access_key
  aws_security_token:
    description:
      - Session token of temporary credentials, for O(auth_method=aws_iam).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AWS_SECURITY_TOKEN) or E(EC2_SECURITY_TOKEN).
    type: str
  region:
    description:
      - The AWS region whose STS confirms the identity. It must be the one that the server asks, which is by default
        the global STS.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_REGION), E(EC2_REGION) or E(AWS_REGION).
    type: str
  aws_iam_server_id:
    description:
      - Value of the header C(X-Vault-AWS-IAM-Server-ID), if the server requires it.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AWS_IAM_SERVER_ID).
    type: str
  azure_tenant_id:
    description:
      - ID of the directory, for O(auth_method=azure) with O(azure_client_secret).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AZURE_TENANT_ID).
    type: str
  azure_client_id:
    description:
      - ID of a registered application, or without O(azure_client_secret) of an identity that is assigned to the
        machine.
      - If unset, C(azure-identity) finds an identity as the Azure CLI does.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AZURE_CLIENT_ID).
    type: str
  azure_client_secret:
    description:
      - Secret of the registered application. It is sent to Azure only.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AZURE_CLIENT_SECRET).
    type: str
  azure_resource:
    description:
      - The resource that the server's role expects the token to be for.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AZURE_RESOURCE).
    type: str
    default: https://management.azure.com/
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
  jwt_audience:
    env:
      - name: ANSIBLE_HASHI_VAULT_JWT_AUDIENCE
    ini:
      - section: hashi_vault_collection
        key: jwt_audience
    vars:
      - name: ansible_hashi_vault_jwt_audience
  kubernetes_token_path:
    env:
      - name: ANSIBLE_HASHI_VAULT_KUBERNETES_TOKEN_PATH
    ini:
      - section: hashi_vault_collection
        key: kubernetes_token_path
    vars:
      - name: ansible_hashi_vault_kubernetes_token_path
  aws_profile:
    env:
      - name: ANSIBLE_HASHI_VAULT_AWS_PROFILE
    ini:
      - section: hashi_vault_collection
        key: aws_profile
    vars:
      - name: ansible_hashi_vault_aws_profile
  aws_access_key:
    env:
      - name: ANSIBLE_HASHI_VAULT_AWS_ACCESS_KEY
    vars:
      - name: ansible_hashi_vault_aws_access_key
  aws_secret_key:
    env:
      - name: ANSIBLE_HASHI_VAULT_AWS_SECRET_KEY
    vars:
      - name: ansible_hashi_vault_aws_secret_key
  aws_security_token:
    env:
      - name: ANSIBLE_HASHI_VAULT_AWS_SECURITY_TOKEN
    vars:
      - name: ansible_hashi_vault_aws_security_token
  region:
    env:
      - name: ANSIBLE_HASHI_VAULT_REGION
    ini:
      - section: hashi_vault_collection
        key: region
    vars:
      - name: ansible_hashi_vault_region
  aws_iam_server_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_AWS_IAM_SERVER_ID
    ini:
      - section: hashi_vault_collection
        key: aws_iam_server_id
    vars:
      - name: ansible_hashi_vault_aws_iam_server_id
  azure_tenant_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_TENANT_ID
    ini:
      - section: hashi_vault_collection
        key: azure_tenant_id
    vars:
      - name: ansible_hashi_vault_azure_tenant_id
  azure_client_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_CLIENT_ID
    ini:
      - section: hashi_vault_collection
        key: azure_client_id
    vars:
      - name: ansible_hashi_vault_azure_client_id
  azure_client_secret:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_CLIENT_SECRET
    vars:
      - name: ansible_hashi_vault_azure_client_secret
  azure_resource:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_RESOURCE
    ini:
      - section: hashi_vault_collection
        key: azure_resource
    vars:
      - name: ansible_hashi_vault_azure_resource
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
