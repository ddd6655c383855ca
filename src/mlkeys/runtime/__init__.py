# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of encrypted vars files, for programs::

    from mlkeys.runtime import secrets

    keys = secrets("keys.transit.yml")
    client = OpenAI(api_key=keys["openai"])

Nothing is read, and no server asked, before a secret is used. Then all secrets of a key are decrypted with one request,
and kept in memory. This needs hvac, and no Ansible: ``pip install 'mlkeys[runtime]'``.
"""

from mlkeys.runtime._errors import SecretsError, UnknownSecret
from mlkeys.runtime._secrets import Secrets, secrets

__all__ = ["Secrets", "SecretsError", "UnknownSecret", "secrets"]
