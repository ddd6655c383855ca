# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a program finds on a server is not its own: it neither records nor deletes it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mlkeys import App, MlkeysError, Secret, Stack
from mlkeys import transit as vault
from mlkeys._commands.deployment import forgotten, presence
from mlkeys._commands.deployment.carry import _variables
from mlkeys._commands.deployment.comparison import Comparison, _check_generate
from mlkeys._commands.deployment.departed import Departed, departed
from mlkeys._commands.deployment.forgotten import forget_hosts
from mlkeys._commands.deployment.generated import check_floors
from mlkeys._commands.deployment.owners import OnServer, Owner, check_owners, check_roles, say_adopted
from mlkeys._commands.deployment.paths import put
from mlkeys._commands.deployment.state import StackState, record_in, states_of
from mlkeys._commands.fleet import servers
from mlkeys._commands.playbook import Run
from mlkeys._commands.program import deploy
from mlkeys._devserver.server import TEMPORARY_SERVER
from mlkeys._record.record import Made, Move
from mlkeys._synthesis.program import load

FOUND = Made(keys=frozenset({"t/k"}), engines=frozenset({"t"}))


@pytest.fixture
def state(tmp_path: Path) -> StackState:
    app = App()
    s = Stack(app, "s")
    engine = vault.TransitSecretBackend(s, "t", path="t")
    for name in ("k", "own"):
        key = vault.TransitSecretBackendKey(s, name, backend=engine.path, name=name, deletion_allowed=True)
    key.encrypt(Secret.generated(), name="master_key")
    vault.AppRole(s, "r", token_policies=["p"])
    app.node.location = type(app.node.location)(str(tmp_path / "app.py"), 1)
    [found] = states_of(app, Path("app.py"), app.stacks)
    return found


def names(*found: Iterable[str]) -> list[list[str]]:
    return [sorted(one) for one in found]


def recorded(state: StackState) -> Made:
    record = record_in(state.folder)
    assert record is not None
    return record.made


def test_what_was_found_is_not_recorded(state: StackState) -> None:
    state.foreign = FOUND
    state.begin()
    assert names(recorded(state).keys, recorded(state).engines) == [["t/own"], []]
    state.finish(Made())
    assert names(recorded(state).keys, recorded(state).engines) == [["t/own"], []]
    assert recorded(state).secrets == {"t/own": {"master_key"}}
    destroyed = departed(state, OnServer(there=FOUND), [], everything=True).destroyed
    assert names(destroyed.keys, destroyed.engines, destroyed.roles) == [["t/own"], [], ["approle/r"]]
    # Somebody who says so takes it over, and nothing is written before the deployment.
    state.adopt(FOUND, None)
    assert recorded(state).keys == {"t/own"}
    state.foreign = Made()
    state.begin()
    assert recorded(state).keys == {"t/k", "t/own"}


