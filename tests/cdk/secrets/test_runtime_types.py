# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The types that fields may have in `mlkeys.runtime`, and those that are refused before anything is read."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, NewType, TypedDict
from uuid import UUID

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import Json
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field

from mlkeys.runtime import SecretsError, secrets
from mlkeys.runtime._data import field_of, fields_of
from mlkeys.runtime._fields import object_of
from mlkeys.runtime._types import checked_fields, key_of

UserId = NewType("UserId", int)
AdminId = NewType("AdminId", UserId)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Color(enum.Enum):
    RED = "red"
    NONE = 0


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Pair(NamedTuple):
    """Fields with a default."""

    name: str
    port: int = 7


class Options(TypedDict):
    name: str
    port: int


@dataclass
class Inner:
    name: str


@pytest.mark.parametrize(
    ("hint", "content", "value"),
    [
        (AdminId, b"7", 7),
        (Final[int], b"7", 7),
        (Annotated[int, "metadata"], Json(b"7"), 7),
        (deque[int], b"[1, 2]", deque([1, 2])),
        (Sequence[str], b'["x"]', ["x"]),
        (AbstractSet[int], b"[1]", frozenset({1})),
        (Mapping[str, int], b'{"a": 1}', {"a": 1}),
        (Level, b"2", Level.HIGH),
        (Level, Json(b"2"), Level.HIGH),
        (Color, b"red", Color.RED),
        (Color, Json(b"0"), Color.NONE),
        (Rights, b"3", Rights.READ | Rights.WRITE),
        (Literal[Level.LOW], Json(b"1"), Level.LOW),
        (Pair, b'{"name": "x"}', Pair("x")),
        (Options, b'{"name": "x", "port": 1}', {"name": "x", "port": 1}),
        (Inner | Pair, b'{"name": "x", "port": 1}', Inner("x")),
        (datetime, b"2026-01-31T10:00:00", datetime(2026, 1, 31, 10)),  # noqa: DTZ001  as it is written
        (date, b"2026-01-31", date(2026, 1, 31)),
        (bytearray, b"x", bytearray(b"x")),
    ],
)
def test_a_field_gets_a_value_of_its_type(hint: Any, content: bytes, value: object) -> None:
    found = field_of("a", hint, content)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("hint", "content"),
    [
        (Level, b"canary"),
        (Color, Json(b"3")),
        (set[list[int]], b"[[1]]"),
        (deque[int], b"canary"),
        (Pair, b'["canary"]'),
        (date, b"canary"),
    ],
)
def test_what_is_not_a_value_of_a_field_is_not_repeated(hint: Any, content: bytes) -> None:
    with pytest.raises(SecretsError, match="'a' is not a value of the type") as raised:
        field_of("a", hint, content)
    assert raised.value.__context__ is None
    assert "canary" not in str(raised.value)


@dataclass
class Qualified:
    """Fields that are not fields, and that are only for its creation."""

    a: InitVar[int]
    port: Final[int]
    limit: ClassVar[int] = 9
    double: int = dataclasses.field(init=False)

    def __post_init__(self, a: int) -> None:
        self.double = 2 * a


@dataclass
class Tree:
    """Holds itself."""

    name: str
    below: list[Tree] = dataclasses.field(default_factory=list)


def made(kind: Any, contents: Mapping[str, bytes]) -> Any:
    """What `into` makes of these secrets."""
    return object_of(kind, fields_of(kind, checked_fields(kind), contents, contents.__getitem__))


def test_a_class_is_created_with_what_it_takes() -> None:
    one = made(Qualified, {"a": b"4", "port": b"5", "limit": b"6", "double": b"7"})
    assert (one.port, one.limit, one.double) == (5, 9, 8)
    assert made(Pair, {"name": b"x"}) == ("x", 7)
    assert made(Options, {"name": b"x", "port": b"1"}) == {"name": "x", "port": 1}
    with pytest.raises(SecretsError, match="No secret for port of Options"):
        made(Options, {"name": b"x"})
    assert made(Tree, {"name": b"x", "below": b'[{"name": "y"}]'}) == Tree("x", [Tree("y")])


