# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds secrets that were written into the program itself, and shows values without showing those."""

from __future__ import annotations

import re

# What providers promise about the form of their secrets. A lower-case name, a value of many kinds of characters.
_FORMS = (
    ("an Anthropic API key", r"sk-ant-[A-Za-z0-9_-]{16,}"),
    ("an API key", r"\b(?:sk|rk|pk)-[A-Za-z0-9_-]*[A-Za-z0-9_]{16,}"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{20,}"),
    ("a Google API key", r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
    ("a Slack token", r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    ("a Replicate token", r"\br8_[A-Za-z0-9]{30,}"),
    ("a Groq API key", r"\bgsk_[A-Za-z0-9]{30,}"),
    ("an NVIDIA API key", r"\bnvapi-[A-Za-z0-9_-]{30,}"),
    ("a token of Vault or OpenBao", r"\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{24,}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
)
_ANY = re.compile("|".join(f"(?P<f{number}>{form})" for number, (_, form) in enumerate(_FORMS)))
_SHOWN_CHARACTERS = 60


def secret_form(text: str) -> str | None:
    """What secret a text seems to hold (`an API key`), None when it holds none."""
    found = _ANY.search(text)
    return _FORMS[int(str(found.lastgroup)[1:])][0] if found else None


def shown(value: object) -> str:
    """A value for a message: short, and not if it may be a secret."""
    text = repr(value)
    if secret_form(text):
        return f"a {type(value).__name__} that is not shown"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
