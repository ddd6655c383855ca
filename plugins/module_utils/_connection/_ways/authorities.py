# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Which CA certificates options and variables name, in the order of the server's own client. Pure. **Private**."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import set_in

# Not settings of a run: another machine has others.
AUTHORITIES_OF_THE_MACHINE = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Authorities(NamedTuple):
    """What to trust. The fields are those of a connection.

    Attributes:
        option: the one that names the path in ``verify``.
    """

    verify: bool | str = True
    option: str = ""
    text: str = ""
    beside: tuple[tuple[str, str], ...] = ()
    of_machine: tuple[tuple[str, str], ...] = ()


def authorities_from(values: Mapping[str, Any], environment: Mapping[str, str]) -> Authorities:
    """What the values of options name, with all that variables name: the server's own client reads them together.

    An option, or a variable of Ansible's, names the only ones that are trusted.
    """
    if values["validate_certs"] is False:
        return Authorities(verify=False)
    file, folders = (set_in(environment, name) for name in AUTHORITIES_OF_THE_MACHINE)
    of_machine = _pairs(file, folders)
    option, path, text = _first(values)
    if path and path in (file, folders):
        return Authorities(of_machine=of_machine)
    named = {name: _of_client(environment, name) for name in ("CACERT", "CACERT_BYTES", "CAPATH")}
    if not (text or path) or (text or path) not in (value for _variable, value in named.values()):
        return Authorities(path or True, option, text)
    variable, folder = named["CAPATH"]
    beside = ((f"ca_path ({variable})", folder),) if folder and folder != path else ()
    return Authorities(path or True, option, text, beside, of_machine)


def _first(values: Mapping[str, Any]) -> tuple[str, str, str]:
    """The option that names a path and the path, or the text."""
    if values["ca_cert"]:
        return "ca_cert", str(values["ca_cert"]), ""
    if values["ca_cert_bytes"]:
        return "", "", str(values["ca_cert_bytes"])
    return "ca_path", str(values["ca_path"] or ""), ""


def _pairs(file: str, folders: str) -> tuple[tuple[str, str], ...]:
    of_file, of_folders = AUTHORITIES_OF_THE_MACHINE
    return tuple(
        (name, path) for name, paths in ((of_file, [file]), (of_folders, folders.split(":"))) for path in paths if path
    )


def _of_client(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """The variable of OpenBao's that is set, or else Vault's, and its value."""
    variable = f"BAO_{name}" if set_in(environment, f"BAO_{name}") else f"VAULT_{name}"
    return variable, set_in(environment, variable)
