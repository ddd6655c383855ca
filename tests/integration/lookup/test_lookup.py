# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup vault_transit against a real server: in this process, and in playbooks."""

from __future__ import annotations

import base64
import configparser
import os
import secrets
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings, settings_from
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import connection_options

from tests.integration.support.runs import Ledger
from tests.support.chains import printed_with
from tests.support.lookups import Lookup, lookup_plugin, lookup_with
from tests.support.playbook import run_playbook
from tests.support.server import Bao

LOOKUP = "mlkeys.transit.vault_transit"
KEY = "ml-api-key"
SECRET = "sk-planted-secret"


@pytest.fixture
def engine(bao: Bao, mount: str) -> str:
    """An engine with a plain key and a derived one."""
    bao.done("POST", f"{mount}/keys/{KEY}", {})
    bao.done("POST", f"{mount}/keys/derived", {"derived": True})
    return mount


@pytest.fixture
def lookup(bao: Bao, engine: str) -> Lookup:
    return lookup_with(**bao.login, backend=engine, key=KEY)


def refusal(lookup: Lookup, *terms: object, **options: object) -> str:
    """The message of the error, which shows no other exception and no secret."""
    with pytest.raises(AnsibleError) as refused:
        lookup(*terms, **options)
    assert printed_with(refused.value) == []
    message = str(refused.value)
    assert SECRET not in message
    assert base64.b64encode(SECRET.encode()).decode() not in message
    return message


# Operations


@pytest.mark.parametrize("value", ["sk-1", "", "  blanks \n", "\u00fc \U0001f511", "{{ 7 * 7 }}", "a\0b"])
def test_encrypted_values_decrypt(lookup: Lookup, value: str) -> None:
    sealed = lookup(value, operation="encrypt")
    assert sealed[0].startswith("vault:v1:")
    assert lookup(*sealed) == [value]


def test_a_derived_key_has_a_context(lookup: Lookup) -> None:
    [sealed] = lookup(SECRET, operation="encrypt", key="derived", context="openai")
    assert lookup(sealed, key="derived", context="openai") == [SECRET]
    assert "it does not decrypt: another key, another context" in refusal(
        lookup, sealed, key="derived", context="anthropic"
    )
    assert "needs the context under which the value was encrypted" in refusal(lookup, sealed, key="derived")
    assert "needs a context, with which the value decrypts" in refusal(
        lookup, SECRET, operation="encrypt", key="derived"
    )


def test_associated_data_is_bound(lookup: Lookup) -> None:
    [sealed] = lookup(SECRET, operation="encrypt", associated_data="host-1")
    assert lookup(sealed, associated_data="host-1") == [SECRET]
    assert "another context or associated data" in refusal(lookup, sealed, associated_data="host-2")
    assert "cannot rewrap what is bound to associated data" in refusal(
        lookup, sealed, operation="rewrap", associated_data="host-1"
    )


def test_each_term_may_have_its_own_context_and_associated_data(lookup: Lookup) -> None:
    terms = [
        {"name": "one", "value": "value-1", "context": "c1", "associated_data": "a1"},
        {"name": "two", "value": "value-2", "context": "c2", "associated_data": "a2"},
        {"name": "three", "value": "value-3"},
    ]
    sealed = lookup(terms, operation="encrypt", key="derived", context="c3", associated_data="a3")
    stored = [{**term, "value": text} for term, text in zip(terms, sealed, strict=True)]
    assert lookup(stored, key="derived", context="c3", associated_data="a3") == ["value-1", "value-2", "value-3"]
    message = refusal(lookup, stored, key="derived", context="c3", associated_data="other")
    assert "failed for 1 of 3 items" in message
    assert "item 3 (three): it does not decrypt" in message


