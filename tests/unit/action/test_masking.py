# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result shows of options: nothing of secret ones, nothing of misspelt ones, all of the others."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import FileError, InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import (
    MASK,
    Module,
    ending,
    masked,
    occurring,
    worth_masking,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import connection_spec
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.importing import ImportingAction
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.spelling import spec_of, spelling_problem

from tests.support.modules import module_arguments

CANARY = "canary-misspelt-Qz7"
# Ansible's class has no types.
MODULE: Any = Module
MODULES = sorted(path.stem for path in (Path(__file__).parents[3] / "plugins" / "modules").glob("*.py"))


def test_short_and_common_values_are_not_worth_masking() -> None:
    assert worth_masking(["1", "root", "", "seven77", "Password", "sk-long-enough"]) == {"sk-long-enough"}


def test_of_many_secrets_only_those_that_show_are_searched_for() -> None:
    secrets = {f"sk-secret-number-{number:04}" for number in range(500)}
    shown = {
        "a": ["x sk-secret-number-0001 y", {"sk-secret-number-0002": b"\xff sk-secret-number-0003"}],
        "b": (None, 1),
    }
    found = occurring(secrets, [shown, "ends with sk-secret-number-0004", "cut: k-secret-number-00"])
    assert found == {f"sk-secret-number-{number:04}" for number in (1, 2, 3, 4)}
    assert occurring({"11111111", "22222222"}, {"number": 311111111}) == {"11111111"}


def test_secret_options_are_masked_by_their_name() -> None:
    spec = {
        **connection_spec(),
        "files": {"type": "list", "options": {"secret": {"no_log": True}, "path": {}}},
        "renamed": {"no_log": True, "aliases": ["other"]},
        "place": {"no_log": False},
    }
    options = {
        "token": "root",
        "password": "",
        "secret_id": None,
        "url": "https://user:hunter2@host:8200,http://host",
        "proxies": {"https": "http://user:hunter2@proxy"},
        "files": [{"secret": "1", "path": "root"}],
        "other": "x",
        "place": "root",
    }
    assert masked(options, spec) == {
        "token": MASK,
        "password": "",
        "secret_id": None,
        "url": "https://host:8200,http://host",
        "proxies": {"https": "http://proxy"},
        "files": [{"secret": MASK, "path": "root"}],
        "other": MASK,
        "place": "root",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "root-key"}, "missing required arguments: age"),
        ({"name": "root-key", "age": "1 day"}, "argument 'age' is of type TYPE and we were unable to convert to int"),
        ({"name": "root-key", "age": 1, "kind": "root"}, "value of kind must be one of: file, kv, got: root"),
        ({"name": "root-key", "age": 1, "secrets": "1"}, "argument 'secrets' is of type TYPE"),
    ],
)
def test_options_that_ansible_refuses_are_masked_as_others(given: dict[str, Any], said: str) -> None:
    """Ansible itself ends the module then, before any code of ours runs."""
    given = {"token": "root", "secrets": {"a": "1", "b": "file", "c": CANARY}, **given}
    printed = io.StringIO()
    with module_arguments(given), contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        MODULE(
            argument_spec={
                "token": {"no_log": True},
                "secrets": {"type": "dict", "no_log": True},
                "name": {},
                "age": {"type": "int", "required": True},
                "kind": {"choices": ["file", "kv"]},
            }
        )
    result = json.loads(printed.getvalue())
    # Releases name the type in two ways.
    assert result["msg"].replace("<class 'str'>", "TYPE").replace("of type str", "of type TYPE").startswith(said)
    assert CANARY not in printed.getvalue()
    if "invocation" in result:
        shown = result["invocation"]["module_args"]
        assert (shown["token"], shown["secrets"], shown["name"]) == (MASK, MASK, "root-key")


