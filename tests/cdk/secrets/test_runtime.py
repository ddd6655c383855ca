# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys.runtime`: secrets in the memory of a program, from a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import Json
from pydantic import SecretStr

from mlkeys.runtime import SecretsError, UnknownSecret, _secrets, secrets
from mlkeys.runtime._data import field_of
from tests.cdk.secrets.conftest import VALUES, Write
from tests.cdk.stores import KEY, kv_document
from tests.integration.support.plays import approle, live_tokens, may_use
from tests.integration.support.runs import Ledger
from tests.support.server import Bao


@dataclass
class Keys:
    openai_api_key: str
    hf_token: bytes
    other: str = "none"


def test_nothing_is_asked_before_a_secret_is_used_and_then_once(bao: Bao, file: Path) -> None:
    ledger = Ledger(bao)
    keys = secrets(file)
    assert ledger.requests == []
    assert keys["openai_api_key"] == VALUES["openai_api_key"]
    assert dict(keys.items()) == VALUES
    assert [*keys.values()] == [*VALUES.values()]
    assert len(keys) == len(keys.items()) == len(keys.values()) == len(VALUES)
    assert [*keys] == [*VALUES]
    assert (keys.get("hf_token"), keys.get("other"), keys.get("other", "")) == (VALUES["hf_token"], None, "")
    for what in (keys, keys.items(), keys.values()):
        assert not isinstance(what, (Mapping, AbstractSet, Sequence)), "which error trackers unpack"
        assert "canary" not in repr(what)
    for take_all in (dict, vars, lambda given: {**given}):
        # Web frameworks do, for an object that they cannot encode as JSON otherwise.
        with pytest.raises(TypeError):
            take_all(keys)
    assert secrets(file)["hf_token"] == VALUES["hf_token"]
    assert keys.as_bytes("hf_token") == VALUES["hf_token"].encode()
    assert keys.callable("hf_token")() == VALUES["hf_token"]
    assert keys.into(Keys) == Keys(VALUES["openai_api_key"], VALUES["hf_token"].encode())
    assert [operation for operation, _path in ledger.requests] == ["update"], "one request for all"
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


@pytest.mark.parametrize(
    ("hint", "content", "value"),
    [
        (bool, b"false", False),
        (bool, b"Yes", True),
        (bool, Json(b"false"), False),
        (bool | None, b"0", False),
        (int, b"8080", 8080),
        (int, Json(b"8080"), 8080),
        (float, Json(b"3"), 3.0),
        (int | None, Json(b"null"), None),
        (str | None, Json(b"null"), None),
        (str | None, b"null", "null"),
        (str, Json(b"3"), "3"),
        (dict, Json(b"{}"), {}),
        (bytes, b"x", b"x"),
        (list[str], b'["x", "y"]', ["x", "y"]),
        (tuple[int, str], b'[1, "y"]', (1, "y")),
        (dict[str, int], b'{"a": 1}', {"a": 1}),
        (list[bytes], b'["x"]', [b"x"]),
        (list[str] | None, Json(b"null"), None),
        (Literal["x", 3], b"x", "x"),
        (Literal["x", 3], Json(b"3"), 3),
        (Any, b"x", "x"),
        (object, Json(b"3"), 3),
        (int | str, b"x", "x"),
        (Path, b"/a", Path("/a")),
        (SecretStr, b"x", SecretStr("x")),
    ],
)
def test_a_field_gets_a_value_of_its_type(hint: object, content: bytes, value: object) -> None:
    found = field_of("a", hint, content)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("hint", "content"),
    [
        (int, b"sk-canary"),
        (int | None, b"sk-canary"),
        (bool, b"sk-canary"),
        (bool, Json(b"null")),
        (bool, Json(b"7")),
        (str, Json(b"null")),
        (str, b"sk-\xff"),
        (list[str], b"sk-canary"),
        (list[int], b'["sk-canary"]'),
        (dict[str, int], b'["sk-canary"]'),
        (tuple[str, str], b'["sk-canary"]'),
        (Literal["x", 3], b"sk-canary"),
        (Literal["x", 3], b"3"),
    ],
)
def test_what_is_not_a_value_of_a_field_is_not_repeated(hint: object, content: bytes) -> None:
    with pytest.raises(SecretsError, match="'port' is not") as caught:
        field_of("port", hint, content)
    assert caught.value.__context__ is None
    assert "sk-" not in str(caught.value)


def test_no_representation_shows_a_value(file: Path) -> None:
    keys = secrets(file)
    assert keys["openai_api_key"]
    other = secrets(file, password="sk-runtime-canary-9Zw")
    attributes = [getattr(one, name) for one in (keys, other) for name in _secrets.Secrets.__slots__]
    shown = repr(attributes) + repr(keys) + str(keys) + repr(_secrets._open)
    assert not [value for value in (*VALUES.values(), "sk-runtime-canary-9Zw") if value in shown]
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(keys)