def test_versions(bao: Bao, engine: str, lookup: Lookup) -> None:
    [first] = lookup(SECRET, operation="encrypt")
    bao.done("POST", f"{engine}/keys/{KEY}/rotate", {})
    [second] = lookup(first, operation="rewrap")
    assert second.startswith("vault:v2:")
    assert lookup(first, second) == [SECRET, SECRET]
    [third] = lookup(SECRET, operation="encrypt", key_version=1)
    assert third.startswith("vault:v1:")
    old, new = lookup({"value": SECRET, "key_version": 1}, SECRET, operation="hmac")
    assert (old[:9], new[:9]) == ("vault:v1:", "vault:v2:")
    bao.done("POST", f"{engine}/keys/{KEY}/config", {"min_decryption_version": 2})
    assert "below the key's min_decryption_version" in refusal(lookup, third)
    assert lookup(first) == [SECRET], "the run knows it"


def test_a_fingerprint_is_always_the_same(lookup: Lookup) -> None:
    one, two, other = lookup(SECRET, SECRET, "another", operation="hmac")
    assert one == two != other
    assert lookup(SECRET, operation="hmac") == [one]


def test_binary_values_are_base64(lookup: Lookup) -> None:
    content = base64.b64encode(bytes(range(256))).decode()
    sealed = lookup(content, operation="encrypt", encoding="base64")
    assert lookup(*sealed, encoding="base64") == [content]
    message = refusal(lookup, {"value": sealed[0], "name": "blob"})
    assert message.endswith("item 1 (blob): it is not text: ask for encoding base64.")
    assert refusal(lookup, SECRET, operation="encrypt", encoding="base64") == "item 1: not valid base64."
    text = lookup(SECRET, operation="encrypt")
    assert lookup(*text, encoding="base64") == [base64.b64encode(SECRET.encode()).decode()]
    assert lookup(SECRET, operation="hmac") == lookup(
        base64.b64encode(SECRET.encode()).decode(), operation="hmac", encoding="base64"
    )


def test_no_terms_make_no_request(bao: Bao, lookup: Lookup) -> None:
    ledger = Ledger(bao)
    assert lookup([]) == []
    assert ledger.requests == []


def operations(ledger: Ledger, engine: str) -> Counter[str]:
    return Counter(path.split("/")[1] for _operation, path in ledger.requests if path.startswith(engine + "/"))


def test_many_terms_make_few_requests_in_order(bao: Bao, engine: str, lookup: Lookup) -> None:
    values = [f"value-{number}" for number in range(1200)]
    ledger = Ledger(bao)
    sealed = lookup(values, operation="encrypt")
    # 499 values fit in a request. The key is read so that none is created by mistake.
    assert operations(ledger, engine) == {"keys": 1, "encrypt": 3}

    # Every third one has a context, and those go in requests of their own, 249 in each.
    terms: list[object] = [{"value": v, "context": "c"} if n % 3 == 0 else v for n, v in enumerate(sealed)]
    ledger = Ledger(bao)
    assert lookup(terms) == values
    assert operations(ledger, engine) == {"decrypt": 4}


def test_failing_terms_are_named_and_good_ones_not_shown(lookup: Lookup) -> None:
    good = lookup(SECRET, operation="encrypt")[0]
    bad = good[:-8] + "AAAAAAA="
    message = refusal(lookup, good, {"value": bad, "name": "openai"}, "no ciphertext " + SECRET, good)
    assert "decrypt failed for 2 of 4 items at " in message
    assert "item 2 (openai): it does not decrypt: another key" in message
    assert "item 3: it is not a Transit ciphertext (vault:vN:...)." in message
    assert bad[9:] not in message


