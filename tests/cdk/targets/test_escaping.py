# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""No text of a program can break out of a string in either target: each is read back."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkeys import HostConfig, Inventory, Secret
from mlkeys import transit as vault
from mlkeys._constructs.host_config import SHAPES
from mlkeys._constructs.inventory import Template
from mlkeys._errors import AppInvalid
from mlkeys._model.marks import Target
from mlkeys._shared.shapes import UnsupportedValue, rendered
from mlkeys._targets.ansible import jinja
from mlkeys._targets.ansible.content import SHAPE_OF
from mlkeys._targets.ansible.jinja import Expression as JinjaExpression
from mlkeys._targets.ansible.yaml import document
from mlkeys._targets.json_text import json_text
from mlkeys._targets.terraform.text import Expression, template
from tests.cdk import readers
from tests.cdk.apps import files, stack

# Everything special in YAML, Jinja, HCL or JSON, in any order, between other characters.
_PIECES = [
    *(
        "${",
        "$${",
        "%{",
        "%%{",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{",
        "}",
        "$",
        "%",
        "${{ x }}",
        "{{ 7 * 7 }}",
        "%c",
    ),
    *(
        "{% raw %}",
        "{% endraw %}",
        "#jinja2: variable_start_string:'['\n",
        "'",
        '"',
        "''",
        '""',
        "\\",
        "\\n",
        "\n",
        "\t",
    ),
    *(
        " ",
        "#",
        ": ",
        "- ",
        "!unsafe ",
        "|",
        ">",
        "&a",
        "*a",
        "---",
        "...",
        "~",
        "null",
        "true",
        "0x1",
        "1e3",
        "=",
        "@",
    ),
    *("[", "]", ",", "`", "é", "\u2028", "\u0085", "\u00a0", "😀"),
]
# Control characters, surrogates and the byte order mark are refused; private characters mark references.
_CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Co"], exclude_characters="\ufeff")
TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(_CHARACTERS, max_size=5)), max_size=12).map("".join)

KEYWORDS = [keyword for keyword in SHAPES if keyword not in ("template", "agent")]

quickly = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
REFERENCE = Target("x", "y")


@quickly
@given(TEXTS, TEXTS)
def test_text_in_yaml_is_read_back_by_ansible(text: str, name: str) -> None:
    loaded = readers.ansible(
        document({"value": text, "list": [text, {"deep": text}], "names": {name or "n": 1}}, text[:0])
    )
    assert loaded["value"] == text
    assert loaded["list"] == [text, {"deep": text}]
    assert list(loaded["names"]) == [name or "n"]


@quickly
@given(TEXTS, TEXTS)
def test_text_beside_a_reference_is_read_back_by_ansible(before: str, after: str) -> None:
    value = jinja.value(
        [piece for piece in (before, REFERENCE, after) if piece], lambda _: JinjaExpression("reference")
    )
    assert isinstance(value, Template)
    assert readers.ansible(document({"value": value}))["value"] == f"{before}VALUE{after}"


@quickly
@given(TEXTS, TEXTS)
def test_text_in_a_template_is_rendered_as_itself(before: str, after: str) -> None:
    made = f"# {jinja.in_file(before)}{{{{ reference }}}}{jinja.in_file(after)}"
    assert readers.ansible_template(made) == f"# {before}VALUE{after}"


@pytest.mark.parametrize("reader", readers.TERRAFORM_READERS, ids=lambda reader: str(reader.__name__))
def test_text_in_terraform_is_read_back(reader: Callable[[Sequence[str]], list[str]]) -> None:
    collected: list[str] = []

    @settings(max_examples=200, deadline=None, database=None)
    @given(TEXTS, TEXTS)
    def collect(before: str, after: str) -> None:
        collected.extend((before, after))

    collect()
    plain = [template([text], lambda _: Expression("var.reference")) for text in collected]
    mixed = [
        template([piece for piece in (text, REFERENCE, text) if piece], lambda _: Expression("var.reference"))
        for text in collected
    ]
    found = reader([*plain, *mixed])
    # Terraform normalises Unicode.
    wanted = [
        unicodedata.normalize("NFC", text) for text in (*collected, *(f"{text}VALUE{text}" for text in collected))
    ]
    assert [unicodedata.normalize("NFC", text) for text in found] == wanted


