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
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from mlkeys.runtime._names import secret_named
from mlkeys.runtime._secrets import Secrets, secrets


class TransitSettingsSource(PydanticBaseSettingsSource):
    """The secrets of encrypted vars files that have the name or an alias of a field, in lower case too.

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
        aliases = list(_aliases(field))
        for name in [*aliases, field_name]:
            found = secret_named(name, self._secrets)
            if found is not None:
                is_json = self.field_is_complex(field)
                return self._secrets[found], aliases[0] if aliases else field_name, is_json
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """All that it has for the settings."""
        values: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, is_json = self.get_field_value(field, name)
            if value is not None:
                values[key] = self.prepare_field_value(name, field, value, is_json)
        return values


def _aliases(field: FieldInfo) -> Iterator[str]:
    alias = field.validation_alias or field.alias
    for one in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        if isinstance(one, str):
            yield one
