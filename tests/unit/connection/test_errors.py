# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which error and message each response of the server becomes."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import errors, messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.addresses import Place
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.tls_messages import tls_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    ItemsFailed,
    LibraryMissing,
    MountNotFound,
    NamespaceNotFound,
    NotFound,
    NotReady,
    PermissionDenied,
    ServerError,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.messages import from_answer

POLICY = "1 error occurred:\n\t* permission denied\n\n"

BAD_TOKEN = (
    "The server does not accept the token: it is wrong, expired, revoked, used up, or bound to other networks. Refused "
    "at 'transit/keys/ml'; log in again or give another token."
)


def denied(capability: str) -> str:
    return (
        f"Permission denied: the token's policies do not grant the capability '{capability}' on 'transit/keys/ml'. The "
        "server answers the same when the engine or the key in that path does not exist."
    )


def limited(words: str) -> str:
    return f"The server's rate limit was exceeded at 'transit/keys/ml': {words}. Try again later, or set retries."


def not_ready(words: str) -> str:
    return (
        f"The server is not ready for 'transit/keys/ml': {words}. Unseal it (bao operator unseal, vault operator "
        "unseal), or wait until a node is active."
    )


NO_NAMESPACE = (
    "The namespace 'team-a' does not exist on this server. Check namespace (or BAO_NAMESPACE, VAULT_NAMESPACE)."
)
NO_MOUNT = "No secrets engine is mounted for 'transit/keys/ml'. Enable it, or correct the engine's path."
NO_KEY = "The key for 'transit/keys/ml' does not exist."


def refused(status: int, words: str) -> str:
    return f"The server refused 'transit/keys/ml' (HTTP {status}). The server said: {words}."


@pytest.mark.parametrize(
    ("method", "status", "reasons", "kind", "message"),
    [
        ("GET", 403, ["permission denied"], Unauthenticated, BAD_TOKEN),
        (
            "GET",
            403,
            ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"],
            Unauthenticated,
            BAD_TOKEN,
        ),
        ("GET", 403, [POLICY], PermissionDenied, denied("read")),
        ("LIST", 403, [POLICY], PermissionDenied, denied("list")),
        ("POST", 403, [POLICY], PermissionDenied, denied("update")),
        ("DELETE", 403, [POLICY], PermissionDenied, denied("delete")),
        ("GET", 403, [], PermissionDenied, denied("read")),
        ("GET", 404, [], NotFound, "There is nothing at 'transit/keys/ml'."),
        ("GET", 404, ['no handler for route "transit/keys/ml". route entry not found.'], MountNotFound, NO_MOUNT),
        ("GET", 400, ["No secret engine mount at transit/"], MountNotFound, NO_MOUNT),
        ("GET", 400, ['cannot fetch sysview for path "transit/"'], MountNotFound, NO_MOUNT),
        ("GET", 404, ["namespace not found"], NamespaceNotFound, NO_NAMESPACE),
        (
            "GET",
            404,
            ["1 error occurred:\n\t* unsupported path\n\n"],
            NotFound,
            "There is nothing at 'transit/keys/ml'. The server said: unsupported path.",
        ),
        (
            "POST",
            405,
            ["1 error occurred:\n\t* unsupported operation\n\n"],
            ServerError,
            refused(405, "unsupported operation"),
        ),
        ("POST", 400, ["encryption key not found"], NotFound, NO_KEY),
        ("POST", 400, ["signing key not found"], NotFound, NO_KEY),
        ("POST", 400, ["no existing key named ml could be found"], NotFound, NO_KEY),
        ("POST", 400, ["key not found"], NotFound, NO_KEY),
        ("DELETE", 400, ["error deleting policy ml: could not delete key; not found"], NotFound, NO_KEY),
        (
            "POST",
            400,
            ["unknown key type nonsense"],
            ServerError,
            refused(400, "unknown key type nonsense"),
        ),
        (
            "POST",
            400,
            ["path is already in use at transit/"],
            ServerError,
            refused(400, "path is already in use at transit/"),
        ),
        ("POST", 413, ["http: request body too large"], ServerError, refused(413, "http: request body too large")),
        (
            "POST",
            429,
            ['request path "transit/keys/ml": rate limit quota exceeded'],
            ServerError,
            limited('request path "transit/keys/ml": rate limit quota exceeded'),
        ),
        (
            "GET",
            429,
            [],
            ServerError,
            limited("too many requests"),
        ),
        (
            "POST",
            500,
            ["exporting is disallowed on the policy"],
            ServerError,
            refused(500, "exporting is disallowed on the policy"),
        ),
        (
            "POST",
            500,
            ["local node not active but active cluster node not found"],
            NotReady,
            not_ready("local node not active but active cluster node not found"),
        ),
        (
            "GET",
            503,
            ["Vault is sealed"],
            NotReady,
            not_ready("Vault is sealed"),
        ),
        ("GET", 500, [], ServerError, "The server refused 'transit/keys/ml' (HTTP 500)."),
        ("POST", 400, ["one\n\ttwo  three.", "four."], ServerError, refused(400, "one two three.; four")),
    ],
)
def test_a_response_becomes_a_sentence(
    method: str, status: int, reasons: list[str], kind: type[ServerError], message: str
) -> None:
    error = from_answer(method, "transit/keys/ml", status, reasons, "team-a")
    assert error.__class__ is kind
    assert error.message == str(error) == message
    assert error.status == status
    assert error.reasons == tuple(reasons)


