# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for systemd, read by a real systemd that starts a real unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
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
TEMPLATES = Path(__file__).parents[2] / "roles" / "vault_transit_host" / "templates"
FETCH = TEMPLATES / "fetch.j2"
# Decrypts, and notes the environments that systemd has for its calls.
DECRYPTS = """#!/bin/sh
case $1 in
    "" | once) printf 'KEY="its own"\\nPATH="/nowhere"\\n' > /run/mlkeys/hostile/environment ;;
    clear) rm -f /run/mlkeys/hostile/environment ;;
esac
env > "/srv/seen/${1:-once}"
"""
# Leads root elsewhere, to a file that only root may read.
HOSTILE = """
/usr/bin/env > /srv/seen/program
/bin/test -e /run/mlkeys/hostile/environment && echo left >> /srv/seen/program
/bin/ln -sf /root/others.env /run/mlkeys/hostile/environment
exec /bin/sleep 3600
"""


def unit_of(service: dict[str, object]) -> str:
    """The unit of a service."""
    environment = jinja2.Environment(autoescape=False, trim_blocks=True)  # noqa: S701  it is a unit
    environment.filters["union"] = lambda some, more: [*some, *more]
    return environment.from_string((TEMPLATES / "unit.j2").read_text(encoding="utf-8")).render(
        vault_transit_host_service={"after": [], "wants": [], "write_paths": [], **service}
    )


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


def test_a_start_that_lacks_a_secret_id_is_not_repeated(host: Host) -> None:
    """Only a run of the role gives it another one. Its program and its unit say how they have ended."""
    ends = " ".join(map(systemd_word, ["/bin/sh", "-c", "exit 3"]))
    described = {
        "name": "ends", "folder": "/etc/mlkeys/ends", "runtime": "/run/mlkeys/ends", "user": "nobody",
        "group": "nogroup", "mode": "agent", "agent": "x", "environment_file": "", "words": ends, "is_used_up": True,
    }  # fmt: skip
    (host.files / "run/systemd/system/ends.service").write_text(unit_of(described), encoding="utf-8")
    host.run("sh", "-c", "mkdir -p -m 755 /etc/mlkeys/ends/once; chmod 777 /etc/mlkeys/ends/once")
    script = '#!/bin/sh\ntest "${1:-once}" != once || mkdir /etc/mlkeys/ends/once/used || exit 78\n'
    host.run("sh", "-c", 'printf %s "$1" > "$0"; chmod 755 "$0"', "/etc/mlkeys/ends/fetch", script)
    host.run("systemctl", "daemon-reload")
    for result in ("ExecMainCode=1", "ExecMainStatus=3"), ("ExecMainCode=0", "ExecMainStatus=0"):
        host.run("systemctl", "start", "ends", check=False)
        host.run("timeout", "30", "sh", "-c", "until systemctl --quiet is-failed ends; do sleep 0.05; done")
        asked = "--property=NRestarts,ExecMainCode,ExecMainStatus"
        assert sorted(host.run("systemctl", "show", asked, "ends").stdout.split()) == [*result, "NRestarts=0"]


@pytest.mark.parametrize("mode", ["agent", "credential"])
def test_a_service_does_not_make_root_read_files_of_others(host: Host, mode: str) -> None:
    folder, runtime, unit = "/etc/mlkeys/hostile", "/run/mlkeys/hostile", "run/systemd/system/hostile.service"
    described = {
        "name": "hostile", "folder": folder, "runtime": runtime, "user": "nobody", "group": "nogroup",
        "mode": mode, "agent": "x", "restart": "no", "environment_file": f"{runtime}/environment",
        "words": " ".join(map(systemd_word, ["/bin/sh", "-c", HOSTILE])),
    }  # fmt: skip
    (host.files / unit).write_text(unit_of({**described, "write_paths": ["/srv/seen"]}), encoding="utf-8")
    host.run("sh", "-c", "umask 077; echo THEIRS=stolen > /root/others.env")
    host.run("sh", "-c", f"rm -rf /srv/seen; mkdir -m 777 /srv/seen; mkdir -p -m 755 {folder}")
    host.run("sh", "-c", 'printf %s "$1" > "$0"; chmod 755 "$0"', f"{folder}/fetch", DECRYPTS)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "hostile")
    host.run("timeout", "10", "sh", "-c", f"until test -L {runtime}/environment; do sleep 0.05; done")
    host.run("systemctl", "stop", "hostile")
    program, asked = (host.run("cat", f"/srv/seen/{name}").stdout.splitlines() for name in ("program", "asked"))
    assert "KEY=its own" in program
    assert ("left" in program) is (mode == "credential")
    assert not {line for line in asked if "stolen" in line or "its own" in line}


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
