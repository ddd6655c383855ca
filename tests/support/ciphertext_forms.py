# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms in which files hold ciphertexts: how each writes one, and how a program that reads the format gets it."""

from __future__ import annotations

import base64
import html
import json
import subprocess
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import yaml


@dataclass(frozen=True)
class Form:
    """One of them.

    Attributes:
        write: the text that holds a token; the number chooses where it is broken, in forms that break it.
        read: the token in such a text.
        reported: what the search calls it.
    """

    write: Callable[[str, int], str]
    read: Callable[[str], str]
    reported: str


def token(version: int, payload: bytes) -> str:
    return f"vault:v{version}:{base64.b64encode(payload).decode()}"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _wrapped(text: str, width: int, indent: str = "") -> str:
    encoded = _b64(text)
    return "".join(f"{indent}{encoded[place : place + width]}\n" for place in range(0, len(encoded), width))


def _at(token: str, seed: int) -> int:
    return 1 + seed % (len(token) - 1)


def _split(token: str, seed: int, between: str) -> str:
    place = _at(token, seed)
    return token[:place] + between + token[place:]


def _escaped(token: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(char, char) for char in token)


def _env(text: str) -> str:
    return text.split("KEY='")[1].split("'", maxsplit=1)[0]


def _unwrapped(text: str) -> str:
    return "".join(text.split())


ENV = "# keys of a service\nKEY='{}'\nOTHER=größer?\n"
JSON_LOWER = {"+": "\\u002b", "/": "\\u002f", "=": "\\u003d", ":": "\\u003a"}
JSON_UPPER = {char: escape.upper().replace("\\U", "\\u") for char, escape in JSON_LOWER.items()}


def _json(token: str, escapes: dict[str, str]) -> str:
    return f'{{"key": "{_escaped(token, escapes)}"}}'


def _url(token: str, *, safe: str = "", lower: bool = False) -> str:
    quoted = urllib.parse.quote(token, safe=safe)
    for code in ("%3A", "%2B", "%2F", "%3D"):
        quoted = quoted.replace(code, code.lower() if lower else code)
    return f"https://gateway.example/?a=1&k={quoted}&z=2"


def _of_url(text: str) -> str:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(text).query, strict_parsing=True)["k"][0]


def _secret(value: str) -> str:
    return json.dumps({"kind": "Secret", "data": {"key": value}})


def _of_secret(text: str) -> str:
    return base64.b64decode(json.loads(text)["data"]["key"], validate=True).decode()


def _unpadded(text: str) -> str:
    encoded = text.partition("=")[2]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def _of_shell(text: str) -> str:
    return subprocess.run(
        ["/bin/sh"], input=f'{text}printf %s "$KEY"', capture_output=True, text=True, check=True
    ).stdout


