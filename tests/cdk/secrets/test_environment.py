# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which variables a program gets."""

from __future__ import annotations

import pytest

from mlkeys._commands.secrets.environment import (
    check_files,
    check_unused,
    inherited,
    is_credential,
    pairs,
    same_values,
    text_of,
    variables,
)
from mlkeys._commands.secrets.run import login_variables
from mlkeys._errors import MlkeysError
from mlkeys._system import collection


@pytest.mark.parametrize(
    ("template", "variable"),
    [
        ("{NAME}", "HF_TOKEN"),
        ("{name}", "hf_token"),
        ("APP_{NAME}", "APP_HF_TOKEN"),
        ("TF_VAR_{name}", "TF_VAR_hf_token"),
    ],
)
def test_the_template_names_variables(template: str, variable: str) -> None:
    assert variables(["hf_token"], template, {}) == {"hf_token": variable}


def test_a_given_variable_wins() -> None:
    assert variables(["a", "b"], "{NAME}", {"a": "OTHER"}) == {"a": "OTHER", "b": "B"}


@pytest.mark.parametrize(
    ("names", "template", "given", "words"),
    [
        (["a"], "APP", {}, "must contain"),
        (["a"], "1{name}", {}, "'1a', for the secret 'a', is not a name"),
        (["a"], "{name}", {"a": "A B"}, "'A B', for the secret 'a', is not a name"),
        (["a", "A"], "{NAME}", {}, "Two secrets would be in A: a and A. Set another one with --env A=VARIABLE."),
        (["a", "b"], "{name}", {"b": "a"}, "Two secrets would be in a"),
    ],
)
def test_names_that_no_variable_can_have_or_two_would_have(
    names: list[str], template: str, given: dict[str, str], words: str
) -> None:
    with pytest.raises(MlkeysError, match=words):
        variables(names, template, given)


@pytest.mark.parametrize(
    ("files", "given", "words"),
    [
        ({"a": "X", "b": "X"}, {}, "Two secrets would be in X: a and b. Set another place with --file b=VARIABLE."),
        ({"a": "/run/x", "b": "/run//x"}, {}, "Two secrets would be in /run//x: a and b."),
        ({"a": "X"}, {"b": "X"}, "Two secrets would be in X: a and b. Set another one with --env b=VARIABLE."),
        ({"a": "B"}, {}, "Two secrets would be in B: a and b. Set another one with --env b=VARIABLE."),
        ({"a": "X"}, {"a": "Y"}, "'a' has both --file and --env. Give one of them."),
        ({"a": "key.json"}, {}, "'key.json', for the secret 'a', is not a name for a variable. .* write ./key.json."),
        ({"a": "./B"}, {}, None),
        ({"a": "A"}, {"b": "Y"}, None),
    ],
)
def test_no_file_takes_the_place_of_another_secret(
    files: dict[str, str], given: dict[str, str], words: str | None
) -> None:
    def decided() -> dict[str, str]:
        check_files(files, given)
        return variables([name for name in ("a", "b") if name not in files], "{NAME}", given, files)

    if words is None:
        assert decided() == {"b": given.get("b", "B")}
        return
    with pytest.raises(MlkeysError, match=words):
        decided()


@pytest.mark.parametrize("text", ["a", "a=", "=b", ""])
def test_a_pair_has_two_sides(text: str) -> None:
    with pytest.raises(MlkeysError, match=r"must have the form NAME=VARIABLE\."):
        pairs([text], "--env")
    with pytest.raises(MlkeysError, match=r"must have the form NAME=VARIABLE or NAME=PATH\."):
        pairs([text], "--file")


def test_the_first_sign_separates_name_and_value() -> None:
    assert pairs(["a=b=c", "d=e"], "--env") == {"a": "b=c", "d": "e"}
    with pytest.raises(MlkeysError, match="--env names 'a' twice"):
        pairs(["a=b", "a=c"], "--env")


OUTER = {
    "PATH": "/bin",
    "LC_ALL": "C",
    "EDITOR": "vi",
    "BAO_TOKEN": "t",
    "BAO_ADDR": "http://127.0.0.1",
    "BAO_CACERT": "/ca.pem",
    "HTTPS_PROXY": "http://proxy",
    "ANSIBLE_HASHI_VAULT_ROLE_ID": "r",
    "VAULT_DEV_ROOT_TOKEN_ID": "t",
    "MLKEYS_AGE_IDENTITY": "t",
}
LOGIN = ["BAO_TOKEN", "ANSIBLE_HASHI_VAULT_ROLE_ID"]


@pytest.mark.parametrize(
    ("all_of_it", "keep_login", "names"),
    [
        (True, False, {"PATH", "LC_ALL", "EDITOR", "BAO_ADDR", "BAO_CACERT", "HTTPS_PROXY"}),
        (True, True, set(OUTER)),
        (False, False, {"PATH", "LC_ALL"}),
        (False, True, {"PATH", "LC_ALL", "BAO_ADDR", "BAO_CACERT", "HTTPS_PROXY", *LOGIN}),
    ],
)
def test_what_a_program_inherits(all_of_it: bool, keep_login: bool, names: set[str]) -> None:
    assert (
        set(inherited(OUTER, LOGIN, [], [*LOGIN, "BAO_ADDR", "BAO_CACERT"], all_of_it=all_of_it, keep_login=keep_login))
        == names
    )


def test_a_login_under_another_name_is_found() -> None:
    outer = {"BAO_TOKEN": "hvs.a-token", "CI_TOKEN": "hvs.a-token", "USER": "root", "VAULT_TOKEN": "root", "OTHER": "x"}
    assert same_values(outer, ["BAO_TOKEN", "VAULT_TOKEN", "ANSIBLE_HASHI_VAULT_JWT"]) == {"BAO_TOKEN", "CI_TOKEN"}


