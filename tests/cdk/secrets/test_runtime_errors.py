# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Errors of `mlkeys.runtime`: debug pages, test runners and error trackers show the variables of their frames."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from mlkeys.runtime import Secrets, SecretsError, secrets
from tests.cdk.secrets.conftest import VALUES, Write


@dataclass
class WrongType:
    """A field for which the secret is not a value."""

    openai_api_key: int


@dataclass
class Missing:
    """A field that there is no secret for."""

    hf_token: str
    other_key: str


@dataclass
class Particular:
    """A class that refuses values, and repeats them."""

    hf_token: str

    def __post_init__(self) -> None:
        raise ValueError(self.hf_token)


class Model(BaseModel):
    """The same, of pydantic."""

    hf_token: str
    openai_api_key: int

    @field_validator("hf_token")
    @classmethod
    def _refuse(cls, value: str) -> str:
        raise ValueError(value)


def leaked(problem: BaseException) -> list[str]:
    """The values that a report of the error shows, with the variables of all frames of ours."""
    texts = []
    here: BaseException | None = problem
    while here is not None:
        captured = traceback.TracebackException.from_exception(here, capture_locals=True)
        texts += [line for line in captured.format() if "canary" in line]
        for frame, _line in traceback.walk_tb(here.__traceback__):
            if "mlkeys/runtime" in frame.f_code.co_filename:
                texts += [f"{name} of {frame.f_code.co_name}" for name, one in frame.f_locals.items() if held_in(one)]
        here = here.__cause__ or here.__context__
    return texts


def held_in(one: Any) -> bool:
    """Whether a variable holds a value that a debug page shows, or an error tracker, which unpacks some of them."""
    unpacked: list[object] = [*one.items()] if isinstance(one, Mapping) else []
    if isinstance(one, (AbstractSet, list, tuple)):
        unpacked = [*one]
    return "canary" in f"{one!r} {unpacked}" or (isinstance(one, bytes) and b"canary" in one)


def interrupted() -> Any:
    """A class whose creation Ctrl-C ends."""

    @dataclass
    class Slow:
        hf_token: str

        def __post_init__(self) -> None:
            raise KeyboardInterrupt

    return Slow


class Unreadable:
    """Its annotation is evaluated when it is used."""

    hf_token: Nothing  # type: ignore[name-defined]  # noqa: F821


WAYS: dict[str, Callable[[Secrets], Any]] = {
    "a misspelt name": lambda keys: keys["openai_api_kye"],
    "misspelt bytes": lambda keys: keys.as_bytes("openai_api_kye"),
    "misspelt data": lambda keys: keys.value("openai_api_kye"),
    "misspelt, asynchronously": lambda keys: asyncio.run(keys.fetch("openai_api_kye")),
    "misspelt, in a function": lambda keys: keys.callable("openai_api_kye")(),
    "what does not decrypt": lambda keys: keys["damaged"],
    "data that do not decrypt": lambda keys: keys.value("damaged"),
    "what is not text": lambda keys: keys["blob"],
    "data that are not text": lambda keys: keys.value("blob"),
    "a field of another type": lambda keys: keys.into(WrongType),
    "a field without a secret": lambda keys: keys.into(Missing),
    "a class that refuses a value": lambda keys: keys.into(Particular),
    "a model that refuses a value": lambda keys: keys.into(Model),
    "a class that cannot be evaluated": lambda keys: keys.into(Unreadable),
    "an interrupt": lambda keys: keys.into(interrupted()),
    "no name": lambda keys: keys[NOT_TEXT],
    "no name of data": lambda keys: keys.value(NOT_TEXT),
    "no name, asynchronously": lambda keys: asyncio.run(keys.fetch(NOT_TEXT)),
}
NOT_TEXT: Any = None


SAID = {
    "a class that cannot be evaluated": "The annotations of Unreadable cannot be read: name 'Nothing' is not defined.",
    "no name": "The name of a secret is a text, and not a value of the type NoneType.",
    "no name of data": "The name of a secret is a text, and not a value of the type NoneType.",
    "a field without a secret": "No secret for other_key of Missing.",
    "a class that refuses a value": "The secrets do not fit Particular: ValueError, whose message may repeat one.",
    "a model that refuses a value": "hf_token: value_error; openai_api_key: Input should be a valid integer",
}


@pytest.fixture
def broken(write: Write, file: Path) -> Path:
    """A file with an entry that does not decrypt, and one that is not text."""
    write({**VALUES, "blob": "canary"})
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "damaged": stored["openai_api_key"]}))
    return file


@pytest.mark.parametrize("way", WAYS)
def test_no_frame_of_an_error_holds_a_value(broken: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = secrets(broken)
    assert keys["openai_api_key"] == VALUES["openai_api_key"]
    if "not text" in way:
        held = keys._held
        assert held is not None
        monkeypatch.setattr(keys, "_held", replace(held, values={**held.values, "blob": b"canary\xff"}))
    with pytest.raises((SecretsError, TypeError, KeyboardInterrupt)) as caught:
        WAYS[way](keys)
    assert leaked(caught.value) == []
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert SAID.get(way, "") in str(caught.value)


@pytest.mark.parametrize("use", ["read", "fetch", "renew"])
def test_no_frame_of_an_unexpected_error_holds_a_value(file: Path, use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uses: dict[str, Callable[[Secrets], Any]] = {
        "read": lambda keys: keys["hf_token"],
        "fetch": lambda keys: asyncio.run(keys.fetch("hf_token")),
        "renew": lambda keys: keys.renew(),
    }

    def fail(*_arguments: object) -> Any:
        plaintext = VALUES["hf_token"]
        raise ValueError(plaintext)

    monkeypatch.setattr("mlkeys._stored.secrets.results", fail)
    with pytest.raises(
        SecretsError, match=r"ValueError in line \d+ of test_runtime_errors.py, whose message"
    ) as caught:
        uses[use](secrets(file))
    assert leaked(caught.value) == []


LOGIN: Any = {"role": "a", "password": "login-canary"}


def test_a_refused_option_leaves_no_password_in_a_frame(file: Path) -> None:
    with pytest.raises(TypeError, match="unknown option 'role'") as caught:
        secrets(file, **LOGIN)
    assert leaked(caught.value) == []
