# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Merges of encrypted vars files: what each side meant stays, or it is a conflict."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import Edits, update
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    FLAT,
    NESTED,
    Entry,
    VarsFile,
    parse,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.merging import merge, of_one_key
from hypothesis import given
from hypothesis import strategies as st

#: A value, and the key version of its ciphertext.
State = tuple[str, int]


def entry(name: str, state: State) -> Entry:
    value, version = state
    return Entry(name, f"vault:v{version}:{value}{version}", f"vault:v1:{value}")


def file(states: Mapping[str, State | None]) -> VarsFile:
    entries = {name: entry(name, state) for name, state in states.items() if state is not None}
    return VarsFile("keys.transit.yml", "text", "transit", "ml", "", entries)


def outcome(base: State | None, ours: State | None, theirs: State | None) -> State | str | None:
    """What is in the file after a merge."""
    mine = file({"a": ours})
    merged = merge(file({"a": base}), mine, file({"a": theirs}))
    if merged.conflicts:
        return "conflict"
    if "a" in merged.edits.removed:
        return None
    states = {entry("a", (value, version)).ciphertext: (value, version) for value in "xyz" for version in (1, 2)}
    left = mine.entries.get("a")
    ciphertext = merged.edits.ciphertexts.get("a", left.ciphertext if left else "")
    return states.get(ciphertext)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (None, ("x", 1), None, ("x", 1)),
        (None, None, ("x", 1), ("x", 1)),
        (("x", 1), ("x", 1), ("y", 1), ("y", 1)),
        (("x", 1), ("y", 1), ("x", 1), ("y", 1)),
        (("x", 1), ("x", 2), ("y", 1), ("y", 1)),
        (("x", 1), ("y", 1), ("x", 2), ("y", 1)),
        (("x", 1), ("x", 2), ("x", 1), ("x", 2)),
        (("x", 1), ("x", 1), ("x", 2), ("x", 2)),
        (("x", 1), None, ("x", 1), None),
        (("x", 1), ("x", 1), None, None),
        (("x", 1), ("x", 2), None, None),
        (("x", 1), None, ("y", 1), "conflict"),
        (("x", 1), ("y", 1), None, "conflict"),
        (("x", 1), ("y", 1), ("z", 1), "conflict"),
        (None, ("x", 1), ("y", 1), "conflict"),
        (None, ("x", 1), ("x", 2), ("x", 2)),
        (("x", 1), ("y", 1), ("y", 2), ("y", 2)),
    ],
)
def test_an_entry_is_what_both_sides_meant(
    base: State | None, ours: State | None, theirs: State | None, expected: State | str | None
) -> None:
    assert outcome(base, ours, theirs) == expected


@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_rotation_that_renews_the_fingerprint_changes_no_value(is_swapped: bool) -> None:
    """With permission to decrypt, it makes the fingerprint with the latest version of the key, too."""
    base = file({"a": ("x", 1)})
    new = replace(entry("a", ("x", 2)), fingerprint="vault:v2:x")
    rewrapped = replace(new, bound_to=digest(new.ciphertext), first=base.entries["a"].origin)
    sides = [replace(base, entries={"a": rewrapped}), file({"a": ("y", 2)})]
    merged = merge(base, *(reversed(sides) if is_swapped else sides))
    assert not merged.conflicts
    assert list(merged.edits.ciphertexts.values()) == ([] if is_swapped else [entry("a", ("y", 2)).ciphertext])

    # Lines of two sides: nothing proves that the value is the same.
    unproved = replace(rewrapped, bound_to=digest("another"))
    assert merge(base, replace(base, entries={"a": unproved}), sides[1]).conflicts == ["a"]


STATES = st.none() | st.tuples(st.sampled_from("xyz"), st.sampled_from([1, 2]))


@given(STATES, STATES, STATES)
def test_sides_can_be_swapped(base: State | None, ours: State | None, theirs: State | None) -> None:
    one, other = outcome(base, ours, theirs), outcome(base, theirs, ours)
    values = [found[0] if isinstance(found, tuple) else found for found in (one, other)]
    assert values[0] == values[1]


@given(STATES, STATES)
def test_a_side_that_changed_nothing_yields(base: State | None, theirs: State | None) -> None:
    found = outcome(base, base, theirs)
    assert (found and found[0]) == (theirs and theirs[0])


