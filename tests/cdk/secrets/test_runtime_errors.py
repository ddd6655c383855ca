# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Errors of `mlkeys.runtime`: debug pages, test runners and error trackers show the variables of their frames."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
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
    """Whether a variable holds a value that a debug page shows."""
    return "canary" in repr(one) or (isinstance(one, bytes) and b"canary" in one)


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
}


SAID = {
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
    with pytest.raises(SecretsError) as caught:
        WAYS[way](keys)
    assert leaked(caught.value) == []
    assert SAID.get(way, "") in str(caught.value)
