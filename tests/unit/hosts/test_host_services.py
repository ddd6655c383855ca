# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a host needs, derived from the variables that describe its services."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.host import Host
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.services import described, systemd_word
from hypothesis import given
from hypothesis import strategies as st

CIPHERTEXT = "vault:v1:AAAA"
METADATA = {"format": 1, "backend": "transit", "key": "ml"}
HOST: dict[str, Any] = {
    "backend": "transit",
    "key": "ml",
    "approle": "web",
    "approle_path": "approle",
    "url": "http://127.0.0.1:8200",
    "ca_cert": "",
    "namespace": "",
    "secret_id_kept": True,
    "predicted": False,
}


def document(*names: str, path: str = "keys.transit.yml", **metadata: Any) -> dict[str, Any]:
    content = {name: f"{CIPHERTEXT}{name}=" for name in names}
    return {"path": path, "content": {**content, "_transit": {**METADATA, **metadata}}}


def described_one(documents: list[dict[str, Any]] | None = None, **service: Any) -> dict[str, Any]:
    ours = {one.name for one in fields(Host)} - {"backend", "key"}
    host = {name: service.pop(name) for name in list(service) if name in ours}
    given = {"name": "app", "command": ["/usr/bin/app"], "environment": {"A": "a"}, **service}
    files = [document("a", "b")] if documents is None else documents
    (found,) = described([given], files, Host(**{**HOST, **host}))
    return found


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def problem(documents: list[dict[str, Any]] | None = None, **service: Any) -> str:
    with pytest.raises(InvalidOption) as refused:
        described_one(documents, **service)
    return refused.value.message


def content(**values: Any) -> list[dict[str, Any]]:
    return [{"dest": "/etc/app/config.yaml", "shape": "yaml", "content": values}]


def test_by_default_an_agent_puts_the_secrets_into_the_environment() -> None:
    found = described_one(plain_environment={"PORT": 4000, "NAME": "{{ x"}, ca_cert="/etc/ca.pem", namespace="team")
    assert (found["mode"], found["user"], found["group"]) == ("agent", "app", "app")
    agent = found["agent"]
    assert 'address = "http://127.0.0.1:8200"\n  ca_cert = "/etc/ca.pem"' in agent
    assert 'namespace   = "team"' in agent
    assert 'destination          = "/run/mlkeys/app/environment"\n  perms                = "0400"' in agent
    assert "exit_after_auth = true" in agent
    assert "exec {" not in agent
    assert 'with secret \\"transit/decrypt/ml\\" \\"ciphertext=vault:v1:AAAAa=\\" \\"context=YQ==\\"' in agent
    assert '"PORT=4000\\nNAME=\'{{ \\"{\\" }}{ x\'\\nA={{' in agent
    assert "secret_id_response_wrapping_path" not in agent
    for name in ("decrypted", "written", "links", "placed"):
        assert found[name] == []
    assert found["environment_file"] == "/run/mlkeys/app/environment"


def test_a_secret_id_that_is_not_kept_is_unwrapped_by_the_agent() -> None:
    agent = described_one(secret_id_kept=False, approle_path="/machines/")["agent"]
    assert 'secret_id_file_path                 = "/etc/mlkeys/app/once/wrapping_token"' in agent
    assert 'secret_id_response_wrapping_path    = "auth/machines/role/web/secret-id"' in agent
    assert "remove_secret_id_file_after_reading = true" in agent


