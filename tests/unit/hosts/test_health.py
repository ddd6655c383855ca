# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a service counts as up, and what is said of one that does not come up."""

from __future__ import annotations

import http.server
import itertools
import os
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
import pytest

from tests.support.neighbour import as_root

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "health.sh.j2"
FILES = TEMPLATE.parents[1] / "files"
UP = "case $1 in pid) echo 42 ;; esac"
# Another one of letters alone.
PLAIN = "abcdefgh" * 4
KEY = "sk-proj-" + "A1b2C3d4" * 5


class Service:
    """The script of a service without systemd, and its log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.write_text("", encoding="utf-8")
        self.begun = Path(f"{folder}.begun")

    def behaves(self, script: str) -> None:
        path = self.folder / "service"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def check(
        self,
        *,
        timeout: int = 1,
        grace: float = 0.1,
        systemd: bool = False,
        hides: bool = False,
        user: str = "root",
        **ready: Any,
    ) -> str:
        """What the check prints, empty for a service that is up."""
        loader = jinja2.FileSystemLoader(TEMPLATE.parent)
        environment = jinja2.Environment(autoescape=False, loader=loader)  # noqa: S701  it is a shell script
        environment.filters["bool"] = bool
        environment.globals["lookup"] = lambda _plugin, name: (FILES / name).read_text(encoding="utf-8")
        environment.filters["quote"] = lambda value: shlex.quote(str(value))
        script = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
            vault_transit_host_service={
                "name": "gw",
                "folder": str(self.folder),
                "runtime": str(self.folder),
                "user": user,
                "group": "nogroup",
                "agent": hides,
                "startup_grace": grace,
                "ready": ready,
            },
            vault_transit_host_start_timeout=timeout,
            vault_transit_host_with_systemd=systemd,
            vault_transit_host_approle_path="machines/",
            vault_transit_host_role_id="4711",
        )
        script = script.replace("/var/log/mlkeys/$name.log", str(self.log))
        env = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False, text=True, env=env)
        assert done.stderr == ""
        assert (done.returncode == 0) is (done.stdout == "")
        return done.stdout


@pytest.fixture
def service(tmp_path: Path) -> Service:
    made = Service(tmp_path)
    made.behaves(UP)
    return made


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204 if self.path == "/up" else 503)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_program_that_lives_for_a_while_is_up(service: Service) -> None:
    assert service.check() == ""


def test_lines_are_shown_only_where_the_program_has_not_written_any(service: Service) -> None:
    """It may write passwords that look like no key."""
    last = f"[ERROR] bad key '{KEY}' in /etc/app/config.yaml: {PLAIN}\nbye\n"
    service.log.write_text(f"gw: starts\npassword hunter\ngw: starts\n{last}", encoding="utf-8")
    service.behaves("exit 3")
    ended = "Its program ended at once, or did not get its secrets.\n"
    hidden = "[ERROR] bad key '(hidden)' in /etc/app/config.yaml: (hidden)\nbye\n"
    assert service.check() == f"{ended}The last lines of its log:\n{hidden}"
    service.begun.touch()
    assert service.check() == ended
    # A supervisor has started it again since then, and what the program wrote before is in the log.
    service.begun.unlink()
    service.log.write_text(f"gw: starts\npassword hunter\ngw: starts again\n{last}", encoding="utf-8")
    assert service.check() == ended


def test_lines_of_a_program_are_shown_without_what_the_host_decrypts_again(service: Service) -> None:
    values = Path(f"{service.folder}.values")
    (service.folder / "agent.hcl").write_text("\ntemplate {\n}\n", encoding="utf-8")
    fetch = service.folder / "fetch"
    fetch.write_text('#!/bin/sh\ntest "$1" = values && echo aHVudGVy | tee "$2/values"\n', encoding="utf-8")
    fetch.chmod(0o755)
    service.log.write_text(f"gw: starts\nearlier\ngw: starts\npassword hunter, {PLAIN}\n", encoding="utf-8")
    service.behaves("exit 3")
    service.begun.touch()
    ended = "Its program ended at once, or did not get its secrets.\n"
    # What looks like a key may come from elsewhere.
    assert service.check(hides=True) == f"{ended}The last lines of its log:\npassword ********, (hidden)\n"
    assert not values.exists()
    # A supervisor starts it again sooner than anybody looks, and it waits.
    service.begun.unlink()
    service.log.write_text(
        "gw: starts\nearlier\ngw: starts\nI am hunter\ngw: starts again\ngw waits\n", encoding="utf-8"
    )
    shown = "I am ********\ngw: starts again\ngw waits\n"
    assert service.check(hides=True) == f"{ended}The last lines of its log:\n{shown}"
    # A check before this one was killed. The server is away.
    (values / "left").mkdir(parents=True)
    fetch.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert service.check(hides=True) == ended
    assert not values.exists()


def test_names_and_addresses_in_a_log_are_shown(service: Service) -> None:
    names = "Check vault_transit_host_auth_role, vault_transit_host_auth_namespace."
    calls = 'Put "https://127.0.0.1:18418/v1/auth/jwt/login": dial unix /run/openbao-agent/vault-1/agent.sock'
    service.log.write_text(f"{names}\n{calls}\n18418/v1/{PLAIN}/x /{KEY} vault_transit_host_{KEY}\n", encoding="utf-8")
    service.behaves("exit 3")
    said = service.check()
    assert f"{names}\n{calls}\n18418/v1/(hidden)/x (hidden) (hidden)\n" in said


def test_a_program_that_ends_within_the_grace_is_not_up(service: Service) -> None:
    # Another process each time: it has been started again.
    service.behaves(f'test "$1" != pid || {{ echo x >> {service.folder}/n; wc -l < {service.folder}/n; }}')
    assert service.check().startswith("Its program ended within 0.1 seconds.")


@pytest.mark.parametrize(
    ("note", "how"),
    [("3 1700000000", "ended with status 3"), ("137 1700000000", "ended with status 137 (as after signal 9)")],
)
def test_how_a_program_has_ended_is_said(service: Service, note: str, how: str) -> None:
    Path(f"{service.folder}.ended").write_text(f"{note}\n", encoding="ascii")
    # It lives when it is looked for first.
    service.behaves(f'test "$1" = pid && mkdir {service.folder}/seen 2>/dev/null && echo 42')
    assert service.check() == f"Its program {how} within 0.1 seconds.\n"
    assert service.check() == f"Its program {how} at once.\n"


def test_the_note_of_an_end_may_come_after_it(service: Service) -> None:
    note = f"{{ sleep 0.3; echo 3 4711 > {service.folder}.ended; }} </dev/null >/dev/null 2>&1 &"
    service.behaves(f'test "$1" != status || {{ touch {service.begun}; {note} }}; exit 3')
    assert service.check() == "Its program ended with status 3 at once.\n"


def test_a_service_without_secrets_is_waited_for(service: Service) -> None:
    service.behaves('test "$1" = status')
    assert service.check().startswith("It has no secrets after 1 seconds.")


def test_a_url_answers_with_the_wanted_status(service: Service, url: str) -> None:
    assert service.check(timeout=30, url=f"{url}/up", status=204) == ""
    assert service.check(timeout=30, url=f"{url}/other", status=503) == ""
    late = "It is not ready after 1 seconds:"
    name = url.removeprefix("http://")
    assert service.check(url=f"{url}/other").startswith(f"{late} {url}/other: status 503, not 200.\n")
    # A password and a query are not shown.
    secret = f"http://me:{PLAIN}@{name}/other?token={PLAIN}"
    said = service.check(url=secret)
    assert said.startswith(f"{late} {name}/other: ")
    assert PLAIN not in said
    assert service.check(url="http://127.0.0.1:1/").startswith(f"{late} http://127.0.0.1:1/: Connection refused.\n")


def test_an_answer_without_an_end_is_not_waited_for(service: Service) -> None:
    def drip(listening: socket.socket) -> None:
        with listening, suppress(OSError), listening.accept()[0] as connection:
            for byte in itertools.chain(b"HTTP/1.1 204 ", itertools.repeat(ord("x"))):
                connection.sendall(bytes((byte,)))
                time.sleep(0.05)

    listening = socket.create_server(("127.0.0.1", 0))
    place = f"http://127.0.0.1:{listening.getsockname()[1]}"
    # If nobody connects, it waits forever.
    threading.Thread(target=drip, args=(listening,), daemon=True).start()
    said = service.check(url=place, status=204)
    assert said.startswith(f"It is not ready after 1 seconds: {place}: no whole answer within 1 seconds.\n")


def test_a_port_accepts_connections(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert service.check(port=port) == ""
    assert service.check(port=port).startswith(
        f"It is not ready after 1 seconds: port {port} of 127.0.0.1: Connection refused.\n"
    )


@as_root
def test_a_command_has_the_rights_of_the_user(service: Service) -> None:
    service.folder.chmod(0o777)
    facts = "id -un; pwd; grep -E '^(NoNewPrivs|CapEff)' /proc/self/status; echo $CANARY"
    command = ["/bin/sh", "-c", f"( {facts} ) > {service.folder}/facts"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANARY", "of root")
        folder = service.folder
        while folder != Path("/tmp"):  # noqa: S108  the folders of tests are below it
            folder.chmod(folder.stat().st_mode | 0o111)
            folder = folder.parent
        assert service.check(timeout=30, user="nobody", command=command) == ""
    assert (service.folder / "facts").read_text(encoding="ascii").split() == [
        *("nobody", "/", "CapEff:", "0000000000000000", "NoNewPrivs:", "1")
    ]


@as_root
def test_a_command_ends_well(service: Service) -> None:
    assert service.check(timeout=30, command=["/bin/sh", "-c", "exit 0"]) == ""
    # An attempt that the end of the time cuts says less than one before it.
    said = service.check(timeout=5, command=["/bin/sh", "-c", "exit 7"])
    assert said.startswith("It is not ready after 5 seconds: /bin/sh ended with status 7.\n")


@as_root
def test_a_command_ends_with_the_time_and_with_the_program(service: Service) -> None:
    # No other run of this test has these seconds.
    seconds = f"47.{os.getpid()}"
    command = ["/bin/sh", "-c", f"sleep {seconds} & sleep {seconds}"]
    assert service.check(command=command).startswith("It is not ready after 1 seconds: /bin/sh does not end.\n")
    service.behaves(f'test "$1" != pid || test -e {service.folder}/ended || echo 42; touch {service.folder}/seen')
    ends = f"sleep 0.2; touch {service.folder}/ended; sleep {seconds}"
    assert service.check(timeout=30, command=["/bin/sh", "-c", ends]).startswith("Its program ended before it was")
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if seconds.encode() in content(path)]
    assert left == []


def content(path: Path) -> bytes:
    """Nothing of a process that ends at this moment."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("refused", "The server does not know its secret ID any more, or its AppRole. Run the role again."),
        (
            "locked",
            'bao write -f "sys/locked-users/$(bao read -field=accessor sys/auth/machines)/unlock/4711".',
        ),
    ],
)
def test_a_refused_login_is_not_waited_for(service: Service, name: str, said: str) -> None:
    service.behaves(f'test "$1" = status && touch {service.folder}/{name}')
    assert said in service.check(timeout=30)
    # The start may have noted it before the check began, since the script of a service waits for a while.
    os.utime(service.folder / name, (4711, 4711))
    service.behaves('test "$1" = status')
    assert said in service.check(timeout=30)


