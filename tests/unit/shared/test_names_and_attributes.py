# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What durations, ages, key names, ciphertexts and attributes of keys may look like."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import (
    ANY_TIME,
    AT_CREATION,
    ON_ONLY,
    Attribute,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.durations import (
    MAX_DURATION_SECONDS,
    age_text,
    parse_duration,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import (
    KEY_TYPES,
    NOT_DERIVABLE_TYPES,
    key_problems,
    unknown_type_hint,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import (
    mount_problem,
    name_problem,
    path_problem,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean
from hypothesis import example, given
from hypothesis import strategies as st

UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (0, 0),
        ("0s", 0),
        ("3600", 3600),
        (3600, 3600),
        ("3600s", 3600),
        ("60m", 3600),
        ("720h", 2592000),
        ("30d", 2592000),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("0.1m", 6),
        ("0.29h", 1044),
        ("1w2d3h4m5s", 788645),
        ("  30d\n", 2592000),
        ("007d", 604800),
        (str(MAX_DURATION_SECONDS), MAX_DURATION_SECONDS),
    ],
)
def test_a_duration_in_seconds(text: str | int, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "d", "h1", "30 d", "1h 30m", "1y", "30D", "-1", "-1h", "+1h", "1h-5m", "1e3", "1,5h", "1h30"),
        *("1.d", ".5h", "²d", "٣d", "30days", "forever", "system", "None", "1.5", "3600.5", True, False),
    ],
)
def test_an_invalid_duration_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: write for example 30d, 720h, 1h30m or a number"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0.5s", "1.01m", "1h0.1s"])
def test_a_fraction_of_a_second_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is not a whole number of seconds"):
        parse_duration(text)


@pytest.mark.parametrize("text", [str(MAX_DURATION_SECONDS + 1), "15251w", "9" * 400, "9" * 400 + "h"])
def test_more_than_the_server_can_hold_is_out_of_range(text: str) -> None:
    with pytest.raises(ValueError, match=f"is out of range: at most {MAX_DURATION_SECONDS} seconds"):
        parse_duration(text)


@given(st.integers(0, MAX_DURATION_SECONDS))
@example(2**53 + 1)
@example(MAX_DURATION_SECONDS)
def test_seconds_stay_as_they_are(seconds: int) -> None:
    if seconds <= MAX_DURATION_SECONDS:
        assert parse_duration(seconds) == parse_duration(str(seconds)) == parse_duration(f"{seconds}s") == seconds


@given(st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(0, 10000), min_size=1))
def test_parts_add_up_in_any_order(parts: dict[str, int]) -> None:
    text = "".join(f"{number}{unit}" for unit, number in parts.items())
    assert parse_duration(text) == sum(number * UNITS[unit] for unit, number in parts.items())


@given(st.text() | st.from_regex(r"([0-9]{1,12}(\.[0-9])?[wdhmsy ]?){1,3}", fullmatch=True))
def test_any_text_is_a_duration_within_range_or_a_plain_refusal(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert seconds.__class__ is int
    assert 0 <= seconds <= MAX_DURATION_SECONDS


@given(st.text(max_size=6) | st.text(alphabet="a_-./ Zé\n", max_size=6))
@example("a\n")
@example("-a")
@example("a.")
def test_a_key_name_is_what_the_server_routes(name: str) -> None:
    # The pattern of the server's own routes: framework.GenericNameRegex, whose \w knows ASCII alone.
    routed = re.fullmatch(r"\w(([\w.-]+)?\w)?", name, re.ASCII) is not None
    assert (name_problem(name) is None) is routed


def test_a_bad_key_name_is_refused_with_the_rule() -> None:
    assert name_problem("a/b") == (
        "'a/b' is not a key name: letters, digits, '_', '-' and '.', beginning and ending with a letter, digit or '_'"
    )


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("vault:v1:c2VjcmV0", 1),
        ("vault:v27:5Zf+/w==", 27),
        ("vault:v27:5Zf+/wA=", 27),
        ("vault:v1:AA", 1),
        ("", None),
        ("vault:v0:AAAA", None),
        ("vault:v01:AAAA", None),
        ("vault:v-1:AAAA", None),
        ("vault:1:AAAA", None),
        ("vault:v1:", None),
        ("vault:v1:====", None),
        ("vault:v1:AAA=A", None),
        ("vault:v1:A A", None),
        (" vault:v1:AAAA", None),
        ("vault:v1:AAAA\n", None),
        ("Vault:v1:AAAA", None),
        ("bao:v1:AAAA", None),
        ("vault:v1:{{ x }}", None),
        ("vault:v" + "9" * 5000 + ":AAAA", None),
    ],
)
def test_the_version_of_a_ciphertext(text: str, version: int | None) -> None:
    assert ciphertext_version(text) == version


@given(st.integers(1, 10**9), st.binary(min_size=1))
def test_each_ciphertext_of_the_server_has_its_version(version: int, content: bytes) -> None:
    import base64

    assert ciphertext_version(f"vault:v{version}:{base64.b64encode(content).decode()}") == version


@given(st.text() | st.from_regex(r"vault:v[0-9]{0,40}:[A-Za-z+/ ]*=*", fullmatch=True))
@example("vault:v:AAAA")
@example("vault:v0:AAAA")
def test_any_text_has_a_version_or_none(text: str) -> None:
    version = ciphertext_version(text)
    assert version is None or version > 0