def test_another_login_needs_nothing_from_the_controller() -> None:
    config = {"path": "/run/jwt"}
    found = described_one(
        approle="",
        auth_method="jwt",
        auth_role="web",
        auth_config=config,
        secret_id_kept=False,
        watch=True,
        client_cert="/c.pem",
        client_key="/c.key",
        tls_server_name="v.test",
    )
    agent = found["agent"]
    assert 'type        = "jwt"\n    mount_path  = "auth/jwt"' in agent
    assert 'role                     = "web"\n      remove_jwt_after_reading = false' in agent
    for line in ("client_cert", "client_key", "tls_server_name"):
        assert f"\n  {line} " in agent.partition("auto_auth")[0]
    assert (found["has_secret_id"], found["is_used_up"]) == (False, False)
    assert found["holds"] == ["placed", "started", "agent.hcl", "fetch"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"auth_method": "ldap"}, "'ldap' is not one of approle, aws, azure, cert, gcp, jwt, kubernetes, token_file"),
        ({"auth_method": "jwt", "auth_role": "w"}, "auth_config with the auth method jwt: path is missing"),
        ({"auth_method": "kubernetes"}, "needs a role: set vault_transit_host_auth_role"),
        ({"auth_method": "cert"}, "needs vault_transit_host_client_cert and vault_transit_host_client_key"),
        ({"client_cert": "/c.pem"}, "vault_transit_host_client_cert and vault_transit_host_client_key must be set"),
        ({"auth_method": "aws", "auth_role": "w", "auth_config": {"secret_key": "K"}}, "secret_key would stand in a"),
        ({"auth_method": "gcp", "auth_role": "w", "auth_config": {"tpye": "iam"}}, "'tpye' is not one of credentials"),
        (
            {"auth_method": "token_file", "auth_config": {"token_file_path": ["x"]}},
            "must be a text, a number or a flag",
        ),
        ({"namespace": "org/team", "auth_namespace": "other"}, "of the namespace 'other' is not valid in 'org/team'"),
        ({"namespace": "organic", "auth_namespace": "org"}, "of the namespace 'org' is not valid in 'organic'"),
        ({"agent_environment": {"BAO_TOKEN": "x"}}, "BAO_TOKEN would stand in a file of the host"),
        ({"agent_environment": {"A-B": "x"}}, "'A-B' is not a valid name of an environment variable"),
        ({"agent_environment": {"VAULT_CLIENT_KEY_BYTES": "x"}}, "would wait forever with VAULT_CLIENT_KEY_BYTES: set"),
        ({"url": ""}, "its agent needs the server's address: set vault_transit_host_url"),
        ({"url": "vault.test:8200"}, "vault_transit_host_url 'vault.test:8200' must start with https://, http:// or"),
        ({"url": "https://a,https://b"}, "vault_transit_host_url must be one address, and not 2"),
        ({"url": "https://a/v1/sys/health"}, "has the path of a request: set it to https://a"),
        ({"namespace": "a\nb"}, "vault_transit_host_namespace and vault_transit_host_auth_namespace must be text"),
        ({"ca_cert_bytes": "/etc/ssl/ca.pem"}, "vault_transit_host_ca_cert_bytes is not a text of PEM certificates"),
        ({"ca_cert_bytes": f"{PEM}-----BEGIN PRIVATE KEY-----"}, "vault_transit_host_ca_cert_bytes has a private key"),
    ],
)
def test_a_login_that_cannot_work_is_refused(given: dict[str, Any], words: str) -> None:
    found = problem(**given)
    assert words in found
    assert "K'" not in found


@pytest.mark.parametrize("url", ["HTTPS://v.test:8200/", " https://v.test:8200/v1"])
def test_an_address_is_read_as_the_controller_reads_it(url: str) -> None:
    assert '\n  address = "https://v.test:8200"\n' in described_one(url=url)["agent"]


def test_certificates_that_are_a_text_are_a_file_and_another_text_needs_no_restart() -> None:
    found = described_one(ca_cert_bytes=f"\n{PEM}")
    path = "/etc/mlkeys/app/ca.pem"
    place = {"path": path, "content": PEM, "owner": "root", "group": found["group"], "mode": "0640"}
    assert found["places"] == [place]
    assert f'ca_cert = "{path}"' in found["agent"]
    assert "ca.pem" in found["holds"]
    assert described_one(ca_cert_bytes=f"{PEM}{PEM}")["fingerprint"] == found["fingerprint"]
    # A file of the host comes first, and a program that gets plaintext asks no server.
    others: tuple[dict[str, Any], ...] = ({"ca_cert": "/etc/ca.pem"}, {"mode": "plaintext"})
    for more in others:
        other = described_one(ca_cert_bytes=PEM, **more)
        assert "ca.pem" not in other["holds"]
        assert not other["places"]


def test_in_mode_credential_secrets_are_in_memory_and_links_point_there() -> None:
    files = [*content(api_key={"secret": "b"}), {"dest": "/etc/app/plain.json", "shape": "json", "content": {"x": 1}}]
    found = described_one(mode="credential", files=files)
    assert found["links"] == [{"path": "/etc/app/config.yaml", "target": "/run/mlkeys/app/etc/app/config.yaml"}]
    assert found["placed"] == ["/etc/app/config.yaml", "/etc/app/plain.json"]
    assert found["environment_file"] == "/run/mlkeys/app/environment"
    assert found["decrypted"] == []
    assert [(file["path"], file["mode"], file["owner"], file["group"]) for file in found["written"]] == [
        ("/etc/app/plain.json", "0640", "root", "app")
    ]
    assert found["written"][0]["text"] == '{\n  "x": 1\n}\n'
    assert "exit_after_auth = true" in found["agent"]
    assert "exit_on_err = true" in found["agent"]
    assert found["agent"].count('perms                = "0400"') == 2
    assert "exec {" not in found["agent"]


