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
      - Can also be set by E(ANSIBLE_HASHI_VAULT_ADDR), E(BAO_ADDR) or E(VAULT_ADDR).
    type: raw
  namespace:
    description:
      - Namespace to use.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_NAMESPACE), E(BAO_NAMESPACE) or E(VAULT_NAMESPACE).
    type: str
  ca_cert:
    description:
      - Path of the CA certificates to verify the server's certificate with, a file or a directory.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_CA_CERT), E(BAO_CACERT) or E(VAULT_CACERT).
    type: str
    aliases:
      - cacert
  validate_certs:
    description:
      - Whether to verify the server's certificate, also for logins. Certificates are verified by default.
      - If unset, E(BAO_SKIP_VERIFY) or E(VAULT_SKIP_VERIFY) turn verification off when their value is true.
    type: bool
  timeout:
    description:
      - Seconds in which a response must be complete, and the longest pause before a retry. Defaults to V(30).
      - Can also be set by E(ANSIBLE_HASHI_VAULT_TIMEOUT).
    type: int
  retries:
    description:
      - How often to retry when the connection is lost, or the server is busy, not ready, or limits the rate of
        requests. One attempt at all members of a cluster counts once.
      - A cluster takes a few seconds to elect a new active node. V(6) waits for 18 seconds in total.
      - A number, or a dictionary of arguments for C(urllib3.util.Retry). By default, nothing is retried.
      - An operation that must not happen twice, such as a rotation, is only sent again if it was certainly not carried
        out. If its response is lost, the active node is asked first.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_RETRIES).
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
  proxies:
    description:
      - URL of a proxy for all requests, or a dictionary of URL scheme to proxy URL.
      - Can also be set by E(ANSIBLE_HASHI_VAULT_PROXIES).
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
  ca_cert:
    env:
      - name: ANSIBLE_HASHI_VAULT_CA_CERT
    ini:
      - section: hashi_vault_collection
        key: ca_cert
    vars:
      - name: ansible_hashi_vault_ca_cert
  validate_certs:
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
  proxies:
    env:
      - name: ANSIBLE_HASHI_VAULT_PROXIES
    ini:
      - section: hashi_vault_collection
        key: proxies
    vars:
      - name: ansible_hashi_vault_proxies
"""
