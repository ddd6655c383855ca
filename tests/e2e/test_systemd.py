# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for systemd, read by a real systemd that starts a real unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import rendered
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.services import systemd_word

from tests.support.hosts import Host, Hosts, missing_requirements
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
# What decrypts takes longer than the program may, which never says that it is ready.
SLOW = """
[Service]
Type=notify
NotifyAccess=all
User=nobody
ExecStartPre=/bin/sh /tmp/fetch
TimeoutStartSec=1
ExecStart=/bin/sleep 3600
"""
FETCH = Path(__file__).parents[2] / "roles" / "vault_transit_host" / "templates" / "fetch.j2"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Hosts(tmp_path_factory.mktemp("systemd"), ["one"], systemd=["one"]) as hosts:
        (hosts["one"].files / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        yield hosts["one"]


def test_the_time_of_a_start_is_for_the_program_and_not_for_what_decrypts(host: Host) -> None:
    function = re.search(r"^ask_for_time\(\) {\n.*?^}\n", FETCH.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert function is not None
    (host.files / "tmp/fetch").write_text(
        f"{function.group()}ask_for_time; sleep 2; echo decrypted\n", encoding="utf-8"
    )
    (host.files / "run/systemd/system/slow.service").write_text(SLOW, encoding="utf-8")
    host.run("systemctl", "daemon-reload")
    assert host.run("systemctl", "start", "slow.service", check=False).returncode != 0
    shown = host.run("systemctl", "show", "--property=Result,ExecMainStatus", "slow.service").stdout.split()
    assert sorted(shown) == ["ExecMainStatus=15", "Result=timeout"]
    assert "decrypted" in host.run("journalctl", "--no-pager", "--unit=slow").stdout


def test_a_service_gets_its_environment_and_its_words_unchanged(host: Host) -> None:
    texts = [text for data in collected(CHARACTERS_ONLY, 12) for text in data.values()]
    variables = {f"X{number}": text for number, text in enumerate(texts)}
    # The role refuses these characters in a command.
    words = [re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text) for text in texts]
    files = host.files
    (files / "tmp/file").write_bytes(rendered("environment_file", variables).encode())
    command = ["/bin/sh", "-c", PROGRAM, "program", *words]
    unit = UNIT.format(words=" ".join(map(systemd_word, command)))
    (files / "run/systemd/system/reader.service").write_bytes(unit.encode())
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "reader.service")
    seen = {name: (files / "tmp" / name).read_bytes().decode() for name in ("environment", "words")}

    found = dict(pair.split("=", 1) for pair in seen["environment"].split("\0") if pair)
    assert {name: found.get(name) for name in variables} == variables
    assert seen["words"].split("\0")[:-1] == words
