# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies: which rules a use of a key takes, how rules become one text, and which texts are the same."""

from __future__ import annotations

import base64
import fnmatch
import re

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import (
    CAPABILITIES,
    FOR_SECRETS,
    USES,
    Rule,
    grant_rules,
    hcl,
    merged,
    read_rules,
    same_policy,
    same_rules,
)
from hypothesis import given
from hypothesis import strategies as st

# What each use allows with the key `ml`, as capability and path below the engine.
DOES: dict[str, set[tuple[str, str]]] = {
    "backup": {("read", "keys/ml"), ("read", "backup/ml"), ("update", "restore/ml")},
    "datakey": {("update", "datakey/plaintext/ml"), ("update", "datakey/wrapped/ml")},
    "decrypt": {("update", "decrypt/ml")},
    "delete": {("read", "keys/ml"), ("delete", "keys/ml")},
    "encrypt": {("update", "encrypt/ml")},
    "hmac": {("update", "hmac/ml")},
    "import": {
        ("read", "keys/ml"),
        ("update", "keys/ml/import"),
        ("update", "keys/ml/import_version"),
        ("read", "wrapping_key"),
    },
    "provision": {("read", "keys/ml"), ("update", "keys/ml"), ("update", "keys/ml/config")},
    "read": {("read", "keys/ml")},
    "rewrap": {("update", "rewrap/ml")},
    "rotate": {
        ("read", "keys/ml"),
        *(("update", f"keys/ml/{what}") for what in ("config", "rotate", "trim")),
        *(("update", f"{what}/ml") for what in ("hmac", "rewrap", "verify")),
    },
    "sign": {("update", "sign/ml")},
    "trim": {("read", "keys/ml"), ("update", "keys/ml/trim")},
    "verify": {("update", "hmac/ml"), ("update", "verify/ml")},
}
# What it allows with the engine's other keys as well: to identify their ciphertexts.
BESIDE: dict[str, set[tuple[str, str]]] = {
    "import": {("read", "wrapping_key")},
    "rotate": {("read", "keys/ml"), ("update", "rewrap/ml")},
}
EVERYTHING = set.union(*DOES.values()) | {(capability, "keys/ml/rotate") for capability in CAPABILITIES}


def allows(rules: tuple[Rule, ...], capability: str, path: str) -> bool:
    """As the server reads a path: `+` is one part of it, a `*` at its end the rest."""
    return any(
        capability in rule.capabilities
        and re.fullmatch("[^/]+".join(fnmatch.translate(part)[4:-3] for part in rule.path.split("+")), path)
        for rule in rules
    )


def test_the_table_has_every_use() -> None:
    assert set(DOES) == set(USES)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("key", ["ml", None])
def test_a_use_allows_its_operations_and_nothing_else(use: str, key: str | None) -> None:
    rules = grant_rules(use, "a/transit", key)
    for capability, path in EVERYTHING:
        assert allows(rules, capability, f"a/transit/{path}") is ((capability, path) in DOES[use]), (capability, path)
    # Another key's only where all keys are meant.
    for capability, path in DOES[use]:
        expected = key is None or (capability, path) in BESIDE.get(use, set())
        assert allows(rules, capability, f"a/transit/{path.replace('ml', 'other')}") is expected, (capability, path)


@pytest.mark.parametrize("use", USES)
def test_no_path_covers_more_than_needed(use: str) -> None:
    for key in ("ml", None):
        for rule in grant_rules(use, "transit", key):
            assert "*" not in rule.path
            assert "create" not in rule.capabilities
            assert "sudo" not in rule.capabilities


def test_all_keys_bring_the_list_and_for_provisioning_the_engine() -> None:
    assert {rule.path: rule.capabilities for rule in grant_rules("provision", "transit")} == {
        "transit/keys/+": ("read", "update"),
        "transit/keys/+/config": ("update",),
        "sys/mounts/transit": ("read", "update"),
        "sys/mounts/transit/tune": ("read", "update"),
        "transit/keys": ("list",),
        "transit/config/keys": ("read", "update"),
        "transit/cache-config": ("read", "update"),
    }
    assert Rule("transit/keys", ("list",)) in grant_rules("read", "transit")


@pytest.mark.parametrize("key", ["ml", None])
def test_a_rotator_configures_nothing_but_the_two_floors(key: str | None) -> None:
    rules = {rule.path: rule for rule in grant_rules("rotate", "transit", key)}
    config = rules.pop(f"transit/keys/{key or '+'}/config")
    assert config.allowed == {"min_decryption_version": (), "min_encryption_version": ()}
    assert all(rule.allowed is None for rule in rules.values())
    assert rules["transit/keys"].capabilities == ("list",)


@pytest.mark.parametrize("key", ["ml", None])
def test_an_importer_sets_nothing_that_cannot_be_undone(key: str | None) -> None:
    rules = {rule.path: rule for rule in grant_rules("import", "transit", key)}
    allowed = rules.pop(f"transit/keys/{key or '+'}/import").allowed
    assert allowed is not None
    assert set(allowed) == {"ciphertext", "derived", "hash_function", "public_key", "type"}
    assert all(rule.allowed is None for rule in rules.values())