def test_the_servers_words_can_be_searched() -> None:
    error = from_answer("POST", "sys/mounts/transit", 400, ["path is already in use at transit/"])
    assert error.says("path is already in use")
    assert not error.says("sealed")


def test_an_error_lists_what_was_done_before_it() -> None:
    error = ServerError("The server refused it.", 400)
    assert error.after(()) is error
    assert not error.changed
    assert error.message == "The server refused it."
    error.after(("the key was created", "the key was rotated"))
    assert error.changed
    assert (
        error.message == str(error) == "The server refused it. Already done: the key was created, the key was rotated."
    )


def test_the_message_lists_all_reasons_against_a_change() -> None:
    error = ChangeImpossible("Key 'ml' cannot be changed as asked", ["one", "two"])
    assert error.message == "Key 'ml' cannot be changed as asked: one; two. Nothing was changed."
    assert error.reasons == ("one", "two")


@pytest.mark.parametrize(
    ("total", "failed", "message"),
    [
        (1, 1, "decrypt failed for 1 of 1 item at t/decrypt/ml: item 1: bad."),
        (3, 2, "decrypt failed for 2 of 3 items at t/decrypt/ml: item 1: bad; item 2: bad."),
        (
            12,
            12,
            "decrypt failed for 12 of 12 items at t/decrypt/ml: "
            + "".join(f"item {number}: bad; " for number in range(1, 11))
            + "and 2 more.",
        ),
    ],
)
def test_failed_items_are_named_and_counted(total: int, failed: int, message: str) -> None:
    failures = [(f"item {number + 1}", "bad") for number in range(failed)]
    error = ItemsFailed("decrypt", "t/decrypt/ml", total, failures)
    assert error.message == message
    assert error.failures == tuple(failures)


def test_a_missing_library_is_named() -> None:
    assert LibraryMissing("hvac").message == (
        "The required Python library hvac is not installed in the Python that runs this. Install it: pip install hvac; "
        "in an execution environment, add hvac to its Python dependencies."
    )


def test_the_docstring_draws_the_tree_that_there_is() -> None:
    depths = {}
    for line in (errors.__doc__ or "").splitlines():
        before, mark, after = line.partition("+- ")
        if mark:
            depths[after.split()[0]] = len(before) // 4
    classes = {
        name: len(kind.__mro__) - len(TransitError.__mro__)
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, TransitError) and kind is not TransitError
    }
    assert depths == classes


@pytest.mark.parametrize(
    "text",
    [
        "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)",
        "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)",
        "EOF occurred in violation of protocol (_ssl.c:992)",
    ],
)
def test_a_server_that_wants_a_client_certificate_is_described_in_one_way(text: str) -> None:
    found = tls_problem(text)
    assert found.startswith("the server ended the TLS connection: it may require a client certificate. Set client_cert")
    assert "client_cert and client_key (BAO_CLIENT_CERT and BAO_CLIENT_KEY" in found
    rejected = tls_problem(text, host="here", certificate=("client_cert (BAO_CLIENT_CERT) /c.pem", ""))
    assert "reject the client certificate of client_cert (BAO_CLIENT_CERT) /c.pem on here. Use one" in rejected
    assert "Set client_cert" not in rejected
    assert "client_cert" not in tls_problem("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version")


@pytest.mark.parametrize(
    ("refused", "path", "step"),
    [
        (
            ServerError("x", 500),
            "auth/approle/login",
            "Check the server's log. Check: bao status -address=https://a.test.",
        ),
        (ServerError("x", 400), "a/keys/k", "Check: bao path-help -namespace=org a/keys/k."),
        (ServerError("x", 429), "a/keys/k", "Check: bao list sys/quotas/rate-limit."),
        (NotReady("x", 503), "a/keys/k", "Check: bao status -address=https://a.test."),
        (NotFound("x", 404), "team/a/keys/k/rotate", "Check: bao list -namespace=org team/a/keys."),
        (NotFound("x", 400), "a/datakey/plaintext/k", "Check: bao list -namespace=org a/keys."),
        (NotFound("x", 404), "keys/encrypt/k", "Check: bao list -namespace=org keys/keys."),
        (NotFound("x", 404), "a/nothing", "Check: bao path-help -namespace=org a/nothing."),
        (NotFound("x", 404), "keys", "Check: bao path-help -namespace=org keys."),
        (
            PermissionDenied("x", 403),
            "a/decrypt/k",
            (
                "Policies are case-sensitive. Check: bao token capabilities -namespace=org a/decrypt/k. With a token "
                "of the namespace above: bao token capabilities -namespace=/ org/a/decrypt/k."
            ),
        ),
    ],
)
def test_a_refusal_names_the_server_and_the_command_that_shows_more(refused: ServerError, path: str, step: str) -> None:
    said = messages.next_step(refused, path, Place("https://a.test", "org"))
    assert said == f" Asked: https://a.test, namespace 'org'. {step}"


def test_a_certificate_for_clients_alone_is_not_of_an_unknown_authority() -> None:
    text = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unsuitable certificate purpose (_ssl.c:1006)"
    found = tls_problem(text)
    assert "it is not for servers (unsuitable certificate purpose). Give the listener a certificate" in found
    assert "ca_cert" not in found
