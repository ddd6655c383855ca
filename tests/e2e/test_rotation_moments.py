# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations that are killed at random moments, or run beside a writer: nothing is lost, and the next run finishes.

Most run in a process of their own, by the modules and in the order of the playbook: in a twentieth of the time.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.fleets import HOSTS, KEY, VALUES, Fleet
from tests.e2e.moments import Moments
from tests.e2e.trees import FORMS, Held
from tests.support.modules import by_action, run_module

#: Other moments, to look for trouble: MLKEYS_MOMENTS=7
SEED = int(os.environ.get("MLKEYS_MOMENTS", "13"))
#: How many runs are killed: between two operations, at any time, and as a whole with Ansible.
BETWEEN, ANYTIME, WHOLE = 17, 10, 3

_REWRITTEN = ("env", "json", "url", "base64", "folded")


def fill(fleet: Fleet) -> list[Held]:
    """Ciphertexts in other forms, and of another key."""
    fleet.bao.done("POST", f"{fleet.mount}/keys/theirs")
    held = []
    for number, form in enumerate(_REWRITTEN):
        for key, context in ((KEY, "hf_token"), ("theirs", "")):
            write, read = FORMS[form]
            path = fleet.folder / HOSTS[number % 2] / f"{key}.{form}"
            text = fleet.encrypt(f"sk-canary-{number}", context, key)
            path.write_bytes(write("hf_token", text))
            held.append(Held(path, read, f"sk-canary-{number}", key, context, ""))
    return held


def version(text: str) -> int:
    return int(text.split(":")[1][1:])


