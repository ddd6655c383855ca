# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A source of settings for pydantic-settings, which FastAPI's documentation uses too::

class Settings(BaseSettings):
    openai_api_key: SecretStr

    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, env_settings, **others):
        return init_settings, env_settings, TransitSettingsSource(settings_cls, "keys.transit.yml")
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from mlkeys.runtime._errors import SecretsError, bare
from mlkeys.runtime._names import secret_named
from mlkeys.runtime._secrets import Secrets, secrets

_NONE = object()


class TransitSettingsSource(PydanticBaseSettingsSource):
    """The secrets of encrypted vars files that have the name or an alias of a field, in lower case too.

    ``env_prefix`` and ``env_nested_delimiter`` of the settings are those of secrets too. A field that is a model gets
    the nested data below its name.

    Errors about the settings show no values, as with ``hide_input_in_errors=True``.
    """

    def __init__(self, settings_cls: type[BaseSettings], *files: str | os.PathLike[str], **options: Any) -> None:
        """
        Args:
            files: the files, and ``options``: both as for `mlkeys.runtime.secrets`.
        """
        super().__init__(settings_cls)
        self._secrets: Secrets = secrets(*files, **options)
        if not settings_cls.model_config.get("hide_input_in_errors"):
            settings_cls.model_config["hide_input_in_errors"] = True
            settings_cls.model_rebuild(force=True)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret of a field, the name to validate it under, and whether it is JSON."""
        value, key = self._found(field, field_name)
        return (None if value is _NONE else value), key, isinstance(value, str) and self.field_is_complex(field)

    def __call__(self) -> dict[str, Any]:
        """All that it has for the settings."""
        found = self._all()
        if isinstance(found, Exception):
            # From here, where no variable holds a value.
            raise found
        return found

    def _all(self) -> dict[str, Any] | Exception:
        values: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, key = self._found(field, name)
                # The text of a list, a mapping or a model is JSON.
                if isinstance(value, str):
                    value = self.prepare_field_value(name, field, value, value_is_complex=False)
            except SecretsError as problem:
                return bare(problem)
            except ValueError:
                return SettingsError(f'error parsing value for field "{name}" from source "{type(self).__name__}"')
            if value is not _NONE:
                values[key] = value
        return values

    def _found(self, field: FieldInfo, field_name: str) -> tuple[Any, str]:
        """The value for a field, `_NONE` if there is none, and the name to validate it under."""
        aliases = list(_aliases(field))
        prefix = self.config.get("env_prefix") or ""
        for name in aliases or [f"{prefix}{field_name}"]:
            value = self._value(name)
            if value is not _NONE:
                return value, aliases[0] if aliases else field_name
        return _NONE, field_name

    def _value(self, name: str) -> Any:
        """A text, or the data below a name: of a file for nested data, or with the delimiter of the settings."""
        found = secret_named(name, self._secrets)
        if found is not None:
            # A field for text gets that of a number.
            return None if self._secrets.value(found) is None else self._secrets[found]
        delimiter = self.config.get("env_nested_delimiter")
        data: dict[str, Any] = {}
        for above in dict.fromkeys((name, name.lower())):
            if any(one.startswith(f"{above}.") for one in self._secrets):
                return self._secrets.value(above)
            for one in self._secrets:
                if delimiter and one.startswith(f"{above}{delimiter}"):
                    _put(data, one.removeprefix(f"{above}{delimiter}").split(delimiter), self._secrets.value(one))
        return data or _NONE


def _put(data: dict[str, Any], parts: list[str], value: Any) -> None:
    *above, last = parts
    for part in above:
        data = data.setdefault(part, {})
    data[last] = value


def _aliases(field: FieldInfo) -> Iterator[str]:
    alias = field.validation_alias or field.alias
    for one in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        if isinstance(one, str):
            yield one
