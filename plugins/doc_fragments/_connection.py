# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the connection. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - URL of the server, for example V(https://vault.example.com:8200).
      - For a cluster, the URLs of its members, as a list or separated by commas. If one is down or sealed, the next is
        tried.
      - An agent, a proxy or a server that listens at a Unix socket has a URL such as V(unix:///run/bao/agent.sock).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_ADDR), E(BAO_AGENT_ADDR), E(VAULT_AGENT_ADDR), E(BAO_ADDR) or
        E(VAULT_ADDR).
    type: raw
  namespace:
    description:
      - Namespace to use.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_NAMESPACE), E(BAO_NAMESPACE) or E(VAULT_NAMESPACE).
    type: str
  auth_namespace:
    description:
      - Namespace of the auth method, if it is not O(namespace). V(/) is the root namespace.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_AUTH_NAMESPACE).
    type: str
  ca_cert:
    description:
      - Path of the CA certificates to verify the server's certificate with, a file or a directory.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CA_CERT), E(BAO_CACERT) or E(VAULT_CACERT).
    type: str
    aliases:
      - cacert
  ca_cert_bytes:
    description:
      - CA certificates to verify the server's certificate with, as PEM text. Ignored if O(ca_cert) is set.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CA_CERT_BYTES), E(BAO_CACERT_BYTES) or E(VAULT_CACERT_BYTES).
    type: str
  ca_path:
    description:
      - Path of a directory of files with CA certificates, or of a file. Ignored if O(ca_cert) or
        O(ca_cert_bytes) is set.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CA_PATH), E(BAO_CAPATH), E(VAULT_CAPATH), E(SSL_CERT_FILE) and
        E(SSL_CERT_DIR). Of the last two, both count.
      - If none of these options is set, the CA certificates of the system are used.
    type: str
  client_cert:
    description:
      - Path of the client certificate for a listener that asks for one, with any O(auth_method).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CLIENT_CERT), E(BAO_CLIENT_CERT) or E(VAULT_CLIENT_CERT).
    type: str
  client_key:
    description:
      - Path of the private key of O(client_cert), without a password.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CLIENT_KEY), E(BAO_CLIENT_KEY) or E(VAULT_CLIENT_KEY).
    type: str
  client_cert_bytes:
    description:
      - The client certificate as PEM text. Ignored if O(client_cert) is set.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CLIENT_CERT_BYTES), E(BAO_CLIENT_CERT_BYTES) or
        E(VAULT_CLIENT_CERT_BYTES). The last two count on the machine that has them.
    type: str
  client_key_bytes:
    description:
      - The private key of O(client_cert_bytes) as PEM text, without a password. It is never written to a file.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CLIENT_KEY_BYTES), E(BAO_CLIENT_KEY_BYTES) or
        E(VAULT_CLIENT_KEY_BYTES). The last two count on the machine that has them.
    type: str
  tls_server_name:
    description:
      - Name that the server's certificate must be for, if it is not the one in O(url).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TLS_SERVER_NAME), E(BAO_TLS_SERVER_NAME) or E(VAULT_TLS_SERVER_NAME).
    type: str
  validate_certs:
    description:
      - Whether to verify the server's certificate, also for logins. Certificates are verified by default.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_VALIDATE_CERTS).
      - If unset, E(BAO_SKIP_VERIFY) or E(VAULT_SKIP_VERIFY) turn verification off when their value is V(true) or V(1).
    type: bool
  timeout:
    description:
      - Seconds in which a response must be complete, and the longest pause before a retry. Defaults to V(30).
      - Also a duration such as V(90s) or V(500ms). V(0) means the default.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TIMEOUT), E(BAO_CLIENT_TIMEOUT) or E(VAULT_CLIENT_TIMEOUT).
    type: raw
  retries:
    description:
      - How often to retry when the connection is lost, or the server is busy, not ready, or limits the rate of
        requests. One attempt at all members of a cluster counts once.
      - A cluster takes a few seconds to elect a new active node. V(6) waits for 21 seconds or more in total.
      - A number, which waits as long as the server's own client (1 to 1.5 seconds, and as much longer before each
        further retry), or a dictionary of arguments for C(urllib3.util.Retry). By default, nothing is retried.
      - An operation that must not happen twice, such as a rotation, is only sent again if it was certainly not carried
        out. If its response is lost, the active node is asked first.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_RETRIES), E(BAO_MAX_RETRIES) or E(VAULT_MAX_RETRIES).
    type: raw
  retry_action:
    description:
      - Whether to warn about each retry.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_RETRY_ACTION).
    type: str
    choices:
      - ignore
      - warn
    default: warn
  rate_limit:
    description:
      - Send at most this many requests for each second, or at most that many with a burst, such as V(10:20).
      - By default, or with V(0), there is no limit.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_RATE_LIMIT), E(BAO_RATE_LIMIT) or E(VAULT_RATE_LIMIT).
    type: str
  proxies:
    description:
      - URL of a proxy for all requests, or a dictionary of URL scheme to proxy URL.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_PROXIES), E(BAO_PROXY_ADDR), E(VAULT_PROXY_ADDR), E(BAO_HTTP_PROXY) or
        E(VAULT_HTTP_PROXY).
    type: raw
