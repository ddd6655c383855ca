# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A custom secret manager for LiteLLM's proxy, which loads it from a file beside its ``config.yaml``.

Example:
    ::

        # mlkeys_secrets.py
        from mlkeys.runtime.litellm import TransitSecretManager
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from litellm.integrations.custom_secret_manager import CustomSecretManager

from mlkeys.runtime._errors import UnknownSecret
from mlkeys.runtime._names import names_for, secret_named
from mlkeys.runtime._secrets import secrets


class TransitSecretManager(CustomSecretManager):
    """Reads ``os.environ/OPENAI_API_KEY`` from the secret ``openai_api_key``, or one of exactly that name.

    Attributes:
        files: for a subclass, the encrypted vars files. Without any, those of `mlkeys.runtime.secrets`.
    """

    files: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__("mlkeys")
        self._secrets = secrets(*self.files)

    def sync_read_secret(self, secret_name: str, *_options: Any, **_others: Any) -> str | None:
        """The secret, or the variable of the environment if there is none.

        LiteLLM reads the environment too after a ``None``, but logs an error with a traceback before.
        """
        found = secret_named(secret_name, self._secrets)
        return os.environ.get(secret_name) if found is None else self._secrets[found]

    async def async_read_secret(self, secret_name: str, *_options: Any, **_others: Any) -> str | None:
        """The same, without blocking the proxy while it is decrypted, or its end."""
        for name in names_for(secret_name):
            with suppress(UnknownSecret):
                return await self._secrets.fetch(name)
        return os.environ.get(secret_name)
