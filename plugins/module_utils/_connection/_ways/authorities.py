# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Which CA certificates options and variables name, in the order of the server's own client. Pure. **Private**."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import set_in

# Not settings of a run: another machine has others.
AUTHORITIES_OF_THE_MACHINE = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Authorities(NamedTuple):
    """What to trust. The fields are those of a connection."""

    verify: bool | str = True
    text: str = ""
    beside: tuple[str, ...] = ()
    of_machine: tuple[tuple[str, str], ...] = ()


def authorities_from(values: Mapping[str, Any], environment: Mapping[str, str]) -> Authorities:
    """What the values of options name, with all that variables name: the server's own client reads them together.

    An option, or a variable of Ansible's, names the only ones that are trusted.
    """
    if values["validate_certs"] is False:
        return Authorities(verify=False)
    file, folders = (set_in(environment, name) for name in AUTHORITIES_OF_THE_MACHINE)
    of_machine = _pairs(file, folders)
    path, text = _first(values)
    if path and path in (file, folders):
        return Authorities(of_machine=of_machine)
    named = {name: _of_client(environment, name) for name in ("CACERT", "CACERT_BYTES", "CAPATH")}
    if not (text or path) or (text or path) not in named.values():
        return Authorities(path or True, text)
    beside = (named["CAPATH"],) if named["CAPATH"] and named["CAPATH"] != path else ()
    return Authorities(path or True, text, beside, of_machine)


def _first(values: Mapping[str, Any]) -> tuple[str, str]:
    """The path, or the text."""
    if values["ca_cert"]:
        return str(values["ca_cert"]), ""
    if values["ca_cert_bytes"]:
        return "", str(values["ca_cert_bytes"])
    return str(values["ca_path"] or ""), ""


def _pairs(file: str, folders: str) -> tuple[tuple[str, str], ...]:
    of_file, of_folders = AUTHORITIES_OF_THE_MACHINE
    return tuple(
        (name, path) for name, paths in ((of_file, [file]), (of_folders, folders.split(":"))) for path in paths if path
    )


def _of_client(environment: Mapping[str, str], name: str) -> str:
    """The value of a variable of OpenBao's, or else of Vault's."""
    return set_in(environment, f"BAO_{name}") or set_in(environment, f"VAULT_{name}")
