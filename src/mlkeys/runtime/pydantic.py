# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A source of settings for pydantic-settings, which FastAPI's documentation uses too.

Example:
    ::

        class Settings(BaseSettings):
            openai_api_key: SecretStr

            @classmethod
            def settings_customise_sources(cls, settings_cls, init_settings, env_settings, **others):
                return init_settings, env_settings, TransitSettingsSource(settings_cls, "keys.transit.yml")
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

from pydantic import AliasChoices, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from mlkeys.runtime._errors import SecretsError, shown, without_values
from mlkeys.runtime._fields import NONE, converted, said
from mlkeys.runtime._names import secret_named
from mlkeys.runtime._secrets import Secrets, secrets
from mlkeys.runtime._types import is_scalar


class _WithoutInput:
    """The validator of a class, whose errors hold no value: neither in what they say, nor in `errors` and `json`.

    Pydantic's option ``hide_input_in_errors`` is for the text of an error alone.
    """

    def __init__(self, validator: Any) -> None:
        self._validator = validator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._validator, name)

    def validate_python(self, data: Any, *arguments: Any, **options: Any) -> Any:
        """As pydantic's own."""
        try:
            return self._validator.validate_python(data, *arguments, **options)
        except Exception as error:  # noqa: BLE001  validators may raise any
            problem = _without_input(error) if isinstance(error, ValidationError) else shown(error)
        if options.get("self_instance") is not None:
            # These are the values of all fields, which a frame of pydantic holds that the error comes through.
            data.clear()
        raise problem


def _without_input(error: ValidationError) -> ValidationError:
    return ValidationError.from_exception_data(
        error.title,
        [
            {
                "type": PydanticCustomError(cast("Any", one["type"]), cast("Any", said(one))),
                "loc": one["loc"],
                "input": None,
            }
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ],
        hide_input=True,
    )


class TransitSettingsSource(PydanticBaseSettingsSource):
    """The secrets of encrypted vars files that have the name or an alias of a field, in lower case too.

    ``env_prefix`` and ``env_nested_delimiter`` of the settings are those of secrets too. A field that is a model gets
    the nested data below its name.

    Errors about the settings hold no values, neither in their text nor in ``errors()`` and ``json()``.
    """

    def __init__(self, settings_cls: type[BaseSettings], *files: str | os.PathLike[str], **options: Any) -> None:
        """
        Args:
            files: the files, and ``options``: both as for `mlkeys.runtime.secrets`.
        """
        super().__init__(settings_cls)
        self._secrets: Secrets = secrets(*files, **options)
        validator = settings_cls.__pydantic_validator__
        if not isinstance(validator, _WithoutInput):
            settings_cls.__pydantic_validator__ = cast("Any", _WithoutInput(validator))

    @without_values
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret of a field, the name to validate it under, and whether it is JSON."""
        value, key = self._found(field, field_name)
        return (None if value is NONE else value), key, isinstance(value, str) and self.field_is_complex(field)

    def __call__(self) -> dict[str, Any]:
        """All that it has for the settings."""
        found = self._all()
        if isinstance(found, SettingsError):
            # From here, where no variable holds a value.
            raise found
        return found

    @without_values
    def _all(self) -> dict[str, Any] | SettingsError:
        values: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, key = self._found(field, name)
                # The text of a list, a mapping or a model is JSON.
                if isinstance(value, str):
                    value = self.prepare_field_value(name, field, value, value_is_complex=False)
            except ValueError:
                return SettingsError(f'error parsing value for field "{name}" from source "{type(self).__name__}"')
            if value is not NONE:
                values[key] = value
        return values

    def _found(self, field: FieldInfo, field_name: str) -> tuple[Any, str]:
        """The value for a field, `NONE` if there is none, and the name to validate it under."""
        aliases = list(_aliases(field))
        prefix = self.config.get("env_prefix") or ""
        for name in aliases or [f"{prefix}{field_name}"]:
            value = self._value(name, field.annotation)
            if value is not NONE:
                return value, aliases[0] if aliases else field_name
        return NONE, field_name

    def _value(self, name: str, hint: Any) -> Any:
        """A text, a number or flag where the field takes one, or the data below a name.

        They are below it in a file of nested data, or by the delimiter of the settings.
        """
        found = secret_named(name, self._secrets)
        if found is not None:
            value = self._secrets.value(found)
            fitting = converted(hint, value) if is_scalar(hint) else NONE
            # A strict field takes its own type alone. Types that take a text get that of a number.
            return fitting if fitting is not NONE else value if value is None else self._secrets[found]
        delimiter = self.config.get("env_nested_delimiter")
        data: dict[str, Any] = {}
        for above in dict.fromkeys((name, name.lower())):
            if any(one.startswith(f"{above}.") for one in self._secrets):
                return self._secrets.value(above)
            for one in self._secrets:
                if delimiter and one.startswith(f"{above}{delimiter}"):
                    _put(data, one.removeprefix(f"{above}{delimiter}").split(delimiter), self._secrets.value(one))
        return data or NONE


def _put(data: dict[str, Any], parts: list[str], value: Any) -> None:
    """
    Raises:
        SecretsError: two names cannot be in the same data.
    """
    *above, last = parts
    for part in above:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise SecretsError(f"A secret that ends with '{part}' has others below it, so both cannot be data.")
    if last in data:
        raise SecretsError(f"A secret that ends with '{last}' has others below it, so both cannot be data.")
    data[last] = value


def _aliases(field: FieldInfo) -> Iterator[str]:
    alias = field.validation_alias or field.alias
    for one in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        if isinstance(one, str):
            yield one
