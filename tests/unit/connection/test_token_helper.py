# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of ``bao`` and ``vault``, which may name a token helper."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins import token_helper
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.token_helper import helper_of
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption

PROGRAM = "/bin/true"


def named_by(config: Path) -> str:
    return helper_of(Auth(client_configs=(str(config), "/nowhere")))


@pytest.mark.parametrize(
    ("content", "helper"),
    [
        ("", ""),
        ("# nothing\n// here /* */\n", ""),
        (f'token_helper = "{PROGRAM}"', PROGRAM),
        (f'/* a\nb */ token_helper="{PROGRAM}" # why\n', PROGRAM),
        (f'{{"token_helper": "{PROGRAM}"}}\n', PROGRAM),
        ('token_helper = ""\n', ""),
    ],
)
def test_the_helper_of_a_configuration(tmp_path: Path, content: str, helper: str) -> None:
    config = tmp_path / "config"
    config.write_text(content, encoding="ascii")
    assert named_by(config) == helper


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f'token_helper = "{PROGRAM}"\nfoo bar', 2),
        (f'# first\n\ntoken_helpr = "{PROGRAM}"\n', 3),
        (f'/* a\nb */\ntoken_helper = "{PROGRAM}\n', 3),
        ("token_helper = 3\n", 1),
        ("token_helper = \n", 1),
        (f"token_helper = '{PROGRAM}'\n", 1),
        ('\ntoken_helper = "\\q"\n', 2),
        ("password-canary-Qz7\n", 1),
    ],
)
def test_a_mistake_in_it_is_an_error_that_names_the_line(tmp_path: Path, content: str, line: int) -> None:
    config = tmp_path / "config"
    config.write_text(content, encoding="ascii")
    with pytest.raises(InvalidOption) as error:
        named_by(config)
    assert error.value.message.startswith(f"{config}, line {line}: this is not the configuration of bao or vault")
    assert "canary" not in error.value.message


def test_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=str(tmp_path)):
        named_by(tmp_path)
    assert named_by(tmp_path / "none") == ""


def test_a_program_that_does_not_exist_is_called_so(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text('token_helper = "/nowhere/helper"', encoding="ascii")
    with pytest.raises(InvalidOption, match=r": /nowhere/helper does not exist\.$"):
        named_by(config)


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\nexec tail -f /dev/null\n", encoding="ascii")
    helper.chmod(0o700)
    monkeypatch.setattr(token_helper, "_SECONDS", 0.1)
    with pytest.raises(InvalidOption, match="did not end within"):
        token_helper.call_helper(str(helper), "get", "https://a.test")
