# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files of nested data: leaves have paths, and any data come back as they were."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import Edits, update
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import content_of
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    FLAT,
    NESTED,
    fingerprint_input,
    parse,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.merging import merge
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import (
    clashes,
    flattened,
    is_path,
    joined,
    leaf_problem,
    lists_in,
    nested,
    split,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.request import fitted, vars_request
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import (
    TypeUnknown,
    decoded,
    encoded,
    is_same,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.vars_file.nested_data import DATA, PATHS, changed, decrypted, opened, typed
from tests.unit.vars_file.texts import said_of, sealed

WHOLE = "vault:v2:" + "QUJD" * 12
FINGERPRINT = "vault:v1:" + base64.b64encode(b"f" * 32).decode()


@pytest.mark.parametrize("path", PATHS)
def test_a_type_is_that_of_the_ciphertext_or_not_known(path: str) -> None:
    data = {"flag": False, "digits": "42", "none": "", "text": "sk-x", "list": []}
    text = changed(parse("", path), data)
    entries = parse(text, path).entries

    def kinds(text: str) -> dict[str, str]:
        found = {}
        for name, entry in parse(text, path).entries.items():
            _name, content = opened(entry.ciphertext)
            try:
                found[name] = type(decoded(entry.opened(content))).__name__
            except TypeUnknown:
                found[name] = "unknown"
        return found

    right = {"flag": "bool", "digits": "str", "none": "str", "text": "str", "list": "list"}
    assert kinds(text) == right
    # As it was written before the digest was for the type, too.
    old = text
    for entry in entries.values():
        old = old.replace(entry.bound_to, digest(entry.ciphertext))
    assert old != text
    assert kinds(old) == right
    unmarked = text.replace(" json", "")
    lost = {**right, **dict.fromkeys(("flag", "none", "list"), "unknown")}
    assert kinds(unmarked) == lost
    assert [name for name, entry in parse(unmarked, path).entries.items() if entry.is_misbound] == [
        "flag",
        "none",
        "list",
    ]
    # Lines of another side of a merge, and none at all.
    merged = text.replace(entries["flag"].bound_to, digest("x")).replace(entries["text"].bound_to, digest("x"))
    assert kinds(merged) == {**right, "flag": "unknown"}
    without = {name: value for name, value in content_of(text, path).items() if name != "_transit"}
    assert kinds(json.dumps({**without, "_transit": {"format": 2, "key": "ml"}})) == {**lost, "digits": "unknown"}


@given(DATA, st.sampled_from(PATHS))
@settings(max_examples=30)
def test_any_data_come_back_as_they_were(data: dict[str, Any], path: str) -> None:
    assume(not any(map(leaf_problem, flattened(data))))
    text = changed(parse("", path), data)
    back = decrypted(parse(text, path))
    assert typed(back) == typed(data)
    assert repr(back) == repr(data), "keys keep their order"
    # Nothing of a file is left to a reader of YAML 1.1 to guess.
    assert typed(flattened({k: v for k, v in yaml.safe_load(text).items() if k != "_transit"}).keys()) == typed(
        flattened(data).keys()
    )


@given(DATA, DATA, st.sampled_from(PATHS))
@settings(max_examples=25)
def test_a_file_becomes_any_other(before: dict[str, Any], after: dict[str, Any], path: str) -> None:
    assume(not any(map(leaf_problem, [*flattened(before), *flattened(after)])))
    file = parse(changed(parse("", path), before), path)
    gone = tuple(name for name in file.entries if name not in flattened(after))
    text = changed(file, after, gone)
    assert typed(decrypted(parse(text, path))) == typed(after)


@given(DATA)
def test_paths_say_what_the_data_are(data: dict[str, Any]) -> None:
    leaves = flattened(data)
    assert typed(nested(leaves)) == typed(data)
    assert clashes(leaves) == []
    for path in leaves:
        assert joined(split(path)) == path
        assert is_path(path) or len(path) > 200


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("providers.openai.api_key", ""),
        ("a.0.b", ""),
        ("a.%3080", ""),
        ("a.%", ""),
        ("a.open%2Eai", ""),
        ("a.open%2eai", "write 'a.open%2Eai'"),
        ("a.b c", "write 'a.b%20c'"),
        ("a..b", "write 'a.%.b'"),
        ("a.080", "write 'a.%3080'"),
        ("a.%FF", "in UTF-8"),
        ("open-ai.b", "begin with the name of a variable"),
        ("", "begin with the name of a variable"),
        (".a", "begin with the name of a variable"),
        ("a." + "b" * 199, "more than 200 characters"),
    ],
)
def test_how_to_write_a_path_is_shown(path: str, problem: str) -> None:
    assert bool(leaf_problem(path)) is bool(problem)
    assert problem in leaf_problem(path)