def test_encrypting_does_not_create_a_missing_key(bao: Bao, engine: str, lookup: Lookup) -> None:
    bao.done("POST", f"{engine}/config/keys", {"disable_upsert": False})
    message = refusal(lookup, SECRET, operation="encrypt", key="mistyped")
    assert message == (
        f"The key 'mistyped' does not exist in the engine '{engine}'. "
        f"Create it (vault_transit_key), or correct its name. Asked: {bao.addr}, the root namespace. Check: bao "
        f"list -address={bao.addr} {engine}/keys."
    )
    for operation in ("decrypt", "rewrap", "hmac"):
        assert "mistyped' does not exist" in refusal(lookup, "vault:v1:QUJD", operation=operation, key="mistyped")
    assert sorted(bao.done("LIST", f"{engine}/keys")["data"]["keys"]) == ["derived", KEY]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"backend": "nowhere"},
            "No secrets engine is mounted for 'nowhere/decrypt/ml-api-key'. Enable it, or correct",
        ),
        ({"url": "http://127.0.0.1:9"}, "Cannot reach the server at http://127.0.0.1:9: connection refused. Check url"),
        ({"token": "s.unknown-planted-secret"}, "The server does not accept the token: it is wrong, expired, revoked"),
        ({"token": ""}, "No token: set token, BAO_TOKEN or VAULT_TOKEN"),
        ({"url": "127.0.0.1"}, "url '127.0.0.1' must start with https://, http:// or unix://."),
        ({"key": "a/b"}, "'a/b' is not a key name: letters, digits"),
        ({"namespace": "nowhere"}, "The namespace 'nowhere' does not exist on this server."),
    ],
)
def test_bad_options_give_one_sentence(lookup: Lookup, options: Mapping[str, object], message: str) -> None:
    refused = refusal(lookup, "vault:v1:QUJD", **options)
    assert refused.startswith(message)
    assert "\n" not in refused
    assert "unknown-planted" not in refused


def test_fields_of_any_secret_of_a_kv_engine_are_read(bao: Bao, lookup: Lookup) -> None:
    kv = f"kv-{secrets.token_hex(4)}"
    place = {"operation": "kv_get", "key": None, "kv_mount": kv, "kv_path": "teams/ml"}
    assert lookup(**place) == [{}]
    bao.done("POST", f"sys/mounts/{kv}", {"type": "kv", "options": {"version": "2"}})
    try:
        assert lookup(**place) == [{}]
        assert refusal(lookup, "token", **place) == f"There is no token in '{kv}/teams/ml'."
        bao.done("POST", f"{kv}/data/teams/ml", {"data": {"token": SECRET, "days": 5}})
        assert lookup("days", ["token"], **place) == [5, SECRET]
        assert lookup(**place) == [{"token": SECRET, "days": 5}]
        hint = f"There is no tokn in '{kv}/teams/ml'. Did you mean 'token'?"
        assert refusal(lookup, "tokn", **place) == hint
    finally:
        bao.done("DELETE", f"sys/mounts/{kv}")
    assert refusal(lookup, "token", **place).startswith(f"No secrets engine is mounted for '{kv}/data/teams/ml'.")
    assert refusal(lookup, operation="kv_get") == "operation kv_get needs kv_path: the path of the document to read."


def test_a_missing_capability_is_named(engine: str, lookup: Lookup, mint_token: Callable[[str], str]) -> None:
    token = mint_token(f'path "{engine}/encrypt/{KEY}" {{ capabilities = ["update"] }}')
    [sealed] = lookup(SECRET, operation="encrypt", token=token)
    message = refusal(lookup, sealed, token=token)
    assert message.startswith(
        f"Permission denied: the token's policies do not grant the capability 'update' on '{engine}/decrypt/{KEY}'."
    )


@pytest.mark.parametrize("options", [{"operation": "destroy"}, {"encoding": "latin-1"}, {"key_version": "two"}])
def test_options_of_the_wrong_kind_are_refused_by_ansible(lookup: Lookup, options: Mapping[str, object]) -> None:
    with pytest.raises(AnsibleError) as refused:
        lookup(SECRET, **options)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


# Where options come from

Source = tuple[str, str]
Read = Callable[[Settings], object]


def sources_of(name: str, addr: str = "", *, ini: bool = True, late: Sequence[str] = ()) -> list[Source]:
    """Every source of an option, the strongest first."""
    return [
        ("direct", name),
        ("variable", f"ansible_hashi_vault_{name}"),
        ("environment", f"ANSIBLE_HASHI_VAULT_{(addr or name).upper()}"),
        *([("ini", name)] if ini else []),
        *(("environment", variable) for variable in late),
    ]