def test_variables_without_secrets_are_not_kept_in_memory() -> None:
    found = described_one(
        mode="credential", environment={}, plain_environment={"A": "x"}, files=content(k={"secret": "a"})
    )
    assert found["environment_file"] == "/etc/mlkeys/app/environment"
    assert [(file["path"], file["text"]) for file in found["written"]] == [(found["environment_file"], "A=x\n")]


def test_plaintext_is_written_by_ansible() -> None:
    files = [
        *content(api_key={"secret": "b"}),
        {**content(c={"secret": "a"})[0], "dest": "/x", "owner": "o", "mode": "0640"},
    ]
    found = described_one(mode="plaintext", files=files, approle="", url="")
    assert found["agent"] == ""
    assert [(file["path"], file["mode"], file["owner"], file["group"]) for file in found["decrypted"]] == [
        ("/etc/mlkeys/app/environment", "0400", "app", "app"),
        ("/etc/app/config.yaml", "0600", "app", "app"),
        ("/x", "0640", "o", "app"),
    ]
    assert found["secrets"] == [{"value": f"{CIPHERTEXT}{name}=", "name": name, "context": name} for name in ("a", "b")]


def test_plaintext_files_alone_need_no_program() -> None:
    found = described_one(mode="plaintext", command=None, environment=None, files=content(k={"secret": "a"}))
    assert (found["user"], found["words"], found["decrypted"][0]["owner"]) == ("root", "", "root")


def test_an_absent_service_needs_only_a_name() -> None:
    found = described([{"name": "app", "state": "absent"}], [], Host(**{**HOST, "approle": "", "url": ""}))
    assert found == [
        {"name": "app", "state": "absent", "folder": "/etc/mlkeys/app", "runtime": "/run/mlkeys/app", "user": "root"}
    ]


def test_the_last_file_that_has_a_secret_wins() -> None:
    other = {"path": "other", "content": {"a": "vault:v2:BBBB"}}
    assert "vault:v2:BBBB" in described_one([document("a"), other])["agent"]
    assert "vault:v2:BBBB" not in described_one([other, document("a")])["agent"]


def test_in_check_mode_names_stand_for_ciphertext_that_does_not_exist_yet() -> None:
    assert "ciphertext=(new ciphertext of a)" in described_one([], predicted=True)["agent"]


@pytest.mark.parametrize("mode", ["agent", "credential", "plaintext"])
def test_a_check_knows_which_stored_ciphertexts_a_run_replaces(mode: str) -> None:
    stored = described_one(mode=mode)
    # Of a rewrapped one the value is the same, so that neither a program restarts nor a file with plaintext differs.
    for action, same in (("rewrapped", True), ("updated", False)):
        found = described_one(mode=mode, predicted=True, new_ciphertexts={"a": action, "b": "updated"})
        assert (found["agent"] == stored["agent"]) == (mode == "plaintext")
        assert (found["fingerprint"] == stored["fingerprint"]) == same
        assert found["predicted"] == (not same)
        assert (found["secrets"] == stored["secrets"]) == (same and mode == "plaintext")
    assert described_one(mode=mode, new_ciphertexts={"a": "updated"}) == stored


def test_every_change_of_what_a_service_gets_changes_its_fingerprint() -> None:
    changes: list[dict[str, Any]] = [
        {}, {"plain_environment": {"X": "y"}}, {"command": ["/usr/bin/app", "x"]}, {"environment": {"A": "b"}},
        {"documents": [{"path": "p", "content": {"a": "vault:v1:CCCC"}}]}, {"user": "other"}, {"mode": "plaintext"},
        {"files": [{"dest": "/x", "shape": "json", "content": 1}]}, {"restart": "always"}, {"url": "https://other"},
        {"documents": [{"path": "p", "content": {"a": "vault:v1:CCCC"}}], "mode": "plaintext"},
        {"mode": "credential"}, {"type": "notify"}, {"type": "notify", "watchdog": "30s"},
    ]  # fmt: skip
    found = [described_one(**change)["fingerprint"] for change in changes]
    assert len(set(found)) == len(changes)
    assert found == [described_one(**change)["fingerprint"] for change in changes]


