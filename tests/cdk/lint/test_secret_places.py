# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of every rule of the table are found in the places where people keep them, however they are encoded there."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from mlkeys._lint.findings import Finding
from mlkeys._lint.secrets import found_in, is_placeholder, secrets_in
from mlkeys._providers.key_patterns import PRIVATE_KEY, Form, built_in
from tests.cdk import keys
from tests.cdk.keys import ALNUM, HEX, LETTERS, some

Place = Callable[[str, str], str]


def found(text: str) -> list[Finding]:
    return secrets_in(text, "a.yml")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def by_numbers(text: str) -> str:
    """A text as shell scripts encode it for addresses."""
    return "".join(f"%{ord(character):02X}" for character in text)


def by_signs(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", lambda sign: by_numbers(sign.group()), text)


#: Where a variable with a secret stands.
PLACES: dict[str, Place] = {
    "environment file": lambda name, key: f"{name.upper()}={key}\n",
    "shell": lambda name, key: f'export {name.upper()}="{key}"\n',
    "fish": lambda name, key: f"set -gx {name.upper()} {key}\n",
    "YAML": lambda name, key: f"llm:\n  {name}: '{key}'\n",
    "Compose": lambda name, key: f"environment:\n  - {name.upper()}={key}\n",
    "Kubernetes": lambda name, key: f"- name: {name.upper()}\n  value: {key}\n",
    "Dockerfile": lambda name, key: f"ENV {name.upper()} {key}\n",
    "Python": lambda name, key: f'{name} = "{key}"\n',
    "a default": lambda name, key: f'{name} = os.getenv("{name.upper()}", "{key}")\n',
    "another default": lambda name, key: f"{name} = os.environ.get('{name.upper()}') or '{key}'\n",
    "JSON": lambda name, key: f'{{"{name}": "{key}"}}\n',
    "JSON in JSON": lambda name, key: f'{{"secret": "{{\\"{name.upper()}\\": \\"{key}\\"}}"}}\n',
    "a Secret": lambda name, key: f"kind: Secret\ndata:\n  {name.upper()}: {encoded(key)}\n",
    "a Secret of a file": lambda name, key: f"kind: Secret\ndata:\n  {name}: {encoded(key)}\n",
    "a whole file": lambda name, key: f"data:\n  .env: {encoded(f'PORT=80{chr(10)}{name.upper()}={key}{chr(10)}')}\n",
    "a header": lambda name, key: f"{name}: Basic {encoded(f'user:{key}')}\n",
    "an address": lambda name, key: f"https://api.acme.io/v1?{name}={quote(key, safe='')}&x=1\n",
    "signs by numbers": lambda name, key: f"{name}={by_signs(key)}\n",
    "numbers": lambda name, key: f"{name}={by_numbers(key)}\n",
}
OF_ADDRESSES = ("a header", "an address", "signs by numbers", "numbers")
#: The others are found by the name before them, which is a part of the rule.
SEARCHED = [
    form for form in built_in().forms if form.regex and form.kind != PRIVATE_KEY and not re.compile(form.regex).groups
]


def _variable(form: Form) -> str:
    name = form.variable or f"{re.sub('[^a-z]', '_', form.provider.lower())}_api_key"
    return name if re.search(form.near, name) else f"{keys.like(form.near)}_api_key"


@pytest.mark.parametrize("form", SEARCHED, ids=lambda form: form.what)
def test_a_secret_of_every_rule_is_found_in_every_place(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_random", random.Random(form.regex))  # noqa: S311  the same ones in each run
    for place, text in PLACES.items():
        key = next(key for key in iter(lambda: keys.like(form.regex), "") if not is_placeholder(key))
        written = text(_variable(form), key)
        hits = [hit.secret.strip() for _, hit in found_in(written, "a", built_in())]
        assert any(hit in key or key in hit for hit in hits), (place, written)


@pytest.mark.parametrize("key", ["sk-9f8K", "Tr0ub4dor&3", "Xk29dkFMw0", "sk-correct-horse-battery"])
@pytest.mark.parametrize("place", [place for place in PLACES if place not in OF_ADDRESSES])
def test_a_key_of_litellm_of_any_length_is_found_in_its_places(place: str, key: str) -> None:
    assert found(PLACES[place]("litellm_master_key", key))


@pytest.mark.parametrize(
    "text", ["litellm_master_key: {}\n", "[api]\nlitellm_salt_key = {}\n", "?litellm_master_key={}&x=1"]
)
def test_a_key_of_litellm_may_have_no_digit(text: str) -> None:
    assert found(text.format("gXqyLOnOMFzFjkRRah"))
    for name in ("masterKeyOfTheGateway", "keyOfLLMGateways.master", "readMasterKeyOfLLMs()"):
        assert not found(text.format(name))


def test_a_long_text_in_base64_is_read_to_its_end() -> None:
    text = encoded("".join(f"VALUE_{number}=x\n" for number in range(3000)) + f"CLARIFAI_PAT={some(HEX, 32)}\n")
    lines = "\n  ".join(text[at : at + 76] for at in range(0, len(text), 76))
    for written in (text, lines):
        (one,) = found(f"data:\n  {written}\n")
        assert one.message == "a Clarifai access token in base64"


def test_a_short_value_in_base64_may_be_behind_a_scheme_or_before_a_comment() -> None:
    for text in ("litellm_master_key: Basic {}\n", 'litellm_master_key: "{}"  # ours\n'):
        (one,) = found(text.format(encoded("u:sk-gEMB1wX")))
        assert one.message.endswith(" in base64")


@pytest.mark.parametrize("value", ["changeme", "password", "${MASTER_KEY}", "os.environ/KEY"])
def test_what_is_not_a_key_of_litellm_is_not_found_in_base64(value: str) -> None:
    assert not found(f"data:\n  LITELLM_MASTER_KEY: {encoded(value)}\n")


def test_a_key_in_base64_is_found_and_not_its_base64() -> None:
    for key in (f"fw_{some(ALNUM, 33)}", some(ALNUM, 33)):
        ((one, hit),) = found_in(f"data:\n  FIREWORKS_API_KEY: {encoded(key)}\n", "a", built_in())
        assert (hit.secret, one.message) == (key, "a Fireworks AI API key in base64")
    uuid = "-".join(some(HEX, length) for length in (8, 4, 4, 4, 12))
    key = f"{uuid}:{some(HEX, 32)}"
    ((_, hit),) = found_in(f"FAL_KEY: {encoded(key)}\n", "a", built_in())
    assert hit.secret == key


@pytest.mark.parametrize(
    "text",
    [
        "ENV BAO_TOKEN s.{}\n",
        'export BAO_TOKEN="s.{}.9VNsBa"\n',
        '{{"env": "{{\\"VERCEL_TOKEN\\": \\"{}\\"}}"}}\n',
        "https://api.vercel.com/?vercel_token={}&x=1\n",
        "ENV VERCEL_TOKEN {}\n",
        "run --vercel-token {} --port 80\n",
    ],
)
def test_letters_of_mostly_one_case_are_found_behind_their_name(text: str) -> None:
    letters = iter(lambda: some(LETTERS, 24), "")
    assert found(text.format(next(key for key in letters if 6 <= sum(map(str.isupper, key)) < 9)))
