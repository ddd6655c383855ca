# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach the server. **Private** to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the server, for instance V(https://vault.example.com:8200).
      - Or the addresses of a cluster's members, as a list or with commas between them. When one is down or sealed, the
        next is tried.
      - Also taken from E(ANSIBLE_HASHI_VAULT_ADDR), E(BAO_ADDR) or E(VAULT_ADDR).
    type: raw
  namespace:
    description:
      - Namespace to work in.
      - Also taken from E(ANSIBLE_HASHI_VAULT_NAMESPACE), E(BAO_NAMESPACE) or E(VAULT_NAMESPACE).
    type: str
  ca_cert:
    description:
      - Path of the certificates of the authorities that the server's certificate is checked with.
      - Also taken from E(ANSIBLE_HASHI_VAULT_CA_CERT), E(BAO_CACERT) or E(VAULT_CACERT).
    type: str
    aliases:
      - cacert
  validate_certs:
    description:
      - Whether the server's certificate is checked, at the login as well. It is when nothing is said.
      - Turned off by E(BAO_SKIP_VERIFY) or E(VAULT_SKIP_VERIFY) with a clear yes in it.
    type: bool
  timeout:
    description:
      - Seconds to wait for one answer, and the longest pause before another try. V(30) when nothing is said.
      - Also taken from E(ANSIBLE_HASHI_VAULT_TIMEOUT).
    type: int
  retries:
    description:
      - How often to try again when the connection breaks, or the server says that it is busy, limited or not ready.
        Of a cluster, all members count as one try.
      - A cluster needs a few seconds for a new active node. V(6) waits for 18 of them in all.
      - A number, or a dictionary of the arguments of C(urllib3.util.Retry). None when nothing is said.
      - What must not happen twice, such as a rotation, is not sent again unless it was certainly not carried out.
        When its answer is lost, the active node is asked first.
      - Also taken from E(ANSIBLE_HASHI_VAULT_RETRIES).
    type: raw
  retry_action:
    description:
      - Whether each further try is reported.
      - Also taken from E(ANSIBLE_HASHI_VAULT_RETRY_ACTION).
    type: str
    choices:
      - ignore
      - warn
    default: warn
  proxies:
    description:
      - URL of a proxy for all requests, or a dictionary of URL scheme to proxy URL.
      - Also taken from E(ANSIBLE_HASHI_VAULT_PROXIES).
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