@pytest.mark.parametrize("use", FOR_SECRETS)
def test_single_secrets_are_distinguished_by_their_contexts(use: str) -> None:
    [rule] = grant_rules(use, "transit", "ml", ["openai", "käse"])
    value = "plaintext" if use == "encrypt" else "ciphertext"
    contexts = tuple(base64.b64encode(name.encode()).decode() for name in ("openai", "käse"))
    version = {} if use == "decrypt" else {"key_version": ()}
    assert rule == Rule(
        f"transit/{use}/ml", ("update",), {value: (), "context": contexts, **version}, ("context", value)
    )


def test_restrictions_are_written_as_the_server_reads_them() -> None:
    rule = Rule("transit/decrypt/ml", ("update",), {"ciphertext": (), "context": ("b3Bl", "a8Ok")}, ("context",))
    assert hcl([rule, Rule("a", ("read", "list"))], "what\n\nfor") == (
        "# what\n#\n# for\n"
        'path "a" {\n  capabilities = ["read", "list"]\n}\n'
        'path "transit/decrypt/ml" {\n'
        '  capabilities = ["update"]\n'
        '  required_parameters = ["context"]\n'
        "  allowed_parameters = {\n"
        '    "ciphertext" = []\n'
        '    "context" = ["b3Bl", "a8Ok"]\n'
        "  }\n}\n"
    )


def test_rules_of_one_path_become_one() -> None:
    rules = [
        Rule("b", ("update",)),
        Rule("a", ("read",), {"x": ("1",), "y": ()}),
        Rule("b", ("read",)),
        Rule("a", ("read",), {"x": ("2", "1"), "y": ("3",)}),
    ]
    assert merged(rules) == (
        Rule("a", ("read",), {"x": ("1", "2"), "y": ()}),
        Rule("b", ("read", "update")),
    )


def test_what_is_free_in_one_of_them_is_free() -> None:
    restricted = Rule("a", ("update",), {"x": ("1",)})
    free = Rule("a", ("read", "update"))
    assert merged([restricted, free]) == (free,)


def test_nothing_is_freed_that_none_of_them_frees() -> None:
    restricted = Rule("a", ("read", "update"), {"x": ("1",)})
    with pytest.raises(ValueError, match=r"'a' cannot be one: one restricts parameters for update, and the other"):
        merged([restricted, Rule("a", ("read", "list"))])


@pytest.mark.parametrize("other", [Rule("a", ("read",), {"y": ()}), Rule("a", ("read",), {"x": ()}, ("x",))])
def test_different_restrictions_do_not_add_up(other: Rule) -> None:
    with pytest.raises(ValueError, match="two rules for 'a' restrict different parameters"):
        merged([Rule("a", ("read",), {"x": ()}), other])


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)


@given(texts, st.lists(st.sampled_from(CAPABILITIES), min_size=1, unique=True), texts)
def test_a_text_is_always_the_same_as_itself_with_other_blanks(path: str, capabilities: list[str], value: str) -> None:
    text = hcl([Rule(path, tuple(capabilities), {"x": (value,)})], "what\nfor")
    assert same_policy(text, text)
    # Strings are quoted, so what stands between them is known.
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', text.partition("path")[2])
    wide = "".join(piece if number % 2 else piece.replace(" ", " \n\t") for number, piece in enumerate(pieces))
    assert same_policy(text, f"{text.partition('path')[0]}\n\npath  {wide}\n")


names = st.lists(texts, max_size=3, unique=True).map(tuple)
rules = st.builds(
    Rule,
    texts,
    st.lists(st.sampled_from(CAPABILITIES), min_size=1, unique=True).map(tuple),
    st.none() | st.dictionaries(texts, names, max_size=3),
    names,
)


@given(st.lists(rules, max_size=4, unique_by=lambda rule: rule.path), texts)
def test_what_was_written_is_read_again(written: list[Rule], comment: str) -> None:
    read = read_rules(hcl(written, comment))
    assert same_rules(read, written)
    assert same_policy(hcl(read), hcl(written))


@pytest.mark.parametrize(
    "policy",
    [
        'path "a" { policy = "read" }',
        'path "a" { capabilities = ["read"] denied_parameters = { "x" = [] } }',
        'path "a" { capabilities = "read" }',
        'path "a" { capabilities = ["read"]',
        'path "a" { capabilities = ["read"] min_wrapping_ttl = "1s" }',
        'path "a" { capabilities = ["read"] } path "a" { capabilities = ["update"] }',
        "path a { }",
        "path",
        'name = "x"',
        '{"path": {"a": {"capabilities": ["read"]}}}',
    ],
)
def test_what_it_does_not_write_is_not_read(policy: str) -> None:
    with pytest.raises(ValueError, match="the policy"):
        read_rules(policy)


@pytest.mark.parametrize(
    ("text", "another", "same"),
    [
        ('path "a" {}', 'path"a"{}', True),
        ('path "a" {} # x', 'path "a" {} #  x', False),
        ('# x   \npath "a" {}', '# x\n\n\npath "a" {}', True),
        ('path "a b" {}', 'path "a  b" {}', False),
        ('path "a" {}', 'path "b" {}', False),
        ("a b", "ab", False),
        ("", "  \n", True),
        ('{"path": {"a": {}}}', '{"path":{"a":{}}}', True),
    ],
)
def test_what_counts_as_the_same(text: str, another: str, same: bool) -> None:
    assert same_policy(text, another) is same
    assert same_policy(another, text) is same