@pytest.mark.parametrize("mode", ["agent", "plaintext"])
def test_a_ciphertext_that_was_only_rewrapped_leaves_the_fingerprint(mode: str) -> None:
    def of(ciphertext: str, before: str = "") -> str:
        metadata = {"hmac": {"a": f"{ciphertext} {digest(ciphertext)}"}, "before": {"a": before}}
        documents = [{"path": "p", "content": {"a": ciphertext, "_transit": metadata}}]
        return str(described_one(documents=documents, mode=mode, environment={"A": "a"})["fingerprint"])

    first, second, third = (f"vault:v{version}:CCCC" for version in (1, 2, 3))
    assert of(second, f"{digest(first)} {digest(first)}") == of(third, f"{digest(second)} {digest(first)}") == of(first)
    # A new value, and one of which that is not known.
    assert of(second, digest(first)) == of(second) != of(first)


@pytest.mark.parametrize(
    ("service", "named"),
    [
        ({"name": "a/b"}, "its name must consist of letters"),
        ({"name": "a.service"}, "without '.service'"),
        ({"name": ".."}, "its name must consist of letters"),
        ({"name": "mlkeys-wa"}, "the role keeps names that begin with 'mlkeys-'"),
        ({"name": "wa.values"}, "the role keeps names that begin with 'mlkeys-'"),
        ({"name": "wa.versions"}, "the role keeps names that begin with 'mlkeys-'"),
        ({"mode": "file"}, "mode must be one of agent, credential, plaintext"),
        ({"command": []}, "command is missing"),
        ({"command": ["/usr/bin/app -x"]}, "'/usr/bin/app -x' looks like a whole line"),
        ({"command": ["app"]}, "command must begin with the absolute path of a program, not with 'app'"),
        ({"command": ["/usr/bin/app", "\0"]}, "a control character"),
        ({"environment": {"A-B": "a"}}, "'A-B' is not a valid name of an environment variable"),
        ({"environment": {"LD_PRELOAD": "a"}}, "environment: LD_PRELOAD decides what code a program runs"),
        ({"mode": "plaintext", "files": [{"dest": "/a", "shape": "shell", "content": {"BASH_ENV": {"secret": "a"}}}]},
         "the file '/a': BASH_ENV decides what code a program runs"),
        ({"plain_environment": {"A": "x"}}, "A is both in environment and in plain_environment"),
        ({"plain_environment": {"B": ["x"]}}, "plain_environment: B: a list cannot be written"),
        ({"environment": {}}, "it names no secret"),
        ({"environment": {"A": "c"}}, "the secret 'c' is not in keys.transit.yml"),
        ({"environment": {"A": "aa"}, "documents": [document("aaa")]}, "Did you mean 'aaa'?"),
        ({"documents": []}, "the secret 'a' is in no file: vault_transit_host_vars_files is empty"),
        ({"user": "a b"}, "'a b' is not a valid name of a user"),
        ({"after": ["a b"]}, "'a b' is not a valid name of a unit"),
        ({"working_directory": "srv"}, "'srv' is not an absolute path"),
        ({"write_paths": ["/var/%h"]}, "'/var/%h' is not an absolute path without spaces and special characters"),
        ({"description": "a\nb"}, "description must be a single line"),
        ({"files": content(k={"secret": "a"})}, "an agent passes secrets in the environment only"),
        ({"files": [{"dest": "x", "shape": "yaml", "content": 1}]}, "dest must be an absolute path"),
        ({"files": [{"dest": "/a/../b", "shape": "yaml", "content": 1}]}, "dest must be an absolute path"),
        ({"files": [{"dest": "/a", "shape": "toml", "content": 1}]}, "the file '/a': toml needs a dictionary"),
        ({"files": [{"dest": "/a", "shape": "json", "content": 1, "mode": "rw"}]}, "octal digits"),
        ({"files": [{"dest": "/a", "shape": "json", "content": 1}] * 2}, "the file '/a' is listed twice"),
        ({"mode": "plaintext", "files": [{**content(k={"secret": "a"})[0], "mode": "0644"}]}, "every user"),
        ({"mode": "credential", "files": [{**content(k={"secret": "a"})[0], "owner": "x"}]}, "belongs to the user"),
        ({"approle": ""}, "set vault_transit_host_approle"),
        ({"ready": {"port": 80, "url": "http://x"}}, "ready must set exactly one of port, url, command, notify"),
        ({"ready": {"notify": False}}, "ready must set exactly one of port, url, command, notify"),
        ({"ready": {"notify": True}, "type": "exec"}, "ready: notify needs type notify"),
        ({"watch": True, "mode": "plaintext"}, "watch needs mode agent or credential"),
        ({"ready": {"status": 204}}, "ready must set exactly one of port, url, command"),
        ({"ready": {"url": "file:///etc"}}, "url must begin with http:// or https://"),
        ({"ready": {"port": 0}}, "port must be a number from 1 to 65535"),
        ({"ready": {"command": ["curl"]}}, "command must begin with the absolute path of a program"),
        ({"watchdog": "1 day", "type": "notify"}, "watchdog must be a time such as 30s"),
        ({"watchdog": "30s"}, "watchdog needs type notify"),
        ({"url": ""}, "set vault_transit_host_url"),
    ],
)  # fmt: skip
def test_invalid_options_are_refused_by_name(service: dict[str, Any], named: str) -> None:
    assert named in problem(**service)


