# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The commands and the runtime with encrypted vars files of nested data."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mlkeys._commands.secrets.names import names_in
from mlkeys.runtime import UnknownSecret, secrets
from tests.cdk.secrets.conftest import Invoke, Process
from tests.cdk.stores import KEY, content

FILE = "keys.transit.yml"
DATA: dict[str, Any] = {
    "providers": {
        "openai": {"api_key": "sk-nested-canary-1Fg", "retries": 3, "ratio": 1.0, "beta": True, "proxy": None},
        "keys": ["nested-canary-one", "nested-canary-two"],
    },
    "hf_token": "hf_nested_canary",
}
LEAVES = {
    "providers.openai.api_key": "sk-nested-canary-1Fg",
    "providers.openai.retries": "3",
    "providers.openai.ratio": "1.0",
    "providers.openai.beta": "true",
    "providers.openai.proxy": "null",
    "providers.keys.0": "nested-canary-one",
    "providers.keys.1": "nested-canary-two",
    "hf_token": "hf_nested_canary",
}
NOT_TEXT = ("3", "1.0", "true", "null")


@pytest.fixture
def nested(allow: Callable[..., None], invoke: Invoke, mount: str) -> Path:
    """A file that `mlkeys set` made, leaf by leaf."""
    allow("encrypt", "hmac", "verify", "decrypt")
    for path, value in LEAVES.items():
        kind = "json" if value in NOT_TEXT else "text"
        done = invoke("set", FILE, path, "--type", kind, "--key", KEY, "--backend", mount, stdin=value)
        assert "canary" not in done.output
    assert content(Path(FILE))["_transit"]["format"] == 2
    return Path(FILE)


@dataclass
class OpenAi:
    """What a program wants of one provider."""

    api_key: str
    retries: int


@dataclass
class Providers:
    openai: OpenAi
    keys: list[str]


@dataclass
class Data:
    providers: Providers
    hf_token: str


class DataModel(BaseModel):
    """The same, of pydantic."""

    providers: Providers
    hf_token: str


def test_all_leaves_are_shown_with_what_they_decrypt_to(nested: Path, invoke: Invoke) -> None:
    shown = json.loads(invoke("show", FILE, "--reveal", "--force", "--json").output)
    typed = {name: json.loads(text) if text in NOT_TEXT else text for name, text in LEAVES.items()}
    assert {one["name"]: (type(one["value"]), one["value"]) for one in shown} == {
        name: (type(value), value) for name, value in typed.items()
    }
    below = json.loads(invoke("show", FILE, "providers.keys", "--json").output)
    assert [one["name"] for one in below] == ["providers.keys.0", "providers.keys.1"]
    assert invoke("show", FILE, "providers.openai.retries", "--reveal", "--force").output == "3"
    assert sorted(names_in(nested.read_text())) == sorted(LEAVES)
    assert "8 of 8 secrets decrypt" in invoke("check", FILE).output
    assert invoke("lint", FILE).output


def test_a_program_gets_them_as_variables(nested: Path, process: Process) -> None:
    code = "import os; print(os.environ['PROVIDERS_KEYS_1'], os.environ['PROVIDERS_OPENAI_RETRIES'], len(os.environ))"
    done = process("run", "-f", FILE, "--only", "providers", "--no-inherit", "--", sys.executable, "-c", code)
    words = done.stdout.decode().split()
    assert words[:2] == ["nested-canary-two", "3"]


def test_an_empty_text_is_empty_for_programs(
    allow: Callable[..., None], invoke: Invoke, process: Process, mount: str
) -> None:
    allow("encrypt", "hmac", "verify", "decrypt")
    empty = "empty.transit.yml"
    invoke("set", empty, "db.password", "--type", "json", "--key", KEY, "--backend", mount, stdin='""')
    assert invoke("show", empty, "db.password", "--reveal", "--force").output == ""
    assert json.loads(invoke("show", empty, "--reveal", "--force", "--json").output)[0]["value"] == ""
    code = "import os; print([os.environ['DB_PASSWORD']])"
    assert process("run", "-f", empty, "--", sys.executable, "-c", code).stdout.decode().strip() == "['']"
    with secrets(empty) as found:
        assert (found["db.password"], found.as_bytes("db.password"), found.value("db.password")) == ("", b"", "")