def test_what_is_wrong_is_said(bao: Bao, mount: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = secrets(file)
    with pytest.raises(UnknownSecret, match=r"unknown secret 'openai_key'. Did you mean 'openai_api_key'"):
        keys["openai_key"]
    assert keys.get("openai_key") is None
    assert "openai_key" not in keys
    with pytest.raises(SecretsError, match="unknown secret 'nope'"):
        secrets(file, only=["nope"])["nope"]
    with pytest.raises(SecretsError, match="does not exist"):
        secrets(file.with_name("none.transit.yml"))["a"]
    with pytest.raises(TypeError, match=r"unknown option 'role'. Did you mean 'role_id'"):
        secrets(file, role="a")
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "hf_token": stored["openai_api_key"]}))
    with pytest.raises(SecretsError, match=r"Some secrets do not decrypt: hf_token\Z"):
        secrets(file, lifetime=2).renew()
    damaged = secrets(file, keep_stale=False)
    with pytest.raises(SecretsError, match="'hf_token': it does not decrypt: "):
        damaged["hf_token"]
    assert damaged["openai_api_key"] == VALUES["openai_api_key"]
    monkeypatch.setenv("BAO_TOKEN", "s.none")
    with pytest.raises(SecretsError, match="token"):
        secrets(file, lifetime=1)["hf_token"]


def test_a_missing_library_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hvac", None)
    with pytest.raises(SecretsError, match=r"hvac is not installed in .* Install it: pip install hvac"):
        secrets(file)["hf_token"]


def test_a_value_that_is_not_text_is_bytes(bao: Bao, mount: str, file: Path) -> None:
    item = {"plaintext": "/w==", "context": "YmxvYg=="}
    text = bao.done("POST", f"{mount}/encrypt/{KEY}", item)["data"]["ciphertext"]
    file.write_text(json.dumps({"blob": text, "_transit": {"format": 1, "backend": mount, "key": KEY}}))
    assert secrets(file).as_bytes("blob") == b"\xff"
    with pytest.raises(SecretsError, match=r"not UTF-8 text. Use as_bytes\('blob'\)") as raised:
        secrets(file)["blob"]
    assert raised.value.__context__ is None, "it would hold the value"


def test_a_changed_file_a_signal_and_the_end_of_the_lifetime_renew(
    bao: Bao, file: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _frame: received.append(number))
    keys = secrets(file, lifetime=100)
    ledger = Ledger(bao)

    def decrypted() -> int:
        return sum("/decrypt/" in path for _operation, path in ledger.requests)

    assert keys["openai_api_key"] == VALUES["openai_api_key"]
    write({"openai_api_key": "sk-second"})
    assert dict(keys.items()) == {"openai_api_key": "sk-second"}
    os.kill(os.getpid(), signal.SIGHUP)
    assert keys["openai_api_key"] == "sk-second"
    assert received == [signal.SIGHUP], "the program's own handler too"
    assert decrypted() == 3
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 100)
    assert keys["openai_api_key"] == "sk-second"
    assert keys["openai_api_key"] == "sk-second"
    assert decrypted() == 4
    keys.renew()
    assert decrypted() == 5


def test_a_running_program_needs_no_server(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys, strict = secrets(file), secrets(file, keep_stale=False)
    assert keys["openai_api_key"] == strict["openai_api_key"]
    monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
    os.utime(file, ns=(1, 1))
    with caplog.at_level(logging.WARNING, "mlkeys.runtime"):
        assert keys["openai_api_key"] == VALUES["openai_api_key"]
        assert keys["hf_token"] == VALUES["hf_token"]
    (record,) = caplog.records
    assert "stay as they are" in record.getMessage()
    with pytest.raises(SecretsError):
        strict["openai_api_key"]
    with pytest.raises(SecretsError):
        keys.renew()
    assert keys["openai_api_key"] == VALUES["openai_api_key"]
    file.unlink()
    assert keys["openai_api_key"] == VALUES["openai_api_key"]


def test_an_entry_that_does_not_decrypt_any_more_is_kept(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = secrets(file)
    assert keys["hf_token"] == VALUES["hf_token"]
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "hf_token": stored["openai_api_key"]}))
    with caplog.at_level(logging.WARNING, "mlkeys.runtime"):
        assert dict(keys.items()) == VALUES
    assert "do not decrypt any more, and stay as they are: hf_token" in caplog.text