def test_a_service_without_a_key_is_named() -> None:
    given = {"name": "app", "command": ["/a"], "environment": {"A": "a"}}
    with pytest.raises(InvalidOption, match="The service 'app': it names no key: set vault_transit_host_key"):
        described([given], [document("a")], Host(**{**HOST, "key": ""}))


def test_a_secret_of_another_key_than_the_policy_is_refused_with_both_keys() -> None:
    message = problem([document("a", key="other", backend="t2")])
    assert "of keys.transit.yml was encrypted with the key 'other' of 't2'" in message
    assert "the host's variables, and with them its policy, name the key 'ml' of 'transit'" in message
    assert described_one([document("a", key="other")], key="other")["key"] == "other"


def test_a_value_that_is_not_ciphertext_is_refused_and_not_shown() -> None:
    message = problem([{"path": "keys", "content": {"a": "sk-oops-plaintext", "_transit": METADATA}}])
    assert "keys: the value of a is not ciphertext" in message
    assert "sk-oops" not in message


def test_all_problems_are_reported_at_once() -> None:
    services: list[dict[str, Any]] = [
        {"name": "x", "command": ["y"], "environment": {"A-": "a"}},
        {"name": "x", "mode": "plaintext"},
    ]
    with pytest.raises(InvalidOption) as refused:
        described(services, [], Host(**HOST))
    for one in ("'y'", "'A-' is not", "'a' is in no file", "The service 'x': another service has the same name"):
        assert one in refused.value.message


def test_services_share_no_file_at_boot() -> None:
    services: list[dict[str, Any]] = [
        {"name": name, "command": ["/a"], "environment": {"A": "a"}} for name in ("a.b", "a_b")
    ]
    with pytest.raises(InvalidOption, match=r"The service 'a_b': its name differs from 'a[.]b'"):
        described(services, [document("a")], Host(**HOST))
    # One that has to go may have any name that one ever had.
    assert described([{"name": "mlkeys-wa", "state": "absent"}], [], Host(**HOST))[0]["name"] == "mlkeys-wa"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20))
def test_words_of_units_are_read_back(word: str) -> None:
    """Quotes and backslashes as in C, which a POSIX shell's double quotes have too, but for line breaks and tabs."""
    written = systemd_word(word)
    assert "\n" not in written
    unescaped = written.replace("%%", "%").replace("$$", "$").replace("\\\\", "\0").replace("\\n", "\n")
    assert shlex.split(unescaped.replace("\\t", "\t").replace("\0", "\\\\")) == [word]


SEALED = "vault:v3:5ZfQm1ab3WHDOjf7mq6+5ZfQm1ab3WHDOjf7mq6="


def test_ciphertext_that_stands_for_a_key_is_refused_with_its_place() -> None:
    given: dict[str, Any] = {"plain_environment": {"TOKEN": SEALED}, "files": content(model={"api_key": SEALED})}
    message = problem(**given)
    assert "plain_environment: TOKEN is a ciphertext" in message
    assert "the file '/etc/app/config.yaml': model.api_key is a ciphertext" in message
    assert SEALED not in message
    allowed = described_one(**given, allow_ciphertext=True)
    assert SEALED in allowed["written"][0]["text"]
    assert allowed["allow_ciphertext"]


def test_allowing_ciphertext_restarts_no_service() -> None:
    assert described_one()["fingerprint"] == described_one(allow_ciphertext=True)["fingerprint"]