@pytest.mark.parametrize("end", [lambda: Run(status=2), lambda: sys.exit(143)], ids=["failed", "stopped"])
def test_a_random_secret_is_recorded_although_the_rest_is_not_deployed(
    state: StackState, end: Callable[[], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encrypt_and_end(*_: object, **__: object) -> Run:
        path = state.vars_file("t/own")
        path.parent.mkdir(parents=True)
        path.write_text("master_key: vault:v1:A\nother: vault:v1:A\n_transit: {format: 1, backend: t, key: own}\n")
        return end()

    monkeypatch.setattr(deploy, "ansible_playbook", encrypt_and_end)
    one = Comparison(state, departed(state, OnServer(), []))
    with contextlib.suppress(SystemExit):
        deploy._Deployment({"s": one}, tmp_path, [], []).run("s", None)
    assert recorded(state).generated == {"t/own/master_key"}
    assert recorded(state).secrets == {"t/own": {"master_key"}}
    record = record_in(state.folder)
    assert record is not None
    assert record.complete is False


def test_a_record_names_the_server_unless_it_ends_with_the_command(
    state: StackState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes_to(cluster: str, *, adopt: bool = False) -> str | None:
        monkeypatch.setattr(presence, "cluster_at", lambda _address: cluster)
        presence.check_server(state, adopt=adopt)
        state.begin()
        record = record_in(state.folder)
        assert record is not None
        return record.server

    monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
    monkeypatch.delenv("ANSIBLE_HASHI_VAULT_ADDR", raising=False)
    monkeypatch.setenv(TEMPORARY_SERVER, "http://127.0.0.1:1")
    assert goes_to("a") is None
    # Nothing of the former one is left.
    assert goes_to("b") is None
    monkeypatch.delenv(TEMPORARY_SERVER)
    assert goes_to("c") == "c"
    # One that does not say what it is may be the same.
    assert goes_to("") == "c"
    with pytest.raises(MlkeysError, match=r"s belongs to another server than http://127\.0\.0\.1:1.*--adopt"):
        goes_to("d")
    monkeypatch.setenv(TEMPORARY_SERVER, "http://127.0.0.1:1")
    assert goes_to("e", adopt=True) == "e"


def test_a_stack_is_rotated_on_the_server_of_its_record(state: StackState, monkeypatch: pytest.MonkeyPatch) -> None:
    address = ("http://127.0.0.1:1", "")
    asked: list[str] = []

    def answers(cluster: str) -> None:
        def cluster_at(server: servers.Server) -> str:
            asked.append(server[0])
            return cluster

        monkeypatch.setattr(servers, "cluster_at", cluster_at)

    answers("b")
    # Nothing says where it was.
    servers.check_recorded({state.folder: address})
    state.server = "a"
    state.begin()
    with pytest.raises(MlkeysError, match=r"mlkeys\.state/s belongs to another server than http://127\.0\.0\.1:1"):
        servers.check_recorded({state.folder: address})
    for cluster in ("a", ""):
        answers(cluster)
        servers.check_recorded({state.folder: address})
    assert len(asked) == 3


def test_what_is_taken_over_is_said_when_nothing_stands_against_it(
    state: StackState, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = Owner("app.py", "s", "aa")
    state.wanted = Made(policies=frozenset({"p"}))
    found = OnServer({"p": owner})
    with pytest.raises(MlkeysError, match=r"belongs to program app\.py, stack s, owner aa\. If that is this program"):
        check_owners(state, found, [], adopt=False)
    assert check_owners(state, found, [], adopt=True) == owner
    assert check_owners(state, found, ["aa"], adopt=False) is None
    assert capsys.readouterr().err == ""
    say_adopted([None, owner], "Takes over")
    assert capsys.readouterr().err == "Takes over what program app.py, stack s, owner aa, made on the server.\n"
    state.adopt(Made(), "bb")
    for adopt in (False, True):
        with pytest.raises(MlkeysError, match=r"owner aa\. This is owner bb, as its record says\. If another clone"):
            check_owners(state, found, ["bb"], adopt=adopt)


def test_nothing_is_destroyed_without_a_record(state: StackState) -> None:
    assert not departed(state, OnServer(there=FOUND), [], everything=True).destroyed


def test_an_engine_stays_for_the_keys_of_others(state: StackState) -> None:
    state.begin()
    shared = OnServer(shared=Made(engines=frozenset({"t"})))
    one = departed(state, shared, [], everything=True)
    assert names(one.destroyed.engines, one.destroyed.keys) == [[], ["t/k", "t/own"]]
    assert "    s: engine t (kept: others use it)" in one.shown()
    # When they have gone, another destruction deletes it.
    former = state.record
    state.end(one.shared)
    assert names(recorded(state).engines, recorded(state).keys) == [["t"], []]
    assert departed(state, OnServer(), [], everything=True).destroyed.engines == {"t"}
    state.record = former
    # The same holds for one that left the program.
    state.wanted = Made()
    one = departed(state, shared, [], everything=True)
    assert names(one.left.deleted.engines, one.left.deleted.keys) == [[], ["t/k", "t/own"]]


def test_an_approle_of_another_program_is_refused(state: StackState) -> None:
    there = Made(roles=frozenset({"approle/r"}))
    found = OnServer(roles={"approle/r": frozenset({"p"})}, there=there)
    with pytest.raises(MlkeysError, match=r"the AppRole approle/r is on the server already.*--adopt"):
        check_roles(state, found, ["aa"], adopt=False)
    check_roles(state, found, ["aa"], adopt=True)
    # A policy of the program shows whose role it is.
    known = OnServer({"p": Owner("app.py", "s", "aa")}, found.roles, there)
    check_roles(state, known, ["aa"], adopt=False)


def test_a_random_secret_that_nobody_has_is_not_made_again(state: StackState) -> None:
    _check_generate([state], ["master_key"])
    with pytest.raises(MlkeysError, match=r"no random secret of this name\. Did you mean 'master_key'"):
        _check_generate([state], ["master_keys"])


def test_a_floor_is_not_raised_above_random_secrets(state: StackState) -> None:
    path = state.vars_file("t/own")
    path.parent.mkdir(parents=True)
    path.write_text("master_key: vault:v1:A\nother: vault:v1:A\n_transit: {format: 1, backend: t, key: own}\n")
    check_floors(state)
    (key,) = [one for one in state.stack.node.walk() if one.node.id == "own"]
    assert isinstance(key, vault.TransitSecretBackendKey)
    key.configure(min_decryption_version=2)
    with pytest.raises(MlkeysError, match=r"=2 of t/own is above .* in mlkeys\.state/s/t/own.* \(v1\)\. If"):
        check_floors(state)
    path.write_text(path.read_text().replace("master_key: vault:v1", "master_key: vault:v2"))
    check_floors(state)
    # Nobody wants what a deleted key encrypted.
    key.configure(min_decryption_version=3)
    state.void = frozenset({"t/own"})
    check_floors(state)


def test_no_secret_of_a_key_is_foreign_to_one_that_gets_another_name(state: StackState) -> None:
    path = state.vars_file("t/own")
    path.parent.mkdir(parents=True)
    path.write_text("master_key: vault:v1:A\nother: vault:v1:A\n_transit: {format: 1, backend: t, key: own}\n")
    move = Move("t/own", "t/own", {"main": "master_key"})
    given = _variables(state, move, {"master_key": "vault:v1:A"}, frozenset({"main"}))
    # The first one is removed by the next task.
    assert {*given["others"]} - {"master_key"} == {*given["keep"]} == {"main", "other"}


def test_records_hold_paths_as_they_are(state: StackState) -> None:
    text = "{{ root }}/p.env"
    state.wanted = Made(files={"h": {text: "plaintext"}}, hosts={"h": {}})
    # A record of a former version holds the text.
    state.begin()
    put(state, [text], {"h": {text: "/x/p.env"}})
    state.begin()
    assert recorded(state).files == {"h": {"/x/p.env": "plaintext"}}
    # The variable gets another value.
    state.wanted = Made(files={"h": {text: "plaintext"}}, hosts={"h": {}})
    put(state, [text], {"h": {text: "/y/p.env"}})
    gone = departed(state, OnServer(), []).left.deleted
    assert gone.files == {"h": {"/x/p.env": "plaintext"}}
    # Where it cannot be evaluated, nothing has left.
    state.wanted = Made(files={"h": {text: "plaintext"}}, hosts={"h": {}})
    put(state, [text], {})
    assert not departed(state, OnServer(), []).left.deleted.files


def test_a_host_that_is_gone_can_be_given_up(
    state: StackState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Made, object]] = []
    statuses = [0, 4]

    def delete(one: Departed, _project: Path, _show: None, words: object, *, force: bool) -> Run:
        assert not force
        asked.append((one.left.deleted, words))
        return Run(statuses.pop(0))

    monkeypatch.setattr(forgotten, "delete", delete)
    state.wanted = Made(
        policies=frozenset({"p"}), files={"host": {"/p.env": "plaintext"}, "other": {"/c": "ciphertext"}},
        hosts={"host": {}, "other": {}},
    )  # fmt: skip
    state.begin()
    with pytest.raises(MlkeysError, match="the program has files for this host"):
        forget_hosts([state], ["host"], tmp_path)
    state.wanted = Made()
    with pytest.raises(MlkeysError, match=r"no former deployment made files on this host\. Did you mean 'host'"):
        forget_hosts([state], ["hots"], tmp_path)
    with pytest.raises(MlkeysError, match=r"^--forget-host host: the host is reachable"):
        forget_hosts([state], ["host"], tmp_path)
    assert departed(state, OnServer(), []).left.deleted.files
    # Nothing need be deleted on the other one, so that it is not asked.
    forget_hosts([state], ["host", "other"], tmp_path)
    assert asked == [(Made(files={"host": {"/p.env": "plaintext"}}, hosts={"host": {}}), ["--check"])] * 2
    assert not departed(state, OnServer(), []).left.deleted.files
    state.finish(Made())
    assert not recorded(state).files


PROGRAM = "import sys\nfrom mlkeys import App, Stack\napp = App()\nStack(app, 's')\napp.synth()\n"


@pytest.mark.parametrize("end", ["sys.exit(0)", "sys.exit()", "raise SystemExit(None)"])
def test_a_program_may_end_with_an_exit(tmp_path: Path, end: str) -> None:
    path = tmp_path / "app.py"
    path.write_text(f"{PROGRAM}{end}\n")
    assert [stack.node.id for stack in load(path).stacks] == ["s"]


@pytest.mark.parametrize(("end", "shown"), [("3", "status 3"), ("'no file'", "the message 'no file'")])
def test_a_program_that_ends_with_a_failure_has_failed(tmp_path: Path, end: str, shown: str) -> None:
    path = tmp_path / "app.py"
    path.write_text(f"{PROGRAM}sys.exit({end})\n")
    with pytest.raises(MlkeysError, match=f"ended with {shown}: nothing was made of it"):
        load(path)