def test_a_variable_cannot_hold_a_nul_byte() -> None:
    assert text_of("a", b"\xff") == b"\xff"
    with pytest.raises(MlkeysError, match=r"'a' holds a NUL byte, .* Use --file a=VARIABLE"):
        text_of("a", b"x\0y")


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("https://user:p@ss@vault:8200", "https://vault:8200"),
        ("https://a:b@one:8200,http://c@two/v1", "https://one:8200,http://two/v1"),
        ('{"https": "http://u:p@proxy:3128"}', '{"https": "http://proxy:3128"}'),
        ("user:password@vault:8200", "vault:8200"),
        ("https://vault:8200/a@b", "https://b"),
        ("unix:///run/bao.sock", "unix:///run/bao.sock"),
        ("", ""),
    ],
)
def test_an_address_has_no_user_and_password(address: str, left: str) -> None:
    outer = {"BAO_ADDR": address, "OTHER": address}
    assert inherited(outer, [], ["BAO_ADDR"], [], all_of_it=True, keep_login=False) == {
        "BAO_ADDR": left,
        "OTHER": address,
    }
    assert inherited(outer, [], ["BAO_ADDR"], [], all_of_it=True, keep_login=True) == outer


def test_every_credential_that_the_options_read_is_left_out() -> None:
    collection.load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

    login, addresses = login_variables()
    assert {"VAULT_TOKEN", "BAO_TOKEN", "ANSIBLE_HASHI_VAULT_JWT", "ANSIBLE_HASHI_VAULT_USERNAME"} <= login
    # With these a job of CI could log in as well.
    assert {"VAULT_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ANSIBLE_HASHI_VAULT_AWS_SECRET_KEY"} <= login
    assert {"BAO_CLIENT_KEY_BYTES", "VAULT_CLIENT_CERT_BYTES"} <= login
    # These are the program's account at its cloud.
    assert not {"AWS_REGION", "AWS_SECRET_KEY", "EC2_ACCESS_KEY", "HOME"} & login
    assert {"VAULT_ADDR", "BAO_AGENT_ADDR", "VAULT_HTTP_PROXY"} <= addresses
    assert "HOME" not in login | addresses
    late = {name for option in OPTIONS if option.of_machine for name in option.late}
    of_programs = {name for name in late if not name.startswith(("BAO_", "VAULT_"))}
    known = {name for option in OPTIONS for name in option.all_environment} - of_programs
    # Each one that is left is none: it names the server, or how to reach it.
    words = ("TOKEN", "PASSWORD", "SECRET", "JWT", "ROLE_ID", "USERNAME", "KEY")
    kept = inherited(dict.fromkeys(known, ""), login, addresses, known, all_of_it=True, keep_login=False)
    assert {name for name in kept if any(word in name for word in words)} == {
        *("ANSIBLE_HASHI_VAULT_TOKEN_PATH", "ANSIBLE_HASHI_VAULT_TOKEN_VALIDATE", "ANSIBLE_HASHI_VAULT_TOKEN_REVOKE"),
        "ANSIBLE_HASHI_VAULT_JWT_AUDIENCE",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("VAULT_TOKEN", True), ("OPENBAO_TOKEN", True), ("BAO_DEV_ROOT_TOKEN_ID", True), ("VAULT_SECRET_ID", True)),
        *(("MLKEYS_SESSION", True), ("MLKEYS_GPG_PASSPHRASE", True), ("ANSIBLE_HASHI_VAULT_APPROLE_SECRET", True)),
        *(("VAULT_ADDR", False), ("GITHUB_TOKEN", False), ("BAO_NAMESPACE", False), ("MYVAULT_TOKEN", False)),
    ],
)
def test_less_usual_credentials_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_credential(name) is expected


@pytest.mark.parametrize(
    ("name", "template"), [("ld_preload", "{NAME}"), ("LD_AUDIT", "{name}"), ("env", "BASH_{NAME}")]
)
def test_a_name_in_a_file_does_not_decide_what_code_runs(name: str, template: str) -> None:
    with pytest.raises(MlkeysError, match=rf"decides what code .* with --only, or .* --env {name}=VARIABLE\."):
        variables([name], template, {})
    # The user may.
    assert variables([name], template, {name: "LD_PRELOAD"}) == {name: "LD_PRELOAD"}


@pytest.mark.parametrize(
    ("variable", "keep_login", "problem"),
    [
        ("TZ", False, "TZ is set in your environment"),
        ("user", False, "user is set in your environment"),
        ("TZ2", False, ""),
        ("OPENAI_API_KEY", False, ""),
        ("AWS_ACCESS_KEY_ID", False, ""),
        *((name, True, "where the login goes") for name in ("BAO_ADDR", "vault_token", "https_proxy", "SSL_CERT_FILE")),
        *((name, False, "") for name in ("BAO_TOKEN", "VAULT_TOKEN", "HTTPS_PROXY", "SSL_CERT_FILE")),
        ("OPENAI_API_KEY", True, ""),
    ],
)
def test_a_name_in_a_file_does_not_replace_what_the_user_has_set(variable: str, keep_login: bool, problem: str) -> None:
    outer = ["TZ", "user", "OPENAI_API_KEY", "AWS_ACCESS_KEY_ID"]
    check_unused({"s": variable}, {"s": variable}, outer, keep_login=keep_login)
    if problem:
        with pytest.raises(MlkeysError, match=rf"{problem}.* with --only, or .* --env s=VARIABLE\."):
            check_unused({"s": variable}, {}, outer, keep_login=keep_login)
    else:
        check_unused({"s": variable}, {}, outer, keep_login=keep_login)