def test_a_file_may_point_to_a_document(bao: Bao, mount: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    pointer = file.with_name("pointer.transit.yml")
    with kv_document(bao, mount, pointer) as document:
        bao.done("POST", document.data, {"data": json.loads(file.read_text())})
        pointer.write_text(document.text)
        assert secrets(pointer)["hf_token"] == VALUES["hf_token"]


def test_folders_and_files_have_all_their_secrets(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "same.transit.json").write_text(file.read_text())
    monkeypatch.chdir(tmp_path)
    assert set(secrets()) == set(secrets(tmp_path)) == set(VALUES)
    with pytest.raises(SecretsError, match="'openai_api_key' is in"):
        secrets(file, "other")["hf_token"]
    monkeypatch.setenv("MLKEYS_FILES", "other:")
    assert secrets()["hf_token"] == VALUES["hf_token"]


def test_threads_and_coroutines_share_one_request(bao: Bao, file: Path) -> None:
    ledger = Ledger(bao)
    keys = secrets(file)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _number: keys["hf_token"], range(16))) == {VALUES["hf_token"]}
    assert len(ledger.requests) == 1

    async def both() -> list[str]:
        return list(await asyncio.gather(keys.fetch("hf_token"), keys.fetch("openai_api_key")))

    keys.close()
    assert asyncio.run(both()) == [VALUES["hf_token"], VALUES["openai_api_key"]]
    assert len(ledger.requests) == 2


def test_a_login_is_used_again_and_revoked_at_the_end(
    bao: Bao, mount: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BAO_TOKEN")
    with approle(bao, may_use(mount), secret_id_num_uses=0) as role:
        ledger = Ledger(bao)
        monkeypatch.setenv("ANSIBLE_HASHI_VAULT_SECRET_ID", role.secret_id)
        with secrets(file, auth_method="approle", mount_point=role.mount, role_id=role.role_id) as keys:
            assert keys["hf_token"] == VALUES["hf_token"]
            keys.renew()
            assert keys["hf_token"] == VALUES["hf_token"]
            assert live_tokens(bao, role) == 1
        assert live_tokens(bao, role) == 0
        assert [path for _operation, path in ledger.requests if "login" in path] == [f"auth/{role.mount}/login"]


def test_one_secret_can_be_granted(
    bao: Bao, mount: str, file: Path, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = (
        f'path "{mount}/decrypt/{KEY}" {{ capabilities = ["update"] required_parameters = ["ciphertext", "context"]\n'
        'allowed_parameters = { "ciphertext" = [], "context" = ["aGZfdG9rZW4="] } }'
    )
    monkeypatch.setenv("BAO_TOKEN", mint_token(grant))
    assert secrets(file, only="hf_token")["hf_token"] == VALUES["hf_token"]
    keys = secrets(file)
    assert keys["hf_token"] == VALUES["hf_token"]
    with pytest.raises(SecretsError, match="'openai_api_key': the token's policies do not allow it"):
        keys["openai_api_key"]


def test_a_forked_process_has_what_its_parent_has_and_revokes_nothing(
    bao: Bao, mount: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BAO_TOKEN")
    with approle(bao, may_use(mount)) as role:
        for name, value in role.environment.items():
            monkeypatch.setenv(name, value)
        keys = secrets(file)
        assert keys["hf_token"] == VALUES["hf_token"]
        child = os.fork()
        if child == 0:
            right = keys["hf_token"] == VALUES["hf_token"]
            keys.renew()
            keys.close()
            os._exit(0 if right and keys._held is None else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert live_tokens(bao, role) == 1


WITHOUT_ANSIBLE = """
import sys
import time
from mlkeys.runtime import secrets
assert not [name for name in ("hvac", "ansible", "jinja2", "click", "rich", "asyncio", "ruamel") if name in sys.modules]
print(secrets(sys.argv[1])["openai_api_key"])
assert "ansible" not in sys.modules
"""


def test_it_needs_no_ansible_and_leaves_it_alone(file: Path) -> None:
    with_it = (
        "from ansible.plugins.loader import init_plugin_loader, lookup_loader\n"
        "init_plugin_loader()\n"
        "keys = secrets(sys.argv[1], only=['hf_token'])\n"
        "print(lookup_loader.get('mlkeys.transit.vault_transit') is not None, keys)\n"
        "print(keys['hf_token'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ANSIBLE + with_it, str(file)], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        VALUES["openai_api_key"],
        f"True <Secrets of {file}>",
        VALUES["hf_token"],
    ], done.stderr


def test_a_signal_does_not_end_a_program_without_a_terminal(file: Path) -> None:
    code = (
        "import os, signal, sys; from mlkeys.runtime import secrets; secrets(sys.argv[1])\n"
        "os.kill(os.getpid(), signal.SIGHUP); print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True, start_new_session=True
    )
    assert done.stdout == "alive\n"