OPTIONS: dict[str, tuple[list[Source], list[str], Read, object]] = {
    "url": (
        sources_of("url", "addr", late=("BAO_AGENT_ADDR", "VAULT_AGENT_ADDR", "BAO_ADDR", "VAULT_ADDR")),
        [f"https://source-{n}.test:8200" for n in range(8)],
        lambda settings: settings.connection.url,
        "",
    ),
    "token": (
        sources_of("token", ini=False, late=("BAO_TOKEN", "VAULT_TOKEN")),
        [f"token-{n}" for n in range(5)],
        lambda settings: settings.auth.token,
        "",
    ),
    "namespace": (
        sources_of("namespace", late=("BAO_NAMESPACE", "VAULT_NAMESPACE")),
        [f"team-{n}" for n in range(6)],
        lambda settings: settings.connection.namespace,
        "",
    ),
    "ca_cert": (
        sources_of("ca_cert", late=("BAO_CACERT", "VAULT_CACERT")),
        [f"/ca-{n}.pem" for n in range(6)],
        lambda settings: settings.connection.verify,
        True,
    ),
    "timeout": (
        sources_of("timeout", late=("BAO_CLIENT_TIMEOUT", "VAULT_CLIENT_TIMEOUT")),
        [str(n) for n in range(5, 11)],
        lambda settings: str(settings.connection.timeout),
        "30",
    ),
    "auth_method": (
        sources_of("auth_method"),
        ["none", "approle", "jwt", "kubernetes"],
        lambda settings: settings.auth.method,
        "token",
    ),
    "mount_point": (
        sources_of("mount_point"),
        [f"auth-{n}" for n in range(4)],
        lambda settings: settings.auth.mount_point,
        "",
    ),
    "token_file": (
        sources_of("token_file"),
        [f"file-{n}" for n in range(4)],
        lambda settings: settings.auth.token_file,
        ".vault-token",
    ),
}


