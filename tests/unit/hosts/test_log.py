# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a log without the values of its service, whatever form a program writes them in."""

from __future__ import annotations

import base64
import html
import importlib.util
import json
import shlex
import subprocess
import sys
import urllib.parse
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "files" / "log.py"
# With what other languages escape.
VALUE = "pa'ss\"w\\or$d & <ü> 4711\nsecond line"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("log_of_service", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOG = loaded()


def shown(text: str, *values: str) -> str:
    return str(LOG.lines(text.encode(), [value.encode() for value in values]).decode())


def wrapped(text: str) -> str:
    return "\n".join(text[at : at + 9] for at in range(0, len(text), 9))


FORMS = {
    "raw": VALUE,
    "upper": VALUE.upper(),
    "json": json.dumps(VALUE)[1:-1],
    "json with Unicode": json.dumps(VALUE, ensure_ascii=False)[1:-1],
    "json in json": json.dumps(json.dumps({"a": VALUE}))[11:-4],
    "repr": repr(VALUE)[1:-1],
    "shell": shlex.quote(VALUE)[1:-1],
    "html": html.escape(VALUE),
    "url": urllib.parse.quote(VALUE, safe=""),
    "form": urllib.parse.quote_plus(VALUE).lower(),
    "hexadecimal": VALUE.encode().hex(),
    "hexadecimal with spaces": VALUE.encode().hex(" ").upper(),
    "base64 in a URL": urllib.parse.quote(base64.b64encode(VALUE.encode()).decode(), safe=""),
    "wrapped base64": wrapped(base64.b64encode(VALUE.encode()).decode().rstrip("=")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_hidden_in_each_form(form: str) -> None:
    assert shown(f"before: {FORMS[form]} :after", VALUE).split() == ["before:", "********", ":after"]


@pytest.mark.parametrize("before", ["", "u", "u:", "u:v"])
@pytest.mark.parametrize("after", ["", "\n", "!?", "\N{LATIN SMALL LETTER Y WITH DIAERESIS}"])
@pytest.mark.parametrize("value", [VALUE, f"{VALUE}1", f"{VALUE}12", "4711"])
def test_a_value_is_hidden_within_a_longer_base64_text(before: str, after: str, value: str) -> None:
    text = base64.b64encode(f"{before}{value}{after}".encode()).decode()
    # Characters that have no bit of the value.
    first = len(before) * 8 // 6
    after_last = -(-(len(before) + len(value.encode())) * 8 // 6)
    for form in (text, text.replace("+", "-").replace("/", "_")):
        assert shown(form, value) == f"{form[:first]}********{form[after_last:]}\n"


def test_parts_of_eight_characters_are_hidden_and_short_values_as_a_whole() -> None:
    value = "abcdefghijklmnop"
    for at in range(len(value) - 7):
        assert shown(f"<{value[at : at + 8]}>", value) == "<********>\n"
    assert shown(f"<{value[3:10]}>", value) == "<defghij>\n"
    assert shown("pin 4711, part 471, base64 NDcxMQ==", "4711") == "pin ********, part 471, base64 ********==\n"
    assert shown("nothing is empty", "") == "nothing is empty\n"


def test_only_the_last_lines_are_shown_and_no_control_characters() -> None:
    text = "".join(f"line {number}\n" for number in range(20)) + "\x1b[31mred\n" + "x" * 5000
    said = shown(text, VALUE).splitlines()
    assert said[:7] == [f"line {number}" for number in range(14, 20)] + ["?[31mred"]
    assert len(said[7]) == 1000


def test_the_configuration_writes_each_plaintext_once() -> None:
    call = r"with secret \"transit/decrypt/ml\" \"ciphertext=vault:v1:AA==\" \"context=YQ==\""
    other = call.replace("AA==", "BB==")
    quoted = "{{ $v := base64Decode .Data.plaintext }}{{ $v }}{{ end }}"
    texts = [f"A={{{{ {call} }}}}{quoted}B={{{{ {other} }}}}{quoted}", f"c: {{{{ {call} }}}}{quoted}"]
    templates = "".join(f'\ntemplate {{\n  contents = "{text}"\n  destination = "/run/x/e"\n}}\n' for text in texts)
    made = LOG.configuration(f'  path = "/run/x/token"\n{templates}', "/run/x", "/run/x.values")
    assert '  path = "/run/x.values/token"\n' in made
    assert made.count("template {") == 1
    assert '"/run/x/' not in made
    [contents] = [line for line in made.splitlines() if line.startswith("  contents")]
    one = r"{{ .Data.plaintext }}\n{{ end }}"
    assert contents == f'  contents = "{{{{ {call} }}}}{one}{{{{ {other} }}}}{one}"'


def test_as_a_program_it_reads_values_and_files(tmp_path: Path) -> None:
    values = [b"one-value-1", "zwei-ü\n".encode()]
    (tmp_path / "values").write_bytes(b"".join(base64.b64encode(value) + b"\n" for value in values))
    (tmp_path / "login").write_text("login-of-host\n", encoding="ascii")
    argv = [sys.executable, str(SCRIPT), "lines", str(tmp_path), str(tmp_path / "login"), str(tmp_path / "none")]
    text = "a one-value-1 b zwei-ü c login-of-host d\n"
    done = subprocess.run(argv, input=text, capture_output=True, check=True, encoding="utf-8")
    assert done.stdout == "a ******** b ******** c ******** d\n"
    # Values for which a search would take too long: no lines.
    (tmp_path / "login").write_text("x" * (LOG.MOST + 1), encoding="ascii")
    done = subprocess.run(argv, input=text, capture_output=True, check=False, encoding="utf-8")
    assert (done.returncode, done.stdout) == (1, "")