FORMS = {
    "plain": Form(lambda t, _: f"KEY='{t}'", _env, "plain"),
    "behind letters": Form(lambda t, _: f"KEY='x{t}'", lambda text: _env(text)[1:], "plain"),
    "last on its line": Form(lambda t, _: f"export KEY={t}", lambda text: text.partition("=")[2], "plain"),
    "JSON, slashes": Form(lambda t, _: _json(t, {"/": "\\/"}), lambda text: json.loads(text)["key"], "json"),
    "JSON, lower case": Form(lambda t, _: _json(t, JSON_LOWER), lambda text: json.loads(text)["key"], "json"),
    "JSON, upper case": Form(lambda t, _: _json(t, JSON_UPPER), lambda text: json.loads(text)["key"], "json"),
    "JSON in JSON": Form(
        lambda t, _: json.dumps({"inner": _json(t, {**JSON_LOWER, "/": "\\/"})}),
        lambda text: json.loads(json.loads(text)["inner"])["key"],
        "json",
    ),
    "URL": Form(lambda t, _: _url(t), _of_url, "percent"),
    "URL, lower case": Form(lambda t, _: _url(t, lower=True), _of_url, "percent"),
    "URL, partly": Form(lambda t, _: _url(t, safe="/:"), _of_url, "percent"),
    "URL in URL": Form(
        lambda t, _: f"https://a.example/?u={urllib.parse.quote(_url(t), safe='')}",
        lambda text: _of_url(urllib.parse.parse_qs(urllib.parse.urlsplit(text).query)["u"][0]),
        "percent",
    ),
    "XML, decimal": Form(
        lambda t, _: f'<a><key name="n">{_escaped(t, {"+": "&#43;", "=": "&#61;", ":": "&#58;"})}</key></a>',
        lambda text: str(ET.fromstring(text).findtext("key")),  # noqa: S314  the text is the test's own
        "xml",
    ),
    "HTML, hexadecimal": Form(
        lambda t, _: f'<input value="{_escaped(t, {"+": "&#x2b;", "=": "&#x3D;", "/": "&sol;", ":": "&colon;"})}">',
        lambda text: html.unescape(text.split('"')[1]),
        "xml",
    ),
    "properties": Form(
        lambda t, _: f"key={_escaped(t, {':': chr(92) + ':', '=': chr(92) + '='})}",
        lambda text: text.partition("=")[2].replace("\\", ""),
        "json",
    ),
    "base64": Form(lambda t, _: _secret(_b64(t)), _of_secret, "base64"),
    "base64 of a file": Form(lambda t, _: _secret(_b64(ENV.format(t))), lambda text: _env(_of_secret(text)), "base64"),
    "base64 of JSON": Form(
        lambda t, _: _secret(_b64(_json(t, JSON_LOWER))),
        lambda text: json.loads(_of_secret(text))["key"],
        "base64+json",
    ),
    "base64 of base64": Form(
        lambda t, _: _secret(_b64(f"kind: Secret\ndata: {{key: {_b64(t)}}}\n")),
        lambda text: base64.b64decode(yaml.safe_load(_of_secret(text))["data"]["key"]).decode(),
        "base64+base64",
    ),
    "base64, escaped": Form(
        lambda t, _: _secret("@").replace("@", _b64(ENV.format(t)).replace("/", "\\/").replace("=", "\\u003d")),
        lambda text: _env(_of_secret(text)),
        "base64",
    ),
    "base64 for URLs": Form(
        lambda t, _: "k=" + base64.urlsafe_b64encode(f"~?>ÿÿÿ~~~ KEY='{t}' ???>>>".encode()).decode(),
        lambda text: _env(base64.urlsafe_b64decode(text.partition("=")[2]).decode()),
        "base64",
    ),
    "base64 without padding": Form(
        lambda t, _: "k=" + base64.urlsafe_b64encode(t.encode()).decode().rstrip("="), _unpadded, "base64"
    ),
    "base64 behind a path": Form(
        lambda t, _: "/data/" + _b64(t), lambda text: base64.b64decode(text[6:], validate=True).decode(), "base64"
    ),
    "base64, 76 columns": Form(
        lambda t, _: _wrapped(ENV.format(t), 76),
        lambda text: _env(base64.b64decode(_unwrapped(text), validate=True).decode()),
        "base64",
    ),
    "base64, 64 columns": Form(
        lambda t, _: "data:\n  key: |\n" + _wrapped(t, 64, "    "),
        lambda text: base64.b64decode(_unwrapped(yaml.safe_load(text)["data"]["key"]), validate=True).decode(),
        "base64",
    ),
    "base64, wrapped in JSON": Form(
        lambda t, _: _secret(_wrapped(ENV.format(t), 76)),
        lambda text: _env(base64.b64decode(_unwrapped(json.loads(text)["data"]["key"]), validate=True).decode()),
        "base64",
    ),
    "YAML, folded": Form(
        lambda t, n: f"a:\n  key: >-\n    {_split(t, max(20, _at(t, n) - 4), chr(10) + '    ')}\n  b: 1\n",
        lambda text: yaml.safe_load(text)["a"]["key"].replace(" ", ""),
        "folded",
    ),
    "YAML, continued": Form(
        lambda t, n: f'a:\n  key: "{_split(t, n, chr(92) + chr(10) + "    ")}"\n  b: 1\n',
        lambda text: yaml.safe_load(text)["a"]["key"],
        "continued",
    ),
    "shell, single quotes": Form(lambda t, n: f"KEY='{_split(t, n, chr(39) * 2)}'\n", _of_shell, "split"),
    "shell, lines": Form(lambda t, n: 'KEY="' + _split(t, n, '"\\\n"') + '"\n', _of_shell, "split"),
}