def mixed(states: Mapping[str, State | str | None]) -> VarsFile:
    """A file with texts for the values that it leaves without encryption."""
    plain = {name: state for name, state in states.items() if isinstance(state, str)}
    sealed = file({name: state for name, state in states.items() if not isinstance(state, str)})
    return replace(sealed, open=plain, format=NESTED)


def value_of(state: State | str | None) -> object:
    """What two states have in common that mean the same. Another encryption of the same value changes nothing."""
    return state[0:1] if isinstance(state, tuple) else state


MIXED = STATES | st.sampled_from(["x", "y", "z"])


@given(MIXED, MIXED, MIXED)
def test_a_value_that_both_sides_changed_is_a_conflict_also_without_encryption(
    base: State | str | None, ours: State | str | None, theirs: State | str | None
) -> None:
    sides = [mixed({"a": state, "b": ("x", 1)}) for state in (base, ours, theirs)]
    before, mine, yours = map(value_of, (base, ours, theirs))
    assert merge(*sides).conflicts == (["a"] if mine != yours and before not in (mine, yours) else [])


def test_data_around_a_value_without_encryption_is_a_conflict() -> None:
    base = mixed({"b": ("x", 1)})
    ours, theirs = mixed({"b": ("x", 1), "a": "eu"}), mixed({"b": ("x", 1), "a.b": ("y", 1)})
    assert merge(base, ours, theirs).conflicts
    assert merge(base, theirs, ours).conflicts


def test_entries_without_proof_of_the_same_value_are_different() -> None:
    plain = {version: Entry("a", f"vault:v{version}:x") for version in (1, 2, 3)}
    files = [VarsFile("k", "t", "transit", "ml", "", {"a": plain[version]}) for version in (1, 2, 3)]
    assert merge(*files).conflicts == ["a"]


def test_a_fingerprint_of_another_ciphertext_is_not_bound_again() -> None:
    """Anyone who writes the file next has to notice it."""
    base = VarsFile("k", "t", "transit", "ml", "", {})
    misbound = Entry("a", "vault:v1:x", "vault:v1:fp", digest("vault:v1:other"))
    edits = merge(base, base, VarsFile("k", "t", "transit", "ml", "", {"a": misbound})).edits
    assert edits.fingerprints == {"a": f"vault:v1:fp {digest('vault:v1:other')}"}


def test_files_of_several_keys_are_not_merged() -> None:
    assert of_one_key(file({}), file({}))
    assert not of_one_key(file({}), VarsFile("k", "text", "transit", "other"))
    # A file that both sides added has no ancestor.
    assert of_one_key(VarsFile("k"), file({}), file({}))


@pytest.mark.parametrize("kind", [FLAT, NESTED])
def test_git_alone_merges_what_two_people_add(kind: int, tmp_path: Path) -> None:
    def added(text: str, *names: str) -> str:
        above = "p." if kind == NESTED else ""
        ciphertexts = {f"{above}{name}": f"vault:v1:{name}" for name in names}
        return update(parse(text, "a.transit.yml"), Edits("transit", "ml", "ml", ciphertexts, ciphertexts, [], kind))

    base = added("", "openai", "anthropic", "hf")
    texts = {"ours": added(base, "mistral"), "base": base, "theirs": added(base, "cohere")}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = ["git", "merge-file", "-p", *texts]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout == added(texts["theirs"], "mistral") == added(texts["ours"], "cohere")


def test_a_value_keeps_its_origin_with_the_ciphertext_of_the_other_side() -> None:
    first, second, third = (f"vault:v{version}:x" for version in (1, 2, 3))
    base = VarsFile("p", "text", "transit", "ml", "", {"a": Entry("a", first, "vault:v1:x", digest(first))})
    rewrapped = Entry("a", third, "vault:v1:x", digest(third), before=digest(second), first=digest(first))
    renewed = Entry("a", third, "vault:v1:y", digest(third), before=digest(second))
    for theirs, origins in ((rewrapped, {"a": digest(first)}), (renewed, {})):
        assert merge(base, base, VarsFile("p", "text", "transit", "ml", "", {"a": theirs})).edits.origins == origins
    assert rewrapped.origin == digest(first)
    # Not that of another ciphertext, which somebody has written beside the marks of this one.
    assert Entry("a", second, "vault:v1:x", digest(third), first=digest(first)).origin == digest(second)
