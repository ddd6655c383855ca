# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The texts of errors of TLS and its files. They show of a library's text only known signs. Pure. **Private**."""

from __future__ import annotations

from typing import Sequence


def tls_problem(
    text: str,
    server_name: str = "",
    lost: Sequence[tuple[str, str]] = (),
    host: str = "",
    certificate: tuple[str, str] = ("", ""),
) -> str:
    """Why a TLS connection could not be made, by signs in the library's text.

    Args:
        server_name: the name that the certificate must have, if it was set.
        lost: variables of the machine and their paths that lead to no CA certificates.
        host: the name of this machine. A module may run on another one than the controller.
        certificate: what names the client certificate, with its path, and its fault; empty without one.
    """
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text or "record layer failure" in text:
        return "it does not use TLS. Start url with http://, or correct the port."
    if is_unverified(text):
        reason = text.rpartition("certificate verify failed:")[2].partition("(_ssl")[0].strip(" :()'\"")[:200]
        if "mismatch" in reason or "doesn't match" in text:
            return (
                f"its TLS certificate could not be verified: it is for another name ({reason or 'name mismatch'}). "
                + (
                    f"Correct tls_server_name '{server_name}' (BAO_TLS_SERVER_NAME, VAULT_TLS_SERVER_NAME)."
                    if server_name
                    else "Use a name of the certificate in url, or set tls_server_name (BAO_TLS_SERVER_NAME, "
                    "VAULT_TLS_SERVER_NAME) to one."
                )
            )
        if "expired" in reason or "not yet valid" in reason:
            return f"its TLS certificate could not be verified ({reason}). Renew it, and check the clocks."
        if "purpose" in reason:
            return (
                f"its TLS certificate could not be verified: it is not for servers ({reason}). Give the listener a "
                "certificate whose extended key usage has serverAuth."
            )
        return (
            f"its TLS certificate could not be verified ({reason}). "
            f"{_without_authorities(lost, host)}"
            "Set ca_cert (BAO_CACERT, VAULT_CACERT) to the certificate of the CA that signed it."
        )
    if "protocol version" in text.lower():
        return "the server does not accept the versions of TLS that this machine offers."
    # A server that wants a certificate says so, but what it says may come too late to be read.
    if "certificate required" in text.lower() or "alert" in text.lower() or "EOF occurred" in text:
        return f"the server ended the TLS connection: {unwelcome(certificate, host)}"
    return "the TLS handshake failed."


def is_unverified(text: str) -> bool:
    """Whether a library's text says that the certificate of a server could not be verified."""
    return "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text


def damaged(place: str, numbers: Sequence[int], host: str) -> str:
    """
    Args:
        place: what gives the certificates, with their path.
        numbers: of those that cannot be read, counted from 1.
    """
    plural = "s" if len(numbers) > 1 else ""
    shown = ", ".join(map(str, numbers))
    return f"Certificate{plural} {shown} of {place} on {host} cannot be read, and {'are' if plural else 'is'} left out."


def unwelcome(certificate: tuple[str, str], host: str) -> str:
    """What a server may not like that ends a connection.

    Args:
        certificate: what names the client certificate, with its path, and its fault; empty without one.
    """
    named, fault = certificate
    if named:
        return (
            f"it may reject the client certificate of {named} on {host}{_which(fault)}. Use one that is valid, is for "
            "clients, and is of a CA that the listener trusts (tls_client_ca_file)."
        )
    return (
        "it may require a client certificate. Set client_cert and client_key (BAO_CLIENT_CERT and BAO_CLIENT_KEY, "
        "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY)."
    )


def suspects_of_login(certificate: tuple[str, str], host: str) -> str:
    """What to check where a server refuses the login with a client certificate."""
    named, fault = certificate
    return (
        f"the client certificate of {named} on {host}{_which(fault)}: it must be valid, be for clients, and be of a CA "
        "that a role of the auth method trusts. Check also mount_point and role_id"
    )


def _which(fault: str) -> str:
    return f", which {fault}" if fault else ""


def _without_authorities(lost: Sequence[tuple[str, str]], host: str) -> str:
    return f"There are no CA certificates on {host} at {_places(lost)}. " if lost else ""


def no_authorities(lost: Sequence[tuple[str, str]], host: str) -> str:
    """
    Args:
        lost: variables of the machine and their paths.
    """
    return f"{_without_authorities(lost, host)}Correct them, or set ca_cert (BAO_CACERT)."


def _places(named: Sequence[tuple[str, str]]) -> str:
    return " and ".join(f"{name} ({path})" for name, path in named)


def missing(source: str, path: str, host: str) -> str:
    """
    Args:
        source: the option that gives the path, with the variable that sets it.
    """
    return f"{source} {path} does not exist on {host}"


def unreadable_ca(source: str, path: str, host: str) -> str:
    return f"{source} {path} is not a readable file of PEM certificates on {host}"


CA_DATA = "ca_cert_bytes (BAO_CACERT_BYTES, VAULT_CACERT_BYTES)"
UNREADABLE_CA_DATA = f"{CA_DATA} is not a text of PEM certificates"


def unreadable_certificate(certificate: tuple[str, str], key: tuple[str, str], host: str, error: OSError) -> str:
    """Why a client certificate cannot be used on this machine, by the library's error.

    Args:
        certificate: what gives it, and its path, which is empty for a text.
        key: the same of its key.
    """
    of_certificate, of_key = " ".join(certificate).rstrip(), " ".join(key).rstrip()
    if "KEY_VALUES_MISMATCH" in str(error) or "key values mismatch" in str(error):
        return f"{of_key} is not the key of {of_certificate} on {host}. Set both to one pair. Check: mlkeys doctor"
    return f"{of_certificate} and {of_key} on {host} are not a readable PEM certificate and its key without a password"