def test_the_runtime_has_values_and_all_data(nested: Path) -> None:
    found = secrets(FILE)
    assert found["providers.openai.retries"] == "3"
    assert found.value("providers") == DATA["providers"]
    assert [type(found.value(f"providers.openai.{name}")) for name in ("retries", "ratio", "beta")] == [
        int,
        float,
        bool,
    ]
    assert found.value("hf_token") == "hf_nested_canary"
    with pytest.raises(UnknownSecret, match="provider"):
        found.value("provider")
    kinds: tuple[type[Any], ...] = (Data, DataModel)
    for kind in kinds:
        typed = found.into(kind)
        assert typed.hf_token == "hf_nested_canary"
        assert typed.providers.openai == OpenAi("sk-nested-canary-1Fg", 3)
        assert typed.providers.keys == ["nested-canary-one", "nested-canary-two"]
    found.close()


def test_what_a_file_leaves_unencrypted_belongs_to_the_data(nested: Path, invoke: Invoke, process: Process) -> None:
    stored = content(nested)
    stored["providers"]["openai"] |= {"region": "eu", "limits": {"tokens": 7, "hosts": []}}
    stored["_transit"]["unencrypted"] = ["providers.openai.region", "providers.openai.limits"]
    nested.write_text(json.dumps(stored))
    with secrets(FILE) as found:
        assert found.value("providers.openai.limits") == {"tokens": 7, "hosts": []}
        assert found.value("providers")["openai"]["region"] == found["providers.openai.region"] == "eu"
    limits = json.loads(invoke("show", FILE, "providers.openai.limits", "--json").output)
    assert [(one["name"], one["value"], one["sensitive"], one["version"]) for one in limits] == [
        ("providers.openai.limits.tokens", 7, False, 0),
        ("providers.openai.limits.hosts", [], False, 0),
    ]
    assert invoke("show", FILE, "providers.openai.region", "--reveal", "--force").output == "eu"
    assert "not encrypted" in invoke("show", FILE, "providers.openai.region").output
    assert "8 of 8 secrets decrypt" in invoke("check", FILE).output
    code = (
        "import os; print(*[os.environ['PROVIDERS_OPENAI_' + name] for name in ('REGION', 'LIMITS_TOKENS', 'API_KEY')])"
    )
    assert process("run", "--", sys.executable, "-c", code).stdout.decode() == "eu 7 sk-nested-canary-1Fg\n"
    stored["providers"]["openai_region"] = "us"
    stored["_transit"]["unencrypted"].append("providers.openai_region")
    nested.write_text(json.dumps(stored))
    assert b"Two secrets would be in PROVIDERS_OPENAI_REGION" in process("run", "--", "true", status=1).stderr


@pytest.mark.parametrize(
    ("value", "kind"),
    [("eu-2", "text"), ("yes", "text"), ("0644", "text"), ("a: b # c", "text"), ("{{ x }}", "text"), ("7", "json")],
)
def test_what_a_file_leaves_unencrypted_is_written_as_it_is(
    nested: Path, invoke: Invoke, value: str, kind: str
) -> None:
    text = nested.read_text().replace("  format: 2\n", "  format: 2\n  unencrypted: [providers.openai]\n")
    nested.write_text(text.replace("  openai:\n", "  openai:\n    region: eu-1\n"))
    # Also what is encrypted until now.
    for name, action in (("region", "updated"), ("new", "added"), ("api_key", "updated")):
        done = invoke("set", FILE, f"providers.openai.{name}", "--type", kind, "--json", stdin=value)
        assert json.loads(done.stdout)["changes"] == [
            {"name": f"providers.openai.{name}", "change": action, "version": None, "reason": "unencrypted"}
        ]
        assert "already holds" in invoke("set", FILE, f"providers.openai.{name}", "--type", kind, stdin=value).output
    stored = content(nested)
    plain = json.loads(value) if kind == "json" else value
    assert {stored["providers"]["openai"][name] for name in ("region", "new", "api_key")} == {plain}
    for block in ("hmac", "before"):
        assert not {"region", "new", "api_key"} & {path.split(".")[-1] for path in stored["_transit"].get(block, {})}
    assert "7 of 7 secrets decrypt" in invoke("check", FILE).output
    # What is beside it is encrypted as ever.
    invoke("set", FILE, "hf_token", stdin="hf_nested_canary_2")
    assert secrets_of(invoke, "hf_token") == "hf_nested_canary_2"