SCALARS = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats())
DATA = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4))
)


@quickly
@given(DATA)
def test_json_is_the_same_as_that_of_the_standard_library(data: Any) -> None:
    assert json_text(data) == json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("depth", range(6))
def test_large_objects_are_written_like_small_ones(depth: int) -> None:
    data: Any = {f"{number}": {"inner": {}, "list": [number, {"a": 1}]} for number in range(40)}
    for _level in range(depth):
        data = {"a": data, "b": {}, "c": [data]}
    assert json_text(data) == json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@quickly
@given(TEXTS)
def test_text_goes_through_a_whole_app(text: str) -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "e", path="p", description=text)
    vault.TransitSecretBackend(s, "f", path="q", description=f"{engine.path}{text}{engine.path}")
    made = files(s)
    loaded = readers.ansible(made["ansible/s/site.yml"])[0]["tasks"]
    described = [task["mlkeys.transit.vault_transit_backend"]["description"] for task in loaded]
    assert described == [text, f"p{text}p"]
    mounts = json.loads(made["terraform/s/cdk.tf.json"])["resource"]["vault_mount"]
    assert readers.terraform_template(mounts["e"]["description"]) == text
    assert readers.terraform_template(mounts["f"]["description"].replace("vault_mount.e.path", "var.reference")) == (
        f"VALUE{text}VALUE"
    )


def shaped(**content: Any) -> str:
    """Return the content of a file on a host, as Ansible renders it."""
    s = stack(targets=("ansible",))
    HostConfig(s, "c", hosts=Inventory(s, "i").group("web", ["h"]), dest="/etc/x", **content)
    return readers.ansible_template(files(s)["ansible/s/templates/c.j2"])


@quickly
@given(st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.lists(TEXTS, max_size=3))))
def test_data_in_the_shapes_is_read_back(data: dict[str, Any]) -> None:
    nested = {"outer": data, "list": [data, "x"]}
    assert json.loads(shaped(json=nested)) == nested
    assert yaml.safe_load(shaped(yaml=nested)) == nested


@quickly
@given(
    st.dictionaries(
        TEXTS, st.one_of(TEXTS, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.lists(TEXTS, max_size=3))
    )
)
def test_data_in_toml_is_read_back(data: dict[str, Any]) -> None:
    nested = {"first": 1, "inner": {"deep": data}, "table": data}
    assert tomllib.loads(shaped(toml=nested)) == nested


@quickly
@given(TEXTS, st.sampled_from(["env", "environment_file", "exports"]))
def test_variables_are_quoted_as_in_any_file(text: str, keyword: str) -> None:
    shape = SHAPE_OF.get(keyword, keyword)
    assert shaped(**{keyword: {"A": text, "B": 5}}) == rendered(shape, {"A": text, "B": 5})


@quickly
@given(TEXTS, TEXTS, st.sampled_from(KEYWORDS))
def test_what_ansible_puts_in_is_quoted_as_in_any_file(before: str, found: str, keyword: str) -> None:
    s = stack(targets=("ansible",))
    key = vault.TransitSecretBackendKey(s, "k", backend="transit", name="k")
    secret = key.encrypt(Secret.env("X"), name="secret").ciphertext
    content: dict[str, Any] = {keyword: {"A": secret, "B": f"{before}{secret}"}}
    HostConfig(s, "c", hosts=Inventory(s, "i").group("web", ["h"]), dest="/etc/x", **content)
    shape = SHAPE_OF.get(keyword, keyword)
    try:
        rendered(shape, {"B": before})
    except UnsupportedValue as refused:
        with pytest.raises(AppInvalid, match=re.escape(str(refused))):
            files(s)
        return
    template = files(s)["ansible/s/templates/c.j2"]
    try:
        expected = rendered(shape, {"A": found, "B": before + found})
    except UnsupportedValue as refused:
        with pytest.raises(AnsibleError, match=re.escape(str(refused))):
            readers.ansible_template(template, secret=found)
        return
    assert readers.ansible_template(template, secret=found) == expected