# What systemd says of a unit, one property a line in a file.
SYSTEMCTL = r"""#!/bin/sh
sed -n "s/^${2#--property=}=//p" "${0%/*}/unit"
"""


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("ActiveState=active\nSubState=running\nJob=0\nMainPID=42", ""),
        # It has begun, and does not say that it is ready.
        (
            "ActiveState=activating\nSubState=start\nJob=7\nMainPID=42",
            "It is not ready after 1 seconds: it has not sent READY=1 to systemd.",
        ),
        # It gets its secrets.
        ("ActiveState=activating\nSubState=start-pre\nJob=7\nMainPID=0", "It has no secrets after 1 seconds."),
        ("ActiveState=failed\nSubState=failed\nJob=\nMainPID=0", "Its program ended at once, or did not get its secr"),
    ],
)
def test_a_program_under_systemd_says_itself_that_it_is_ready(service: Service, state: str, said: str) -> None:
    (service.folder / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (service.folder / "systemctl").chmod(0o755)
    (service.folder / "unit").write_text(f"{state}\nNRestarts=0\n", encoding="utf-8")
    assert service.check(systemd=True, notify=True)[: len(said) or None] == said


def test_lines_of_a_program_that_is_about_to_restart_are_its_own(service: Service) -> None:
    """By then, systemd says that the unit left the state inactive after the program began."""
    times = "ExecMainStartTimestampMonotonic=5\nInactiveExitTimestampMonotonic=9"
    state = f"ActiveState=activating\nSubState=auto-restart\nJob=\nMainPID=0\n{times}\nNRestarts=0\n"
    (service.folder / "unit").write_text(state, encoding="utf-8")
    for name, script in (("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\necho password hunter\n")):
        (service.folder / name).write_text(script, encoding="utf-8")
        (service.folder / name).chmod(0o755)
    assert service.check(systemd=True) == "It has no secrets after 1 seconds.\n"


@pytest.mark.parametrize(
    ("code", "pid", "how"),
    [
        ("1\nExecMainStatus=3", 42, "ended with status 3"),
        ("2\nExecMainStatus=9", 42, "was ended by signal 9"),
        ("0\nExecMainStatus=0", 42, "ended"),
        # Another one was started after the one that was seen.
        ("1\nExecMainStatus=3", 43, "ended"),
    ],
)
def test_how_a_program_has_ended_is_said_under_systemd(service: Service, code: str, pid: int, how: str) -> None:
    state = f"ActiveState=active\nJob=\nMainPID=0\nNRestarts=0\nExecMainPID={pid}\nExecMainCode={code}\n"
    (service.folder / "unit").write_text(state, encoding="utf-8")
    # It lives when it is looked for first.
    lives = '[ $2 = --property=MainPID ] && mkdir "${0%/*}/seen" 2>/dev/null && exec echo 42\n'
    script = SYSTEMCTL.replace("sed", f"{lives}sed", 1)
    for name, text in (("systemctl", script), ("journalctl", "#!/bin/sh\n")):
        (service.folder / name).write_text(text, encoding="utf-8")
        (service.folder / name).chmod(0o755)
    assert service.check(systemd=True) == f"Its program {how} within 0.1 seconds.\n"


@pytest.mark.parametrize(
    ("more", "limit"),
    [({"type": "notify"}, "90"), ({"type": "notify", "timeout": 120}, "130"), ({"type": ""}, "infinity")],
)
def test_a_notification_is_not_awaited_forever(more: dict[str, Any], limit: str) -> None:
    """What decrypts may wait for the server, and asks for more time."""
    unit = (TEMPLATE.parent / "unit.j2").read_text(encoding="utf-8")
    part = unit[unit.index("{% if vault_transit_host_service.type == 'notify' %}") :].partition("RuntimeDirectory=")[0]
    begin = part.partition("{% if vault_transit_host_service.environment_file")[0]
    service = {"agent": "x", **more}
    lines = jinja2.Template(begin).render(
        vault_transit_host_service=service, vault_transit_host_start_timeout=more.get("timeout", 60)
    )
    assert f"TimeoutStartSec={limit}\n" in lines
    assert ("NotifyAccess=all" in lines) is (more["type"] == "notify")


def test_what_watches_a_ciphertext_is_started_only_where_it_is(tmp_path: Path) -> None:
    """At the first start it is not there yet, and systemd would write an error to the log."""
    unit = (TEMPLATE.parent / "unit.j2").read_text(encoding="utf-8")
    part = unit[unit.index("{% set vault_transit_host_watch =") :].partition("{% endif %}")[0]
    line = jinja2.Template(part).render(vault_transit_host_service={"name": "gw"}).strip()
    words = shlex.split(line.partition("=+-")[2].replace("/etc/systemd/system", str(tmp_path)))
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho $@\n", encoding="utf-8")
    (tmp_path / "systemctl").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for said in ("", "--no-block start mlkeys-gw.service\n"):
        assert subprocess.run(words, check=True, capture_output=True, text=True, env=env).stdout == said
        (tmp_path / "mlkeys-gw.service").touch()
