# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""READMEs, argument specs and defaults of roles agree with each other and with the code that reads the variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import SHAPES
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.host import Host
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.services import MODES, described

from tests.support.collection import ROOT, argument_spec

ROLES = ("vault_transit", "vault_transit_host")


def readme(role: str) -> str:
    return (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")


def documented(role: str) -> dict[str, str]:
    """The variables in the table of the README, and the text for the default of each."""
    table = readme(role).partition("| variable | default | meaning |\n")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for row in table.splitlines()[1:]:
        names, defaults = (cell.strip() for cell in row.split("|")[1:3])
        variables = re.findall(r"`(\w+)`", names)
        texts = defaults.split(", ") if len(variables) > 1 else [defaults]
        assert len(texts) == len(variables), row
        found.update(zip(variables, texts, strict=True))
    return found


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_names_the_variables_of_the_argument_spec_and_their_defaults(role: str) -> None:
    spec, texts = argument_spec(role), documented(role)

    assert list(texts) == list(spec)
    for name, text in texts.items():
        default = spec[name].get("default")
        if default in ("", None) or "{{" in str(default):
            # There is no default, or the README describes it.
            assert not text.startswith("`"), name
        else:
            assert yaml.safe_load(text.strip("`")) == yaml.safe_load(str(default)), name


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_no_playbook_writes_through_links_of_others(playbook: Path) -> None:
    # These modules follow each link, and give each file to the owner that is asked for.
    assert not re.findall(r"ansible\.builtin\.(?:copy|file|template):", playbook.read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_argument_spec(role: str) -> None:
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8"))

    assert list(defaults) == list(argument_spec(role))
    for name, option in argument_spec(role).items():
        if name in ("vault_transit_host_connection", "vault_transit_host_new_ciphertexts"):
            # A dictionary has no default that is a template.
            assert "default" not in option
        else:
            assert defaults[name] == option["default"], name


def texts(spec: object) -> Iterator[str]:
    """Every text of an argument spec that readers see."""
    for name, value in spec.items() if isinstance(spec, dict) else ():
        if name in ("description", "short_description"):
            yield from [value] if isinstance(value, str) else value
        else:
            yield from texts(value)


@pytest.mark.parametrize("role", ROLES)
def test_no_description_of_an_argument_spec_is_a_template(role: str) -> None:
    # Ansible runs the templates of the whole spec before the role begins, those in descriptions too.
    path = ROOT / "roles" / role / "meta/argument_specs.yml"
    described_as = list(texts(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert described_as
    assert [text for text in described_as if re.search(r"\{[{%#]", text)] == []


CANARY = "canary-wrong-type-Vk3"
WRONG_TYPES = {
    "text": f'{CANARY} "x',
    "pairs": f'a="{CANARY}',
    "JSON": f'{{"a": "{CANARY}"',
    "list": [CANARY],
    "dict": {"a": {"b": CANARY}},
}


def secret_options(spec: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The options that hold secrets, each with the names of those that it is in."""
    for name, option in spec.items():
        if option.get("no_log"):
            yield *above, name
        yield from secret_options(option.get("options") or {}, (*above, name))


def given(spec: dict[str, Any], names: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Variables of a role with this value in this option."""
    name, *inner = names
    if inner:
        value = given(spec[name]["options"], tuple(inner), value)
        value = [value] if spec[name]["type"] == "list" else value
    return {name: value}


@pytest.mark.parametrize("wrong", WRONG_TYPES.values(), ids=WRONG_TYPES)
@pytest.mark.parametrize(
    ("role", "names"), [(role, names) for role in ROLES for names in secret_options(argument_spec(role))]
)
def test_a_secret_of_the_wrong_type_is_not_repeated(role: str, names: tuple[str, ...], wrong: Any) -> None:
    spec = argument_spec(role)
    messages = ArgumentSpecValidator(spec).validate(given(spec, names, wrong)).error_messages
    assert CANARY not in "".join(messages)


@pytest.mark.parametrize("role", ROLES)
def test_the_example_of_the_readme_is_valid(role: str) -> None:
    block = readme(role).partition("## Example")[2].partition("```yaml\n")[2].partition("```")[0]
    given = yaml.safe_load(block)
    variables = given if isinstance(given, dict) else given[0]["roles"][0]["vars"]

    assert set(variables) <= set(argument_spec(role))
    assert ArgumentSpecValidator(argument_spec(role)).validate(variables).error_messages == []


SERVICE = argument_spec("vault_transit_host")["vault_transit_host_services"]["options"]
FILE = SERVICE["files"]["options"]


def test_choices_of_a_service_are_those_of_the_code_and_of_the_readme() -> None:
    assert SERVICE["mode"]["choices"] == list(MODES)
    assert FILE["shape"]["choices"] == list(SHAPES)

    rows = re.findall(r"^\| `(\w+)`(?: \(default\))? \| in ", readme("vault_transit_host"), re.MULTILINE)
    assert rows == list(MODES)
    shapes = re.search(r"a `shape`\s+\(((?:`\w+`(?:, )?)+)\)", readme("vault_transit_host"))
    assert shapes is not None
    assert sorted(re.findall(r"`(\w+)`", shapes[1])) == list(SHAPES)


class Recorded(dict[str, Any]):
    """Records which of its entries are read."""

    def __init__(self, **entries: Any) -> None:
        super().__init__(entries)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)


def test_the_code_reads_every_option_of_a_service_and_no_other() -> None:
    file = Recorded(dest="/etc/app.json", shape="json", content={})
    service = Recorded(name="app", mode="plaintext", command=["/usr/bin/app"], files=[file])
    host = Host("http://127.0.0.1:8200", "web", key="ml")

    described([service], [], host)

    assert service.read == set(SERVICE)
    assert file.read == set(FILE)


#: What task names begin with. Add a verb in the imperative where none fits.
VERB = re.compile(
    r"(?:Apply|Back|Build|Check|Compare|Configure|Create|Deliver|Deploy|Describe|Destroy|Evaluate|Find|Grant|Hand|Identify|"
    r"Inspect|Install|List|Load|Lower|Manage|Narrow|Prepare|Raise|Read|Record|Reject|Reload|Remove|Replace|Report|Reset|"
    r"Restart|Restore|Revoke|Rewrap|Roll|Rotate|Search|Show|Start|Stop|Template|Trim|Wait|Warn|Watch|Write)\b"
)
TASK_FILES = [*(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "playbooks").rglob("*.yml")]
_LONGEST = 50


@pytest.mark.parametrize("path", sorted(TASK_FILES), ids=lambda path: str(path.relative_to(ROOT)))
def test_task_names_are_short_imperatives(path: Path) -> None:
    names = re.findall(r"^\s*- name: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in names if not VERB.match(name) or len(name) > _LONGEST] == []


@pytest.mark.parametrize(("tasks", "said"), [("not_up", "health"), ("supervisord", "supervisord")])
def test_what_a_host_says_moves_no_cursor(tasks: str, said: str) -> None:
    """A program of a service, and a server that its agent asks, choose these texts."""
    folder = ROOT / "roles" / "vault_transit_host" / "tasks"
    whole = yaml.safe_load((folder / "main.yml").read_text(encoding="utf-8"))[0]["vars"]
    last = yaml.safe_load((folder / f"{tasks}.yml").read_text(encoding="utf-8"))[-1]
    texts = {
        **{name: whole[name] for name in ("vault_transit_host_unprintable",)},
        **last.get("vars", {}),
        "vault_transit_host_shows_log": "tail",
        "inventory_hostname": "one",
    }
    variables = {name: marked(text, template=True) for name, text in texts.items()}
    hostile = "up\x1b[31m \x9b31m \u202e\x07\nand\tdown é"
    facts: dict[str, Any] = {
        f"vault_transit_host_{said}": {"stdout": hostile, "stderr": "\x1b"},
        "vault_transit_host_service": {"name": "gw"},
        "vault_transit_host_keeps": False,
    }
    shown = Templar(DataLoader(), variables={**variables, **facts}).template(
        marked(last["ansible.builtin.fail"]["msg"], template=True)
    )
    assert "up?[31m ?31m ??\nand" in shown
    assert not re.search(r"[^\n\x20-\x7eé]", shown.replace("\t", ""))