"""

    PLUGINS = r"""
options:
  url:
    env:
      - name: ANSIBLE_HASHI_VAULT_ADDR
    ini:
      - section: hashi_vault_collection
        key: url
    vars:
      - name: ansible_hashi_vault_url
      - name: ansible_hashi_vault_addr
  namespace:
    env:
      - name: ANSIBLE_HASHI_VAULT_NAMESPACE
    ini:
      - section: hashi_vault_collection
        key: namespace
    vars:
      - name: ansible_hashi_vault_namespace
  auth_namespace:
    env:
      - name: ANSIBLE_HASHI_VAULT_AUTH_NAMESPACE
    ini:
      - section: hashi_vault_collection
        key: auth_namespace
    vars:
      - name: ansible_hashi_vault_auth_namespace
  ca_cert:
    env:
      - name: ANSIBLE_HASHI_VAULT_CA_CERT
    ini:
      - section: hashi_vault_collection
        key: ca_cert
    vars:
      - name: ansible_hashi_vault_ca_cert
  ca_cert_bytes:
    env:
      - name: ANSIBLE_HASHI_VAULT_CA_CERT_BYTES
    ini:
      - section: hashi_vault_collection
        key: ca_cert_bytes
    vars:
      - name: ansible_hashi_vault_ca_cert_bytes
  ca_path:
    env:
      - name: ANSIBLE_HASHI_VAULT_CA_PATH
    ini:
      - section: hashi_vault_collection
        key: ca_path
    vars:
      - name: ansible_hashi_vault_ca_path
  client_cert:
    env:
      - name: ANSIBLE_HASHI_VAULT_CLIENT_CERT
    ini:
      - section: hashi_vault_collection
        key: client_cert
    vars:
      - name: ansible_hashi_vault_client_cert
  client_key:
    env:
      - name: ANSIBLE_HASHI_VAULT_CLIENT_KEY
    ini:
      - section: hashi_vault_collection
        key: client_key
    vars:
      - name: ansible_hashi_vault_client_key
  client_cert_bytes:
    env:
      - name: ANSIBLE_HASHI_VAULT_CLIENT_CERT_BYTES
    ini:
      - section: hashi_vault_collection
        key: client_cert_bytes
    vars:
      - name: ansible_hashi_vault_client_cert_bytes
  client_key_bytes:
    env:
      - name: ANSIBLE_HASHI_VAULT_CLIENT_KEY_BYTES
    vars:
      - name: ansible_hashi_vault_client_key_bytes
  tls_server_name:
    env:
      - name: ANSIBLE_HASHI_VAULT_TLS_SERVER_NAME
    ini:
      - section: hashi_vault_collection
        key: tls_server_name
    vars:
      - name: ansible_hashi_vault_tls_server_name
  validate_certs:
    env:
      - name: ANSIBLE_HASHI_VAULT_VALIDATE_CERTS
    vars:
      - name: ansible_hashi_vault_validate_certs
  timeout:
    env:
      - name: ANSIBLE_HASHI_VAULT_TIMEOUT
    ini:
      - section: hashi_vault_collection
        key: timeout
    vars:
      - name: ansible_hashi_vault_timeout
  retries:
    env:
      - name: ANSIBLE_HASHI_VAULT_RETRIES
    ini:
      - section: hashi_vault_collection
        key: retries
    vars:
      - name: ansible_hashi_vault_retries
  retry_action:
    env:
      - name: ANSIBLE_HASHI_VAULT_RETRY_ACTION
    ini:
      - section: hashi_vault_collection
        key: retry_action
    vars:
      - name: ansible_hashi_vault_retry_action
  rate_limit:
    env:
      - name: ANSIBLE_HASHI_VAULT_RATE_LIMIT
    ini:
      - section: hashi_vault_collection
        key: rate_limit
    vars:
      - name: ansible_hashi_vault_rate_limit
  proxies:
    env:
      - name: ANSIBLE_HASHI_VAULT_PROXIES
    ini:
      - section: hashi_vault_collection
        key: proxies
    vars:
      - name: ansible_hashi_vault_proxies
"""