def test_lists_have_lengths_and_no_gaps() -> None:
    assert dict(lists_in({"a": [1, [2, 3]], "b": {"c": []}})) == {"a": 2, "a.1": 2, "b.c": 0}
    assert clashes(["a.0", "a.2"]) == ["a"]
    assert clashes(["a.0", "a.b"]) == ["a"]
    assert clashes(["a", "a.b"]) == ["a"]


def test_a_number_is_not_the_text_that_looks_like_it() -> None:
    assert fingerprint_input("a", encoded(42)) != fingerprint_input("a", encoded("42"))
    assert not is_same(encoded(42), encoded("42"))
    assert is_same(encoded(42), encoded(42))
    assert encoded("") != b""


FILE = f"""\
# head
providers:
  # of the account in Europe
  openai:
    api_key: "{sealed()}"   # first
    region: eu
  tags: [{sealed()}, {sealed()}]
# tail
_transit:
  format: 2
  backend: transit
  key: ml
  unencrypted: [providers.openai.region]
  hmac:
    providers.openai.api_key: {FINGERPRINT}
"""


def test_comments_and_style_stay() -> None:
    file = parse(FILE, PATHS[0])
    assert (list(file.entries), dict(file.open)) == (
        ["providers.openai.api_key", "providers.tags.0", "providers.tags.1"],
        {"providers.openai.region": "eu"},
    )
    text = update(file, Edits("transit", "ml", "ml", {"providers.openai.api_key": sealed(2)}, {}, (), NESTED))
    assert text.replace(sealed(2), sealed(), 1).partition("  before:")[0] == FILE.partition("  hmac:")[0]


def test_what_is_not_named_must_be_encrypted() -> None:
    said = said_of(FILE.replace("[providers.openai.region]", "[providers.openai.regions]"))
    assert said is not None
    assert "the value of providers.openai.region is not ciphertext" in said
    assert said_of(FILE.replace("[providers.openai.region]", "[providers]")) is None
    assert "must be a list of paths" in str(said_of(FILE.replace("[providers.openai.region]", "3")))


def test_a_key_that_is_not_text_is_refused() -> None:
    assert "providers has a key that is not text" in str(
        said_of(f"providers: {{8080: {sealed()}}}\n_transit: {{format: 2}}")
    )


@pytest.mark.parametrize(
    ("path", "removed", "problem"),
    [
        ("providers.tags.5", (), "would leave a gap in its list, which has 2 elements"),
        ("providers.tags.x", (), "a list has numbers, and a mapping has keys"),
        ("providers.0", (), "a list has numbers, and a mapping has keys"),
        ("providers.openai.api_key.x", (), "what is above it is a value"),
        ("a", ("providers.tags.0",), "Only the last elements of the list 'providers.tags' can be removed"),
    ],
)
def test_a_change_that_a_document_cannot_have(path: str, removed: tuple[str, ...], problem: str) -> None:
    file = parse(FILE, PATHS[0])
    with pytest.raises(InvalidOption) as refused:
        update(file, Edits("transit", "ml", "ml", {path: sealed(2)}, {}, removed, NESTED))
    assert problem in refused.value.message