def test_the_log_of_a_machine_has_no_secret_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible logs the options there before any code of the module runs."""
    logged: list[Mapping[str, Any]] = []
    monkeypatch.setattr(MODULE, "log", lambda _module, _msg, log_args: logged.append(log_args))
    many = {f"name{number}": f"sk-secret-number-{number:04}" for number in range(500)}
    keys = [{"name": "a", "material": f"sk-material-{number:04}"} for number in range(30)]
    given = {"secrets": many, "keys": keys, "path": "/srv/sk-secret-number-0007/1234567", "pin": "1234567"}
    nested = {"name": {}, "material": {"no_log": True}}
    spec: dict[str, Any] = {"secrets": {"type": "dict", "no_log": True}, "path": {}, "pin": {"no_log": True}}
    spec |= {"keys": {"type": "list", "elements": "dict", "no_log": False, "options": nested}}
    with module_arguments(given):
        made = MODULE(argument_spec=spec)
    (shown,) = logged
    assert shown["path"] == "/srv/********/********"
    assert "sk-" not in str(shown)
    assert "1234567" not in str(shown)
    assert "'name': 'a'" in shown["keys"]
    assert {*many.values(), "1234567", "sk-material-0029"} <= made.no_log_values


@pytest.mark.parametrize("failed", [False, True])
def test_a_result_is_masked(failed: bool) -> None:
    printed = io.StringIO()
    given = {"token": "root", "other": CANARY, "name": "root-key"}
    with module_arguments(given):
        made = MODULE(argument_spec={"token": {"no_log": True}, "other": {"no_log": True}, "name": {}})
        end = made.fail_json if failed else made.exit_json
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
            end(msg=f"root {CANARY}")
    assert json.loads(printed.getvalue())["msg"] == "root ********"
    assert made.params == {"token": MASK, "other": MASK, "name": "root-key"}


def test_a_module_ends_outside_of_handlers_so_that_ansible_adds_no_traceback() -> None:
    ended: list[tuple[dict[str, Any], Any]] = []
    module = cast(
        "AnsibleModule",
        SimpleNamespace(
            params={},
            argument_spec={},
            no_log_values=set(),
            fail_json=lambda msg, **result: ended.append(({"msg": msg, **result}, sys.exc_info()[1])),
        ),
    )

    @ending
    def run(_module: AnsibleModule) -> None:
        try:
            Path(f"/nonexistent/{CANARY}").stat()
        except OSError:
            raise FileError("It cannot be read.", changed=True) from None

    run(module)
    assert ended == [({"msg": "It cannot be read.", "changed": True}, None)]


# Misspelt options


@pytest.mark.parametrize("module", MODULES)
def test_the_options_of_each_module_are_known(module: str) -> None:
    spec = spec_of(module)
    names = {*spec, *(alias for option in spec.values() for alias in option.get("aliases", ()))}
    assert {"url", "cacert"} <= names
    assert spelling_problem(module, dict.fromkeys([*names, "_ansible_verbosity"])) == ""


@pytest.mark.parametrize(
    ("module", "given", "said"),
    [
        ("vault_transit_vars", {"secret": 1}, "does not have the option 'secret'. Did you mean 'secrets'?"),
        ("vault_transit_key", {"Token": 1}, "does not have the option 'Token'. Did you mean 'token'?"),
        ("vault_transit_secret_id", {"role_name": CANARY}, "option 'role_name'. Did you mean 'role'?"),
        ("vault_transit_approle", {"role_name": CANARY}, "option 'role_name'. Did you mean 'name'?"),
        ("vault_transit_vars", {"dest": 1}, "option 'dest'. Did you mean 'path'?"),
        ("vault_transit_file", {"contents": 1, "owner": 1}, "option 'contents'. Did you mean 'content'?"),
        ("vault_transit_key", {"content": CANARY}, "option 'content'. Did you mean 'import.content'?"),
        ("vault_transit_keys", {"keys": [{"src": CANARY}]}, "option 'keys.src'. Did you mean 'import.src'?"),
        ("vault_transit_key", {"zzzzz": 1, "\x1b[": 1}, "options 'zzzzz' and '\\x1b['. Nothing was done."),
        ("vault_transit_keys", {"keys": [{"name": "a"}, {"nam": CANARY}]}, "'keys.nam'. Did you mean 'name'?"),
        ("vault_transit_unwrap", {"files": ["field=a paht=b"]}, "'files.paht'. Did you mean 'path'?"),
        ("vault_transit_unwrap", {"files": [f'{{"feld": "{CANARY}"}}']}, "'files.feld'. Did you mean 'field'?"),
        ("vault_transit_policy", {"grants": {"alow": [CANARY], "key": 1}}, "'grants.alow'. Did you mean 'allow'?"),
    ],
)
def test_a_misspelt_option_is_named(module: str, given: dict[str, Any], said: str) -> None:
    problem = spelling_problem(module, given)
    assert said in problem
    assert CANARY not in problem


@pytest.mark.parametrize("in_list", [False, True])
@pytest.mark.parametrize("material", [f"{CANARY}=", f"content={CANARY}", [CANARY]])
def test_material_in_place_of_the_option_import_is_not_read_as_names(material: object, *, in_list: bool) -> None:
    """Base64 ends as a name that has no value."""
    key = {"name": "a", "import": material}
    task = SimpleNamespace(args={"keys": [key]} if in_list else key)
    with pytest.raises(InvalidOption, match=r"^import must be a dictionary with src, content, ") as refused:
        ImportingAction._check_names(cast("Any", SimpleNamespace(_task=task)))
    assert CANARY not in refused.value.message


def test_what_cannot_be_understood_of_options_within_options_is_masked() -> None:
    spec = {"files": {"type": "list", "options": {"path": {}}}, "one": {"type": "dict", "options": {"path": {}}}}
    assert masked({"files": [CANARY, {"path": "a"}], "one": CANARY}, spec) == {
        "files": [MASK, {"path": "a"}],
        "one": MASK,
    }