OPEN = """
retry: {on_error: yes, mode: 0644, wait: 1:30, since: 2026-01-31, most: .inf, ratio: .nan, tag: n}
limits: !!binary aGk=
"""


def test_what_a_file_leaves_unencrypted_is_what_ansible_reads(nested: Path, invoke: Invoke) -> None:
    stored = nested.read_text().replace("  format: 2\n", "  format: 2\n  unencrypted: [retry, limits]\n")
    nested.write_text(stored.replace("_transit:", f"{OPEN.lstrip()}_transit:"))
    with secrets(FILE) as found:
        assert found.value("retry") == {
            "on_error": True,
            "mode": 420,
            "wait": 90,
            "since": "2026-01-31",
            "most": "inf",
            "ratio": "nan",
            "tag": "n",
        }
        assert (found["retry.mode"], found.as_bytes("limits")) == ("420", b"hi")

    def refuse(word: str) -> None:
        raise AssertionError(word)

    shown = json.loads(invoke("show", FILE, "retry", "--json").output, parse_constant=refuse)
    assert {one["name"]: one["value"] for one in shown}["retry.most"] == "inf"
    assert {one["name"]: one["value"] for one in shown}["retry.on_error"] is True


def test_leaves_are_renamed_and_removed_with_all_below(nested: Path, invoke: Invoke) -> None:
    invoke("rename", FILE, "providers.openai.retries", "limits.retries")
    assert secrets_of(invoke, "limits.retries") == "3"
    invoke("unset", FILE, "providers.openai")
    assert content(nested).keys() == {"providers", "limits", "hf_token", "_transit"}
    assert content(nested)["providers"].keys() == {"keys"}
    assert (
        "Only the last elements of the list 'providers.keys'"
        in invoke("unset", FILE, "providers.keys.0", status=1).output
    )
    said = invoke("set", FILE, "providers", stdin="x", status=1).output
    assert "holds providers.keys.0, providers.keys.1, which cannot stay beside providers" in said
    assert "would leave a gap" in invoke("set", FILE, "providers.keys.7", stdin="x", status=1).output
    invoke("unset", FILE, "providers.keys.1")
    assert len(content(nested)["providers"]["keys"]) == 1


def secrets_of(invoke: Invoke, name: str) -> str:
    return invoke("show", FILE, name, "--reveal", "--force").output


def test_a_flat_file_is_nested_from_its_upgrade_on(stored: Path, invoke: Invoke) -> None:
    before = stored.read_text()
    said = invoke("set", FILE, "a.b", stdin="x", status=1).output
    assert "mlkeys upgrade" in said
    assert "must be text" in invoke("set", FILE, "a", "--type", "json", stdin="1", status=1).output
    assert stored.read_text() == before
    assert "now has format 2" in invoke("upgrade", FILE).output
    assert stored.read_text() == before.replace("format: 1", "format: 2")
    assert json.loads(invoke("upgrade", FILE, "--json").output)["changed"] is False
    invoke("set", FILE, "a.b", stdin="x")
    assert content(stored).keys() == {"openai_api_key", "gcp", "a", "_transit"}


def test_a_new_file_becomes_what_its_first_secret_needs(allow: Callable[..., None], invoke: Invoke, mount: str) -> None:
    allow("encrypt", "hmac", "verify")
    file = Path("empty.transit.yml")
    new = (str(file), "a", "--key", KEY, "--backend", mount)
    assert 'pass the two characters "" with --type json' in invoke("set", *new, stdin="", status=1).output
    invoke("set", *new, "--type", "json", stdin='""')
    assert content(file)["_transit"]["format"] == 2
    for name, kind, number in (("flat", "text", 1), ("typed", "json", 2), ("a.b", "text", 2)):
        file = Path(f"{name}.transit.yml")
        invoke("set", str(file), name, "--type", kind, "--key", KEY, "--backend", mount, stdin="1")
        assert content(file)["_transit"]["format"] == number


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("{", "not JSON"),
        ('{"a": 1}', "nested"),
        ("nul", "not JSON"),
        ("NaN", "not JSON"),
        ("-Infinity", "not JSON"),
        ("1e400", "too large"),
        ("-1e400", "too large"),
    ],
)
def test_a_value_that_is_none_of_json(stored: Path, invoke: Invoke, value: str, fault: str) -> None:
    assert fault in invoke("set", FILE, "a", "--type", "json", stdin=value, status=1).output