@pytest.mark.parametrize("text", [f"a: &x {{k: {sealed()}}}\nb: *x", f"a: &x {{k: {sealed()}}}\nb: {{<<: *x}}"])
def test_data_in_several_places_are_read_but_not_written(text: str) -> None:
    file = parse(f"{text}\n_transit: {{format: 2}}", PATHS[0])
    assert list(file.entries) == ["a.k", "b.k"]
    with pytest.raises(InvalidOption, match="an anchor or a merge key"):
        update(file, Edits("transit", "ml", "ml", {"a.k": sealed(2)}, {}, (), NESTED))


def test_a_flat_file_stays_flat() -> None:
    text = f"a: {sealed()}\n_transit:\n  format: 1\n  backend: transit\n  key: ml\n"
    file = parse(text, PATHS[0])
    assert file.format == FLAT
    assert update(file, Edits("transit", "ml", "ml", {}, {}, (), file.format)) == text
    assert parse(update(file, Edits("transit", "ml", "ml", {}, {}, (), NESTED)), PATHS[0]).format == NESTED


SIDES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["x", "y", 1, {"k": "x"}, {"k": "y", "l": "x"}])
    | st.lists(st.sampled_from(["x", "y", {"k": "x"}, {"k": "y"}]), max_size=3),
    max_size=3,
)


