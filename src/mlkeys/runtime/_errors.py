# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The errors that programs see."""

from __future__ import annotations

from mlkeys._errors import MlkeysError


class SecretsError(MlkeysError):
    """A secret cannot be read or decrypted. The message repeats no value."""


class UnknownSecret(SecretsError, KeyError):
    """No secret has this name."""

    # That of KeyError would show the message as a literal.
    __str__ = Exception.__str__