def check_decrypts(fleet: Fleet, held: list[Held]) -> None:
    assert fleet.file.plaintexts(KEY) == VALUES
    assert [str(one.path) for one in held if not one.decrypts(fleet)] == []
    for path in fleet.files:
        names = [line.partition("=") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        found = {name.lower(): fleet.decrypt(text, name.lower()) for name, _sign, text in names}
        assert found == VALUES, path


def check_finished(fleet: Fleet, held: list[Held]) -> None:
    """Everything decrypts, has the latest version and no copy on its way, and the floor is there."""
    check_decrypts(fleet, held)
    key = fleet.key()
    latest = key["latest_version"]
    assert (key["min_decryption_version"], key["min_encryption_version"]) == (latest, latest)
    fleet.check_rotated(latest)
    versions = {version(one.read(one.path.read_bytes())) for one in held if one.key == KEY}
    assert versions == {latest}


def done(module: str, fleet: Fleet, **options: Any) -> dict[str, Any]:
    result = run_module(module, {**fleet.bao.login, "backend": fleet.mount, **options})
    assert not result.failed, result.msg
    return result


def rotate(fleet: Fleet) -> None:
    """What the playbook does, a version further if the last one is everywhere."""
    with by_action():
        target = rotate_vars_file(fleet)
        for host in HOSTS:
            sought = {"paths": [str(fleet.folder / host)], "vars_files": [str(fleet.file.path)]}
            own = {"key": KEY, "key_version": target}
            done("vault_transit_rewrap", fleet, strict=True, **sought, **own)
            states = ["behind", "too old", "unknown"]
            found = done("vault_transit_ciphertext_info", fleet, states=states, **sought, **own)
            assert (found["ciphertexts"], found["unread"]) == ([], [])
        done("vault_transit_key", fleet, name=KEY, min_decryption_version=target, min_encryption_version=target)


def rotate_vars_file(fleet: Fleet) -> int:
    """The part of it on the controller. Returns the version."""
    key = fleet.key()
    behind = {*fleet.file.versions().values(), key["min_decryption_version"]} - {key["latest_version"]}
    if not behind:
        done("vault_transit_key", fleet, name=KEY, rotate_older_than=0)
    target = int(fleet.key()["latest_version"])
    path = str(fleet.file.path)
    done("vault_transit_vars", fleet, path=path, refresh_fingerprints=True, key=KEY, key_version=target)
    return target


def forked(work: Callable[[], None]) -> int:
    """Start work in a process of its own."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return process


def ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def show(line: str) -> None:
    """Seen with a test that fails."""
    sys.stdout.write(line + "\n")


def kill_this() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_between_any_two_operations(fleet: Fleet) -> None:
    held = fill(fleet)
    moments = Moments(fleet.folder / "moments")

    def watched(at: int) -> int:
        def work() -> None:
            moments.watch(kill_this, at=at)
            rotate(fleet)

        moments.reset()
        return ended(forked(work))

    # The first one imports what the others inherit.
    rotate(fleet)
    assert watched(0) == 0
    check_finished(fleet, held)
    number = moments.number
    assert number > 100
    show(f"seed {SEED}, {number} moments")
    for at in random.Random(SEED).sample(range(1, number), BETWEEN):  # noqa: S311  nothing secret
        show(f"killed at moment {at}")
        assert watched(at) == -signal.SIGKILL
        check_decrypts(fleet, held)
        rotate(fleet)
        check_finished(fleet, held)


def test_killed_at_any_time(fleet: Fleet) -> None:
    held = fill(fleet)
    begin = time.monotonic()
    assert ended(forked(lambda: rotate(fleet))) == 0
    seconds = time.monotonic() - begin
    chosen = random.Random(SEED)  # noqa: S311  nothing secret
    for _time in range(ANYTIME):
        share = chosen.random()
        show(f"seed {SEED}, killed after {share * seconds:.3f} of {seconds:.3f} s")
        process = forked(lambda: rotate(fleet))
        time.sleep(share * seconds)
        os.kill(process, signal.SIGKILL)
        ended(process)
        check_decrypts(fleet, held)
        rotate(fleet)
        check_finished(fleet, held)


def test_killed_as_a_whole(fleet: Fleet) -> None:
    held = fill(fleet)
    fleet.run(env={"KILL_AT_MOMENT": "0"})
    check_finished(fleet, held)
    number = Moments.counted(fleet.folder / "moments")
    assert number > 50
    show(f"seed {SEED}, {number} moments")
    for at in random.Random(SEED).sample(range(1, number), WHOLE):  # noqa: S311  nothing secret
        show(f"killed at moment {at}")
        # Workers are counted together, so a moment at the end may not come again.
        fleet.run(env={"KILL_AT_MOMENT": str(at)}, status=None)
        assert Moments.counted(fleet.folder / "moments") < number
        check_decrypts(fleet, held)
        fleet.run()
        check_finished(fleet, held)


def test_beside_a_writer_of_the_vars_file(fleet: Fleet, tmp_path: Path) -> None:
    log, stop = tmp_path / "written", tmp_path / "stop"

    def write() -> None:
        """Add a secret again and again, and note which are there."""
        number = 0
        while not stop.exists():
            number += 1
            written = fleet.file.run({f"added_{number}": f"sk-canary-{number}"}, key=KEY)
            if not written.failed:
                with log.open("a", encoding="utf-8") as file:
                    file.write(f"{number}\n")
            else:
                assert "changed by somebody else meanwhile" in written.msg

    def attempted() -> None:
        done("vault_transit_key", fleet, name=KEY, rotate_older_than=0)
        rewrapped = fleet.file.run(key=KEY, key_version=fleet.key()["latest_version"], refresh_fingerprints=True)
        # The next run finishes it.
        assert not rewrapped.failed or "changed by somebody else meanwhile" in rewrapped.msg

    writer = forked(write)
    try:
        for _time in range(20):
            assert ended(forked(attempted)) == 0
            assert fleet.file.plaintexts(KEY)["openai_api_key"] == VALUES["openai_api_key"]
    finally:
        stop.touch()
        assert ended(writer) == 0
    rotate(fleet)
    added = log.read_text(encoding="utf-8").split()
    assert fleet.file.plaintexts(KEY) == {**VALUES, **{f"added_{number}": f"sk-canary-{number}" for number in added}}
    assert set(fleet.file.versions().values()) == {fleet.key()["min_decryption_version"]}