@given(SIDES, SIDES, SIDES)
@settings(max_examples=50)
def test_a_merge_holds_what_each_side_meant_or_is_a_conflict(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    path = PATHS[0]
    files = [parse(changed(parse("", path), data) if data else "", path) for data in (base, ours, theirs)]
    merged = merge(*files)
    if merged.conflicts:
        assert ours not in (base, theirs)
        assert theirs != base
        return
    text = update(files[1], merged.edits)
    result = flattened(decrypted(parse(text, path)))
    before, mine, other = map(flattened, (base, ours, theirs))
    for name in {*before, *mine, *other, *result}:
        sides = [side.get(name) for side in (mine, other) if side.get(name) != before.get(name)]
        assert result.get(name) in (sides or [before.get(name)])


@given(SIDES, SIDES, SIDES)
@settings(max_examples=30)
def test_lines_that_git_merged_hold_what_each_side_meant_or_it_is_noticed(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    path = PATHS[0]
    start = parse(changed(parse("", path), {**base, "z": "z"}), path)
    texts = []
    for side in (ours, theirs):
        data = {**side, "z": "z"}
        gone = tuple(name for name in start.entries if name not in flattened(data))
        same = [
            name
            for name, value in flattened({**base, "z": "z"}).items()
            if typed(flattened(data).get(name)) == typed(value)
        ]
        texts.append(changed(start, data, gone, same=same))
    text = merged_by_git(start.text, *texts)
    if "<<<<<<<" in text:
        return
    try:
        file = parse(text, path)
    except InvalidOption:
        return
    before, mine, other = (flattened({**side, "z": "z"}) for side in (base, ours, theirs))
    for entry in file.entries.values():
        name, content = opened(entry.ciphertext)
        if name != entry.name or entry.is_misbound or not entry.fingerprint:
            continue
        sides = [side.get(entry.name) for side in (mine, other) if side.get(entry.name) != before.get(entry.name)]
        assert decoded(entry.opened(content)) in (sides or [before[entry.name]])


def merged_by_git(base: str, ours: str, theirs: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for path, text in zip(paths, (ours, base, theirs), strict=True):
            path.write_text(text, encoding="utf-8")
        command = ["git", "merge-file", "--stdout", *map(str, paths)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_lists_that_both_sides_changed_conflict() -> None:
    def conflicts(*sides: list[str]) -> list[str]:
        files = [parse(changed(parse("", PATHS[0]), {"a": list(side), "z": "x"}), PATHS[0]) for side in sides]
        return merge(*files).conflicts

    assert conflicts(["x", "y"], ["n", "x", "y"], ["x", "z"])
    assert not conflicts(["x", "y"], ["n", "x", "y"], ["x", "y"])
    assert not conflicts(["x", "y"], ["n", "y"], ["x", "z"])
    assert not conflicts(["x"], ["x", "y"], ["x", "y"])


OPTIONS: dict[str, Any] = {
    "backend": "transit",
    "key": "ml",
    "fingerprint_key": "",
    "path": PATHS[0],
    "store": "file",
    "store_empty": [],
    "allow_ciphertext": False,
    "key_version": 0,
    "purge": False,
    "keep": [],
    "leave": [],
    "refresh_fingerprints": False,
    "return_successors": False,
}


@pytest.mark.parametrize(
    ("secrets", "store_empty", "ungiven", "gone"),
    [
        ({"providers": {}}, [], {"providers.openai", "providers.hf.token"}, set()),
        ({"providers": {"hf": {}}}, [], {"providers.hf.token"}, set()),
        ({"providers": {"hf": {}}}, ["providers"], set(), {"providers.hf.token"}),
        ({"providers": {"gcp": {}}}, [], set(), set()),
        ({"models": []}, [], {"models.0", "models.1"}, set()),
        ({"models": []}, ["models"], set(), {"models.0", "models.1"}),
        ({"models": ["x"]}, [], set(), {"models.1"}),
        ({"providers": []}, [], {"providers.openai", "providers.hf.token"}, set()),
    ],
)
def test_an_empty_mapping_or_list_removes_nothing_unless_it_is_meant_to(
    secrets: dict[str, Any], store_empty: list[str], ungiven: set[str], gone: set[str]
) -> None:
    data = {"providers": {"openai": "x", "hf": {"token": "y"}}, "models": ["a", "b"]}
    stored = parse(changed(parse("", PATHS[0]), data), PATHS[0])
    request, _file = fitted(vars_request({**OPTIONS, "secrets": secrets, "store_empty": store_empty}, ""), stored)
    assert request.ungiven == ungiven
    assert set(request.gone) == gone
    assert bool(request.secrets) is not bool(ungiven)


@pytest.mark.parametrize("secrets", [{"a": sealed()}, {"a": {"b": f"{sealed()}\n"}}])
def test_a_ciphertext_is_not_encrypted_unless_it_is_meant_to_be(secrets: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="is a ciphertext") as caught:
        vars_request({**OPTIONS, "secrets": secrets}, "")
    assert sealed() not in caught.value.message
    assert vars_request({**OPTIONS, "secrets": secrets, "allow_ciphertext": True}, "").secrets
    assert vars_request({**OPTIONS, "secrets": {"a": "see vault:v1:no"}}, "").secrets


@pytest.mark.parametrize("secrets", [{"url": "postgres://u:{}@h/db"}, {"app": {"headers": ["Bearer {}"]}}])
def test_a_value_with_a_ciphertext_in_it_is_not_encrypted_unless_it_is_meant_to_be(secrets: dict[str, Any]) -> None:
    given = json.loads(json.dumps(secrets).replace("{}", WHOLE))
    with pytest.raises(InvalidOption, match="contains a ciphertext") as caught:
        vars_request({**OPTIONS, "secrets": given}, "")
    assert WHOLE not in caught.value.message
    assert vars_request({**OPTIONS, "secrets": given, "allow_ciphertext": True}, "").secrets


def test_everything_goes_only_if_that_is_said() -> None:
    """Secrets that somebody drops from a task, since the repository is the source, must not take the file along."""
    purging = {**OPTIONS, "secrets": {}, "purge": True}
    with pytest.raises(InvalidOption, match="purge would remove every entry, because neither secrets nor keep"):
        vars_request({**purging, "keep": None}, "")
    assert vars_request({**purging, "keep": []}, "").purge
    assert vars_request({**purging, "keep": None, "secrets": {"a": None}}, "").ungiven == {"a"}