@pytest.mark.parametrize(
    ("option", "strongest"),
    [
        (option, strongest)
        for option, (sources, _values, _read, _default) in OPTIONS.items()
        # One more case without any source: the default, which url does not have.
        for strongest in range(len(sources) + (option != "url"))
    ],
)
def test_the_strongest_source_wins(
    option: str, strongest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, values, read, default = OPTIONS[option]
    # What other options need, so that only the option under test matters.
    direct = {"url": "https://other.test", "role_id": "r", "jwt": "j", "token": "t"}
    direct.pop(option, None)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    variables: dict[str, str] = {}
    ini = configparser.ConfigParser()
    ini["hashi_vault_collection"] = {}
    for (kind, name), value in list(zip(sources, values, strict=True))[strongest:]:
        if kind == "direct":
            direct[name] = value
        elif kind == "variable":
            variables[name] = value
        elif kind == "ini":
            ini["hashi_vault_collection"][name] = value
        else:
            monkeypatch.setenv(name, value)
    with (tmp_path / "ansible.cfg").open("w", encoding="utf-8") as file:
        ini.write(file)
    monkeypatch.setattr(constants.config, "_config_file", str(tmp_path / "ansible.cfg"))

    plugin = lookup_plugin()
    plugin.set_options(var_options=variables, direct={"key": KEY, **direct})
    settings = settings_from(connection_options(plugin.get_option), os.environ)

    assert read(settings) == (values[strongest] if strongest < len(sources) else default)


def test_the_engine_has_a_variable_too(bao: Bao, engine: str) -> None:
    plugin = lookup_plugin()
    variables = {
        "ansible_hashi_vault_addr": bao.addr,
        "ansible_hashi_vault_token": bao.token,
        "ansible_hashi_vault_engine_mount_point": engine,
    }
    [sealed] = plugin.run([SECRET], variables, key=KEY, operation="encrypt")
    assert plugin.run([sealed], variables, key=KEY) == [SECRET]


# In playbooks


def vaulted(text: str, password: str) -> str:
    sealed: bytes = VaultLib([("default", VaultSecret(password.encode()))]).encrypt(text)
    return "".join(f"        {line}\n" for line in sealed.decode().splitlines())


def play(tmp_path: Path, tasks: str, variables: str = "") -> Path:
    path = tmp_path / "play.yml"
    path.write_text(
        f"- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars:\n    nothing: here\n{variables}"
        f"  tasks:\n{tasks}",
        encoding="utf-8",
    )
    return path


def test_in_a_playbook(bao: Bao, engine: str, tmp_path: Path) -> None:
    """Variables that are templates, values of ansible-vault as terms, and results that are not evaluated."""
    password = tmp_path / "password"
    password.write_text("planted-password", encoding="utf-8")
    playbook = play(
        tmp_path,
        """\
    - ansible.builtin.set_fact:
        sealed: "{{ lookup('mlkeys.transit.vault_transit', vaulted, operation='encrypt', key='ml-api-key') }}"
        template: "{{ lookup('mlkeys.transit.vault_transit', braces, operation='encrypt', key='ml-api-key') }}"
    - ansible.builtin.copy:
        dest: "{{ dest }}"
        content: |
          {{ lookup('mlkeys.transit.vault_transit', sealed, key='ml-api-key') }}
          {{ lookup('mlkeys.transit.vault_transit', template, key='ml-api-key') }}
          {{ query('mlkeys.transit.vault_transit', items, key='ml-api-key') | join(',') }}
          {{ vaulted == lookup('mlkeys.transit.vault_transit', {'value': sealed}, key='ml-api-key') }}
        mode: "0600"
      vars:
        items:
          - {name: one, value: "{{ sealed }}"}
          - "{{ sealed }}"
      diff: false
""",
        f"""\
    ansible_hashi_vault_url: "{{{{ server }}}}"
    ansible_hashi_vault_engine_mount_point: "{{{{ engine }}}}"
    braces: !unsafe "{{{{ 7 * 7 }}}} {{% if x %}}"
    vaulted: !vault |
{vaulted(SECRET, "planted-password")}""",
    )
    done = run_playbook(
        playbook,
        extra_vars={"server": bao.addr, "engine": engine, "dest": str(tmp_path / "result")},
        env={"VAULT_TOKEN": bao.token},
        args=["--vault-password-file", str(password), "-vvv", "--diff"],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "result").read_text(encoding="utf-8").splitlines() == [
        SECRET,
        "{{ 7 * 7 }} {% if x %}",
        f"{SECRET},{SECRET}",
        "True",
    ]
    for shown in (SECRET, bao.token):
        assert shown not in done.stdout + done.stderr


def test_a_failure_in_a_playbook_shows_no_secret_and_no_inner_errors(bao: Bao, engine: str, tmp_path: Path) -> None:
    body = {"plaintext": base64.b64encode(SECRET.encode()).decode()}
    good = bao.done("POST", f"{engine}/encrypt/{KEY}", body)["data"]["ciphertext"]
    playbook = play(
        tmp_path,
        """\
    - ansible.builtin.debug:
        msg: "{{ query('mlkeys.transit.vault_transit', items, key='ml-api-key') }}"
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "{{ lookup('mlkeys.transit.vault_transit', items, key='ml-api-key', url='http://127.0.0.1:9') }}"
      ignore_errors: true
""",
    )
    done = run_playbook(
        playbook,
        extra_vars={
            "items": [{"name": "openai", "value": good}, {"name": "broken", "value": good[:-8] + "AAAAAAA="}],
            "ansible_hashi_vault_engine_mount_point": engine,
        },
        env={"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token},
        args=["-vvvv"],
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert f"decrypt failed for 1 of 2 items at {engine}/decrypt/{KEY}: item 2 (broken): it does not decrypt" in shown
    assert "Cannot reach the server at http://127.0.0.1:9: connection refused." in shown
    for secret in (SECRET, base64.b64encode(SECRET.encode()).decode(), good[10:40], bao.token):
        assert secret not in shown
    for inner in ("hvac", "requests.exceptions", "urllib3", "During handling", "direct cause"):
        assert inner not in shown
