# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for systemd, read by a real systemd that starts a real unit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import rendered
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.services import systemd_word

from tests.support.hosts import Hosts, missing_requirements
from tests.support.shapes import CHARACTERS_ONLY, collected

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

# Writes down its environment and its arguments.
PROGRAM = 'env -0 > /tmp/environment; printf "%s\\0" "$@" > /tmp/words'
UNIT = """
[Service]
Type=oneshot
EnvironmentFile=/tmp/file
ExecStart={words}
"""


def test_a_service_gets_its_environment_and_its_words_unchanged(tmp_path: Path) -> None:
    texts = [text for data in collected(CHARACTERS_ONLY, 12) for text in data.values()]
    variables = {f"X{number}": text for number, text in enumerate(texts)}
    # The role refuses these characters in a command.
    words = [re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text) for text in texts]
    with Hosts(tmp_path, ["one"], systemd=["one"]) as hosts:
        files = hosts["one"].files
        (files / "tmp/file").write_bytes(rendered("environment_file", variables).encode())
        command = ["/bin/sh", "-c", PROGRAM, "program", *words]
        unit = UNIT.format(words=" ".join(map(systemd_word, command)))
        (files / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        (files / "run/systemd/system/reader.service").write_bytes(unit.encode())
        hosts["one"].run("systemctl", "daemon-reload")
        hosts["one"].run("systemctl", "start", "reader.service")
        seen = {name: (files / "tmp" / name).read_bytes().decode() for name in ("environment", "words")}

    found = dict(pair.split("=", 1) for pair in seen["environment"].split("\0") if pair)
    assert {name: found.get(name) for name in variables} == variables
    assert seen["words"].split("\0")[:-1] == words