@pytest.mark.parametrize(
    ("wanted", "problems"),
    [
        ({}, []),
        ({"convergent_encryption": True, "derived": True}, []),
        ({"convergent_encryption": True}, ["convergent_encryption needs derived: true"]),
        ({"convergent_encryption": True, "derived": False}, ["convergent_encryption needs derived: true"]),
        ({"convergent_encryption": False}, []),
        ({"auto_rotate_period": 0}, []),
        ({"auto_rotate_period": 3600}, []),
        (
            {"auto_rotate_period": 3599},
            ["auto_rotate_period is 3599 seconds: it must be 0 (off) or at least one hour"],
        ),
        ({"auto_rotate_period": 1}, ["auto_rotate_period is 1 seconds: it must be 0 (off) or at least one hour"]),
        ({"min_decryption_version": 0, "min_encryption_version": 0}, []),
        (
            {"min_decryption_version": -1, "min_encryption_version": -1},
            ["min_decryption_version cannot be negative", "min_encryption_version cannot be negative"],
        ),
        ({"type": "a-newer-type", "derived": True}, []),
        (dict.fromkeys(attribute.name for attribute in KEY_ATTRIBUTES), []),
        (
            {"type": "hmac", "derived": True, "auto_rotate_period": 60, "min_encryption_version": -2},
            [
                "a key of type hmac cannot be derived",
                "auto_rotate_period is 60 seconds: it must be 0 (off) or at least one hour",
                "min_encryption_version cannot be negative",
            ],
        ),
    ],
)
def test_all_that_is_wrong_with_a_wanted_key(wanted: dict[str, Any], problems: list[str]) -> None:
    assert key_problems(wanted) == problems


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_only_types_without_derivation_refuse_it(key_type: str) -> None:
    problem = [f"a key of type {key_type} cannot be derived"] if key_type in NOT_DERIVABLE_TYPES else []
    needed = {"external-key": {"external_key_ref": "a:b"}, "managed_key": {"managed_key_id": "a"}}.get(key_type, {})
    assert key_problems({"type": key_type, "derived": True, **needed}) == problem
    assert key_problems({"type": key_type, "derived": False, **needed}) == []


@pytest.mark.parametrize(
    ("key_type", "needed"),
    [("external-key", ("external_key_ref",)), ("managed_key", ("managed_key_name", "managed_key_id"))],
)
def test_a_key_that_is_elsewhere_needs_its_place(key_type: str, needed: tuple[str, ...]) -> None:
    assert key_problems({"type": key_type}) == [f"a key of type {key_type} needs {' or '.join(needed)}"]
    assert key_problems({"type": key_type, needed[0]: ""}) == key_problems({"type": key_type})
    assert [key_problems({"type": key_type, name: "it"}) for name in needed] == [[] for _name in needed]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("aes256-gcm", " Did you mean 'aes256-gcm96'?"),
        ("AES256-GCM96", " Did you mean 'aes256-gcm96'?"),
        ("rsa4096", " Did you mean 'rsa-4096'?"),
        ("chacha20", " Did you mean 'chacha20-poly1305'?"),
        ("ed22519", " Did you mean 'ed25519'?"),
        ("aes-256", " Did you mean 'aes256-gcm96'?"),
        ("hmac-sha256", " Did you mean 'hmac'?"),
        ("sha2-256", " It is a hash. A key that computes HMACs has the type 'hmac'."),
    ],
)
def test_a_mistyped_key_type_gets_the_nearest_one(word: str, sentence: str) -> None:
    assert unknown_type_hint(word) == sentence


def test_a_key_type_that_resembles_none_gets_them_all() -> None:
    assert unknown_type_hint("ml-dsa") == " It is a type of another version or product."
    assert unknown_type_hint("???") == f" Known types: {', '.join(KEY_TYPES)}."


def test_there_is_not_suggestion_where_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["token", "ldap"]) == ""


@pytest.mark.parametrize("attributes", [KEY_ATTRIBUTES, MOUNT_ATTRIBUTES])
def test_the_tables_make_sense(attributes: tuple[Attribute, ...]) -> None:
    names = [attribute.name for attribute in attributes]
    assert len(set(names)) == len(names)
    for attribute in attributes:
        assert attribute.kind in ("str", "bool", "int", "duration", "list", "dict")
        assert attribute.change in (AT_CREATION, ON_ONLY, ANY_TIME)
        assert attribute.at_creation or attribute.change == ANY_TIME, "it could never be set"
        assert attribute.server in ("", "OpenBao", "Vault")
        assert attribute.description.endswith(".")


@pytest.mark.parametrize("problem_of", [name_problem, path_problem, mount_problem])
def test_names_have_an_end_and_errors_show_their_beginning(problem_of: Callable[[str], str | None]) -> None:
    assert problem_of("a" * 512) is None
    shown = problem_of("a" * 100_000) or ""
    assert "has 100000 characters, and at most 512 are used" in shown
    assert len(shown) < 200


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0 min"), (59, "0 min"), (3599, "59 min"), (3600, "1 h"), (86399, "23 h"), (90 * 86400, "90 d")],
)
def test_an_age_has_the_largest_unit_that_fits(seconds: int | None, text: str) -> None:
    assert age_text(seconds) == text