class Strict(BaseModel):
    """Fields that take their own types alone, under other names."""

    model_config = ConfigDict(strict=True)
    port: int
    level: Literal[3]
    ratio: float | None
    key: str = Field(alias="openai_api_key")
    token: bytes = Field(validation_alias=AliasChoices(AliasPath("a", 0), "hf"))


def test_a_model_gets_the_types_of_its_fields() -> None:
    contents = {
        "port": b"8080",
        "level": Json(b"3"),
        "ratio": Json(b"1"),
        "openai_api_key": Json(b"7"),
        "hf": b"x",
    }
    assert made(Strict, contents).model_dump() == {
        "port": 8080,
        "level": 3,
        "ratio": 1.0,
        "key": "7",
        "token": b"x",
    }
    with pytest.raises(SecretsError, match="No secret for key, token of Strict"):
        made(Strict, {name: contents[name] for name in ("port", "level", "ratio")})


class Narrow(BaseModel):
    """Fields that not every value of their type fits."""

    port: int = Field(gt=9000)
    token: UUID


def test_an_error_of_a_model_says_what_it_takes_and_nothing_of_what_it_got() -> None:
    with pytest.raises(SecretsError) as raised:
        made(Narrow, {"port": b"8080", "token": b"~-canary"})
    assert str(raised.value) == (
        "The secrets do not fit Narrow: port: Input should be greater than 9000; token: uuid_parsing."
    )


class Wrong:
    """Annotations of which one cannot be evaluated."""

    name: Nothing  # type: ignore[name-defined]  # noqa: F821


class Path1(BaseModel):
    key: str = Field(validation_alias=AliasPath("a", 0))


INNER = dataclasses.make_dataclass("B", [("y", re.Pattern)])


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (dataclasses.make_dataclass("A", [("x", timedelta)]), "'x' of A cannot be filled: its type timedelta takes no"),
        (dataclasses.make_dataclass("A", [("x", list[Callable[[], int]])]), "'x' of A cannot be filled"),
        (dataclasses.make_dataclass("A", [("x", object | type[int])]), "'x' of A cannot be filled"),
        (dataclasses.make_dataclass("A", [("x", Literal[b"y"])]), "neither a text nor a number"),
        (
            dataclasses.make_dataclass("A", [("x", INNER)]),
            "'y' of B cannot",
        ),
        (Wrong, "annotations of Wrong cannot be read: name 'Nothing' is not defined"),
        (int, "int has no annotated fields"),
        (None, "and not a value of the type NoneType"),
        (Inner("canary"), "and not a value of the type Inner"),
        (Path1, "'key' of Path1 has no alias but a path"),
    ],
)
def test_another_type_is_refused_before_a_file_is_read(kind: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem) as raised:
        secrets("not-there.transit.yml").into(kind)
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "options",
    [{"lifetime": "60"}, {"lifetime": True}, {"lifetime": float("nan")}, {"lifetime": -1}, {"only": [1]}, {"only": 1}],
)
def test_an_option_of_another_type_is_refused_at_the_call(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(options))):
        secrets("not-there.transit.yml", **options)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (["a.transit.yml"], r"not a value of the type list: pass several with an asterisk, secrets\(\*files\)\."),
        (None, r"A file is a text or a path, and not a value of the type NoneType\."),
        (b"a.transit.yml", r"not a value of the type bytes\."),
        ("", "The path of a file is empty"),
        ("a\0b", "contains the character NUL"),
    ],
)
def test_what_is_not_a_path_is_refused_at_the_call(file: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        secrets("not-there.transit.yml", file)


def test_a_field_is_created_under_an_alias() -> None:
    assert (key_of(Strict, "key"), key_of(Strict, "token"), key_of(Strict, "port")) == ("openai_api_key", "hf", "port")
    assert isinstance(field_of("a", Path | None, b"/x"), Path)
