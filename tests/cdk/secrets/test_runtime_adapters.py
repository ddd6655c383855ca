# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys.runtime` in frameworks and clients: the real ones, but for LiteLLM, which is too large for the tests."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import bound
from openai import AsyncOpenAI, OpenAI
from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from mlkeys.runtime import SecretsError, secrets
from mlkeys.runtime.pydantic import TransitSettingsSource
from tests.cdk.secrets.conftest import VALUES, Write


class FromFiles(BaseSettings):
    """Settings as a user writes them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TransitSettingsSource(settings_cls)


class Settings(FromFiles):
    """Settings with fields that are not in nested data."""

    openai_api_key: str
    token: SecretStr = Field(validation_alias=AliasChoices("HUGGING_FACE", "HF_TOKEN"))
    region: str = "eu"


def test_settings_come_from_the_file_where_the_environment_has_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLKEYS_FILES", str(file))
    found = Settings.model_validate({})
    assert (found.openai_api_key, found.region) == (VALUES["openai_api_key"], "eu")
    assert found.token.get_secret_value() == VALUES["hf_token"]
    monkeypatch.setenv("OPENAI_API_KEY", "of the environment")
    assert Settings.model_validate({}).openai_api_key == "of the environment"


NOTHING: dict[str, Any] = {}


class Wrong(Settings):
    number: int = Field(validation_alias="openai_api_key")


def test_an_error_about_settings_shows_no_value(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLKEYS_FILES", str(file))
    with pytest.raises(ValidationError) as raised:
        Wrong(**NOTHING)
    assert "openai_api_key" in str(raised.value)
    assert "should be a valid integer" in str(raised.value)
    (problem,) = raised.value.errors()
    assert (problem["type"], problem["loc"]) == ("int_parsing", ("openai_api_key",))
    frames = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    shown = frames + str(raised.value) + repr(raised.value.errors()) + raised.value.json()
    assert not [value for value in VALUES.values() if value in shown]

    class Around(BaseModel):
        inner: Wrong

    with pytest.raises(ValidationError, match=r"inner\.region"):
        Around.model_validate({"inner": {"region": 7, "number": 1}})


class Refusing(Settings):
    """Validators that repeat values."""

    @field_validator("openai_api_key")
    @classmethod
    def _refuse(cls, value: str) -> str:
        raise ValueError(value)

    @field_validator("token")
    @classmethod
    def _fail(cls, value: SecretStr) -> SecretStr:
        raise KeyError(value.get_secret_value())


def test_validators_of_settings_cannot_show_a_value(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLKEYS_FILES", str(file))
    with pytest.raises(SecretsError, match="KeyError in line") as raised:
        Refusing(**NOTHING)
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert not [value for value in VALUES.values() if value in shown]


class Strict(FromFiles):
    """Fields that take their own types alone."""

    model_config = SettingsConfigDict(strict=True, env_nested_delimiter="__")
    port: int
    level: Literal["a", 3]
    ratio: float | None = None


def test_strict_fields_get_their_own_types(write: Write, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLKEYS_FILES", str(write({"port": "8080", "level": "a", "ratio": "1"})))
    assert Strict.model_validate({}).model_dump() == {"port": 8080, "level": "a", "ratio": 1.0}


def test_two_names_that_cannot_be_in_the_same_data(write: Write, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Both(FromFiles):
        model_config = SettingsConfigDict(env_nested_delimiter="__")
        db: dict[str, Any]

    monkeypatch.setenv("MLKEYS_FILES", str(write({"db__a": "canary", "db__a__b": "canary"})))
    with pytest.raises(SecretsError, match="ends with 'a' has others below it"):
        Both(**NOTHING)


def test_a_field_that_is_not_simple_is_json(write: Write, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lists(Settings):
        allowed: list[str]

    monkeypatch.setenv("MLKEYS_FILES", str(write({**VALUES, "allowed": '["a", "b"]'})))
    assert Lists.model_validate({}).allowed == ["a", "b"]


def test_what_is_not_json_is_named_without_its_value(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lists(Settings):
        hf_token: list[str]

    monkeypatch.setenv("MLKEYS_FILES", str(file))
    with pytest.raises(SettingsError, match='error parsing value for field "hf_token"') as raised:
        Lists(**NOTHING)
    assert raised.value.__cause__ is raised.value.__context__ is None
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert not [value for value in VALUES.values() if value in shown]


class Database(BaseModel):
    """A part of settings."""

    password: SecretStr
    port: int = 5432


def test_models_in_settings_come_from_data_or_from_names_with_a_delimiter(
    write: Write, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nested(FromFiles):
        model_config = SettingsConfigDict(env_prefix="app_", env_nested_delimiter="__")
        db: Database
        cache: Database
        nothing: str | None = "default"
        count: str = ""

    values = {"app_db.password": "hunter2-canary", "app_db.port": "5433", "app_count": "7", "app_nothing": "null"}
    write({**values, "app_cache__password": "swordfish-canary", "count": "other"})
    monkeypatch.setenv("MLKEYS_FILES", str(file))
    text = json.loads(file.read_text())
    text["app_db"] = {name: text.pop(f"app_db.{name}") for name in ("password", "port")}
    # The digest of each ciphertext says which is not a text.
    sealed = {"app_db.port": text["app_db"]["port"], **{name: text[name] for name in ("app_count", "app_nothing")}}
    hmac = {name: bound("vault:v1:QUJDREVG", one, is_json=True) for name, one in sealed.items()}
    text["_transit"] |= {"format": 2, "hmac": hmac}
    file.write_text(json.dumps(text))
    found = Nested.model_validate({})
    assert found.db.password.get_secret_value() == "hunter2-canary"
    assert found.cache.password.get_secret_value() == "swordfish-canary"
    assert (found.db.port, found.cache.port, found.nothing, found.count) == (5433, 5432, None, "7")


@pytest.fixture
def seen() -> Iterator[tuple[str, list[str]]]:
    """The address of a provider, and the keys that it gets."""
    keys: list[str] = []

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(str(self.headers["Authorization"]))
            content = json.dumps({"object": "list", "data": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_arguments: Any) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Provider) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", keys
        server.shutdown()


def test_openai_asks_for_its_key_before_each_request(write: Write, file: Path, seen: tuple[str, list[str]]) -> None:
    url, got = seen
    keys = secrets(file)
    with OpenAI(api_key=keys.callable("openai_api_key"), base_url=url, max_retries=0) as client:
        client.models.list()
        write({"openai_api_key": "sk-second"})
        client.models.list()

    async def once() -> None:
        key = keys.async_callable("openai_api_key")
        async with AsyncOpenAI(api_key=key, base_url=url, max_retries=0) as client:
            await client.models.list()

    asyncio.run(once())
    assert got == [f"Bearer {VALUES['openai_api_key']}", "Bearer sk-second", "Bearer sk-second"]


class Documented:
    """The base class of LiteLLM, as its documentation describes it."""

    def __init__(self, secret_manager_name: str | None = None) -> None:
        self.secret_manager_name = secret_manager_name


def test_litellm_reads_a_secret_by_the_name_of_its_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("litellm.integrations.custom_secret_manager")
    monkeypatch.setattr(module, "CustomSecretManager", Documented, raising=False)
    for name in ("litellm", "litellm.integrations", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("MLKEYS_FILES", str(file))
    manager = importlib.import_module("mlkeys.runtime.litellm").TransitSecretManager()
    monkeypatch.delitem(sys.modules, "mlkeys.runtime.litellm")
    read = {name: manager.sync_read_secret(secret_name=name, optional_params={}) for name in ("OPENAI_API_KEY", "NO")}
    assert read == {"OPENAI_API_KEY": VALUES["openai_api_key"], "NO": None}
    monkeypatch.setenv("ELSEWHERE", "of the environment")
    assert manager.sync_read_secret("ELSEWHERE") == "of the environment"
    assert asyncio.run(manager.async_read_secret("hf_token", timeout=1)) == VALUES["hf_token"]
    assert manager.secret_manager_name == "mlkeys"
