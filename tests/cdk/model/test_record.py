# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Records of deployments, and what follows from them: what left a program, and what has another name."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlkeys import App, EncryptedVars, HostConfig, Inventory, MlkeysError, Secret, Stack, Template
from mlkeys import transit as vault
from mlkeys._analysis.view import View
from mlkeys._commands.deployment import departed
from mlkeys._commands.deployment.generated import check_generated, known_of
from mlkeys._commands.deployment.gone import gone_stacks
from mlkeys._commands.deployment.needed import check_needed
from mlkeys._commands.deployment.old_layout import move_state
from mlkeys._commands.deployment.owners import OnServer, Owner
from mlkeys._commands.deployment.paths import absolute, relative
from mlkeys._commands.deployment.state import rename, states_of, stored_in
from mlkeys._commands.playbook import Run
from mlkeys._commands.project import synthesised
from mlkeys._record.left import Left, left, lines, variables
from mlkeys._record.record import KINDS, Made, Move, Record, moved_keys, moves, parsed
from mlkeys._record.remade import Known, remade
from mlkeys._synthesis.made import former_names, made_by
from mlkeys._targets.state_names import vars_file_of
from tests.cdk.apps import key_in

MADE = Made(
    policies=frozenset({"p"}),
    roles=frozenset({"approle/r"}),
    keys=frozenset({"transit/k", "transit/old"}),
    engines=frozenset({"transit"}),
    secrets={"transit/k": frozenset({"a", "b"})},
    files={"h": {"/x": "plaintext", "/y": "ciphertext", "/etc/systemd/system/z.service": "agent"}},
    agents={"h": {"/etc/systemd/system/z.service": "approle/r"}},
    hosts={"h": {"ansible_host": "127.0.0.1"}},
)


def test_a_record_reads_as_it_was_written() -> None:
    record = Record("abc", "app.py", "prod", MADE)
    assert parsed(record.text()) == record
    newer = record.text().replace('"format": 1', '"format": 2')
    with pytest.raises(ValueError, match="its format is 2"):
        parsed(newer)
    for text in ("{", "[]", "{}", '{"format": 1}', "[" * 100_000, "1" * 5000, "null"):
        with pytest.raises(ValueError, match="it is not"):
            parsed(text)
    data = json.loads(record.text())
    other: dict[str, list[Any]] = {
        **{name: [3, None] for name in data if name != "format"},
        **{name: ["abc", [1], {"a": 1}] for name in KINDS},
        "secrets": [{"transit/k": "ab"}, {"transit/k": [1]}, ["transit/k"]],
        "files": [{"h": {"/x": 1}}, {"h": ["/x"]}],
        "hosts": [{"h": "ab"}, {"h": [1]}],
    }
    for name, values in other.items():
        for value in values:
            with pytest.raises(ValueError, match="it is not a record of mlkeys"):
                parsed(json.dumps({**data, name: value}))


def test_rights_and_plaintext_go_while_keys_stay_unless_named() -> None:
    gone = left(MADE, Made())
    assert [*lines(gone.deleted)] == [
        "policy p", "AppRole approle/r", "ciphertext transit/k/a", "ciphertext transit/k/b",
        "service z on h", "plaintext file /x on h",
    ]  # fmt: skip
    assert [*lines(gone.kept)] == [
        "key transit/k", "key transit/old", "engine transit", "ciphertext file /y on h",
    ]  # fmt: skip
    named = left(MADE, Made(), ["transit/old"])
    assert named.deleted.keys == {"transit/old"}
    assert named.kept.keys == {"transit/k"}
    assert not left(MADE, MADE).deleted
    assert not left(MADE, MADE).kept
    assert left(MADE, Made(), everything=True).kept.keys == frozenset()


def test_a_deployment_without_changes_writes_the_same_record(tmp_path: Path) -> None:
    app = program(tmp_path)
    file = tmp_path / "mlkeys.state" / "s" / "record.json"
    [state] = states_of(app, Path("app.py"), app.stacks)
    state.record = Record("abc", "app.py", "s", MADE)
    # One host loses its plaintext and keeps a ciphertext, another loses all, and the third is reached in another way.
    more = {"h": MADE.files["h"], "gone": {"/x": "plaintext"}, "stays": {"/x": "plaintext", "/y": "ciphertext"}}
    state.record = state.record.with_made(replace(MADE, files=more, hosts={name: {"ansible_port": 1} for name in more}))
    state.wanted = Made(files={"stays": {"/x": "plaintext"}}, hosts={"stays": {"ansible_port": 2}})
    written = []
    for _ in range(2):
        state.begin()
        state.finish(left(state.former, state.wanted).kept)
        written.append(file.read_text())
    assert written[0] == written[1]
    assert json.loads(written[0])["hosts"] == {"h": {"ansible_port": 1}, "stays": {"ansible_port": 2}}


def test_files_of_this_machine_beside_the_program_have_one_name_in_all_clones(tmp_path: Path) -> None:
    program, link = tmp_path / "program", tmp_path / "link"
    program.mkdir()
    link.symlink_to(program)
    hosts = {"here": {"ansible_connection": "local"}, "there": {"ansible_host": "192.0.2.1"}}
    paths = [f"{program}/out/../hosts/a", f"{program}er/b", "/etc/c", "{{ root }}/d"]
    made = Made(files={host: dict.fromkeys(paths, "plaintext") for host in hosts}, hosts=hosts)
    for folder in (program, link):
        found = relative(made, folder)
        assert [*found.files["here"]] == ["./hosts/a", *paths[1:]]
        assert [*found.files["there"]] == paths
        # It is read in another clone.
        other = absolute(found, tmp_path / "{{ other }}")
        assert [*other.files["here"]] == [f"{tmp_path}/{{{{ '{{' }}}}{{ other }}}}/hosts/a", *paths[1:]]


def test_a_service_goes_with_its_secret_id_unless_its_role_goes() -> None:
    gone = [{"approle": "r", "approle_path": "approle", "services": [{"name": "z", "state": "absent"}]}]
    stays = left(MADE, Made(roles=MADE.roles)).deleted
    assert variables(stays, "abc", {})["services"] == {"h": gone}
    assert variables(stays, "abc", {})["files"] == {"h": ["/x"]}
    unknown = [{**gone[0], "approle": ""}]
    assert variables(left(MADE, Made()).deleted, "abc", {})["services"] == {"h": unknown}
    # A record of an earlier version does not say which role it was.
    former = json.loads(Record("abc", "app.py", "prod", MADE).text())
    del former["agents"]
    read = parsed(json.dumps(former)).made
    assert variables(left(read, Made(roles=MADE.roles)).deleted, "abc", {})["services"] == {"h": unknown}


def test_a_secret_is_asked_for_under_its_former_names() -> None:
    stored = {"t/one": frozenset({"a", "b"}), "t/two": frozenset({"b"})}
    wanted = {"t/two": frozenset({"a", "b"})}
    assert [*moved_keys(stored, wanted)] == [("a", "t/one", "t/two")]
    former = {"t/two/a": ("t/one/a",), "t/two/b": ("t/one/b",)}
    # What is stored under its own name stays.
    assert moves(stored, wanted, former) == [Move("t/one", "t/two", {"a": "a"})]
    assert moves(stored, {**wanted, "t/one": frozenset({"a"})}, former) == []


def test_a_stack_makes_what_its_constructs_name() -> None:
    app = App()
    s = Stack(app, "s")
    key = key_in(s)
    key.grant_decrypt(vault.AppRole(s, "Reader"))
    vault.TransitSecretBackendKey.from_existing(s, "theirs", name="theirs")
    web = Inventory(s, "i").group("web", {"h": {"ansible_host": "h.example.com", "port": 1}})
    HostConfig(s, "f", hosts=web, dest="/etc/{{x}}", env={"A": "b"}, delivery="plaintext")
    HostConfig(s, "g", hosts=web, dest=Template("/srv/{{ inventory_hostname }}/g"), env={"A": "b"})
    EncryptedVars(s, "v", key=key, secrets={"a": Secret.env("A")})
    made = made_by(View(app), s)
    assert made.policies == {"reader"}
    assert made.roles == {"approle/reader"}
    assert len(made.keys) == 1
    # A text of the program is not a template.
    assert made.files == {"h": {"/etc/{{ '{' }}{x}}": "plaintext", "/srv/{{ inventory_hostname }}/g": "ciphertext"}}
    assert made.hosts == {"h": {"ansible_host": "h.example.com"}}


def test_aliases_name_keys_and_secrets() -> None:
    app = App()
    s = Stack(app, "s")
    key = vault.TransitSecretBackendKey(s, "k", backend="t", name="new", aliases=["old", "other/old"])
    key.encrypt(Secret.env("A"), aliases=["b"])
    assert former_names(View(app), s) == {
        "t/new/a": ("t/new/b", "t/old/a", "t/old/b", "other/old/a", "other/old/b"),
    }


def test_files_of_keys_stay_in_their_folder() -> None:
    assert vars_file_of("prod/transit", "ml-key") == "prod/transit/ml-key.transit.yml"
    assert vars_file_of("/../x y/", ".k/z") == "%2E./x%20y/%2Ek%2Fz.transit.yml"


def test_names_are_read_as_the_collection_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "transit" / "k.transit.yml"
    file.parent.mkdir()
    metadata = '"_transit": {"format": 1, "backend": "transit", "key": "k"}'
    file.write_text(f'{{"a": "vault:v1:QUJD", {metadata}, ? b\n : "vault:v1:QUJD"}}')
    assert stored_in(tmp_path) == {"transit/k": {"a", "b"}}
    file.write_text("<<<<<<< HEAD\na: vault:v1:QUJD\n=======\n")
    with pytest.raises(MlkeysError, match=r"k\.transit\.yml is not YAML"):
        stored_in(tmp_path)
    for text in ("", "---\n", "# nothing\n"):
        file.write_text(text)
        with pytest.raises(MlkeysError, match=r"k\.transit\.yml is empty\. Restore the file"):
            stored_in(tmp_path)
    file.write_text(f"{{{metadata}}}")
    assert stored_in(tmp_path) == {}


def program(folder: Path, name: str = "s", aliases: tuple[str, ...] = ()) -> App:
    app = App()
    s = Stack(app, name, aliases=aliases)
    vault.TransitSecretBackendKey(s, "k", backend="t", name="k").encrypt(Secret.env("A"))
    app.node.location = type(app.node.location)(str(folder / "app.py"), 1)
    return app


def stored(names: dict[str, str], key: str = "k") -> str:
    fingerprints = {name: f"vault:v1:{name}" for name in names}
    return yaml.safe_dump({**names, "_transit": {"format": 1, "backend": "t", "key": key, "hmac": fingerprints}})


def test_an_output_folder_of_a_former_version_gives_up_what_must_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "mlkeys.out" / "ansible" / "s"
    old = [project / "inventory" / "group_vars" / group / "x.transit.yml" for group in ("all", "web")]
    for path, name in zip(old, "ab", strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(stored({name: f"vault:v1:{name}{name}"}))
    (project / "floors.json").write_text('{"t/k": 3}')
    app = program(tmp_path)
    move_state(app, tmp_path / "mlkeys.out")
    assert "Moved 3 files" in capsys.readouterr().err
    assert not [path for path in old if path.exists()]
    own = tmp_path / "mlkeys.state" / "s"
    assert yaml.safe_load((own / "t" / "k.transit.yml").read_text()) == yaml.safe_load(
        stored({"a": "vault:v1:aa", "b": "vault:v1:bb"})
    )
    assert json.loads((own / "floors.json").read_text()) == {"t/k": 3}
    [state] = states_of(app, Path("app.py"), app.stacks)
    assert state.stored() == {"t/k": {"a", "b"}}
    # Floors never sink, and what is stored already is newer.
    old[0].write_text(stored({"a": "vault:v1:older"}))
    (project / "floors.json").write_text('{"t/k": 2, "t/l": 1}')
    move_state(app, tmp_path / "mlkeys.out")
    assert "older" not in (own / "t" / "k.transit.yml").read_text()
    assert json.loads((own / "floors.json").read_text()) == {"t/k": 3, "t/l": 1}
    move_state(app, tmp_path / "mlkeys.out")
    assert "Moved 2 files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "floors"),
    [
        *((text, "{}") for text in ("", "[", "[1]", "a: 2001-99-99", "_transit: 3", "&a [*a]", "[" * 5000)),
        *((f"_transit: {{backend: {backend}, key: k}}", "{}") for backend in ("", "''", "[]", "/", "../..", "sys")),
        *((f"_transit: {{backend: t, key: {key}}}", "{}") for key in ("", "3", "..", "a/b", "{}")),
        *((None, floors) for floors in ("[", "3", '{"a": "x"}', '{"a": 1e999}', '{"a": null}', "[" * 100_000)),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("where", ["old", "new"])
def test_what_is_damaged_stays_where_it_is(tmp_path: Path, text: str | None, floors: str, where: str) -> None:
    project, own = tmp_path / "mlkeys.out" / "ansible" / "s", tmp_path / "mlkeys.state" / "s"
    old, new = project / "inventory" / "group_vars" / "all" / "x.transit.yml", own / "t" / "k.transit.yml"
    sound, damaged = stored({"a": "vault:v1:aa"}), text if text is not None else stored({"b": "vault:v1:bb"})
    for path, content in ((old, damaged), (new, sound)) if where == "old" else ((old, sound), (new, damaged)):
        path.parent.mkdir(parents=True)
        path.write_text(content)
    for folder, content in ((project, floors), (own, "{}")) if where == "old" else ((project, "{}"), (own, floors)):
        (folder / "floors.json").write_text(content)
    before = (new.read_text(), (own / "floors.json").read_text())
    with pytest.raises(MlkeysError, match="move it away, or correct it"):
        move_state(program(tmp_path), tmp_path / "mlkeys.out")
    assert (project / "floors.json").exists()
    assert text is None or (new.read_text(), (own / "floors.json").read_text()) == before
    assert not [path for path in tmp_path.rglob("*.transit.yml") if path not in (old, new)]


def test_what_is_not_named_after_a_key_is_refused(tmp_path: Path) -> None:
    for name in ("k", "t/%2E%2E/k", "t/..k", "t/k{"):
        file = tmp_path / f"{name}.transit.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(stored({"a": "vault:v1:QUJD"}))
        with pytest.raises(MlkeysError, match=r"does not have the name ENGINE/KEY\.transit\.yml"):
            stored_in(tmp_path)
        file.unlink()


def test_only_what_programs_write_as_templates_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from the record and from the server, where others may have written them."""
    code = "{{ lookup('ansible.builtin.pipe', 'touch victim') }}"
    named = frozenset({f"transit/{code}"})
    made = replace(MADE, policies=frozenset({code}), roles=named, keys=named, engines=frozenset({code}))
    files = {"h": {"/etc/{{ inventory_hostname }}": "plaintext", "/u/{{ x }}.service": "agent"}}
    made = replace(made, files=files, hosts={"h": {"ansible_host": "{{ y }}", "ansible_port": 22}})
    [state] = states_of(app := program(tmp_path), Path("app.py"), app.stacks)
    found: dict[str, list[str]] = {}

    def run(project: Path, *_words: object, **_options: object) -> Run:
        for path in project.iterdir():
            for event in yaml.parse(path.read_text(), Loader=yaml.SafeLoader):
                if isinstance(event, yaml.ScalarEvent) and "{{" in event.value:
                    found.setdefault(event.tag or "", []).append(event.value)
        return Run()

    monkeypatch.setattr(departed, "ansible_playbook", run)
    departed.delete(departed.Departed(state, Left(made, Made())), tmp_path, sys.stderr, force=False)
    assert set(found["!unsafe"]) == {code}
    assert set(found[""]) == {"/etc/{{ inventory_hostname }}", "{{ x }}", "{{ y }}"}


def test_a_folder_follows_the_name_of_its_stack(tmp_path: Path) -> None:
    own = tmp_path / "mlkeys.state" / "old"
    own.mkdir(parents=True)
    rename(program(tmp_path, "new"), Path("app.py"), writes=True)
    assert own.is_dir()
    rename(program(tmp_path, "new", ("old",)), Path("app.py"), writes=True)
    assert (tmp_path / "mlkeys.state" / "new").is_dir()
    # In the flat style the file of the program has the name. Another program's folder stays where it is.
    (tmp_path / "mlkeys.state" / "new").rename(own)
    record = Record("1", "old.py", "old")
    (own / "record.json").write_text(record.text())
    (tmp_path / "old.py").touch()
    rename(program(tmp_path, "app"), Path("app.py"), writes=True)
    assert own.is_dir()
    (tmp_path / "old.py").unlink()
    rename(program(tmp_path, "app"), Path("app.py"), writes=True)
    assert (tmp_path / "mlkeys.state" / "app").is_dir()


def test_a_comparison_reads_a_renamed_stack_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.py").write_text(
        "from mlkeys import *\nfrom mlkeys import transit\n"
        "s = Stack(App(targets=['ansible']), 'new', aliases=['old'])\n"
        "k = transit.TransitSecretBackendKey(s, 'k', backend='t', name='k')\n"
        "k.encrypt(Secret.env('A'), name='a')\n"
    )
    own = tmp_path / "mlkeys.state" / "old"
    own.mkdir(parents=True)
    (own / "record.json").write_text(Record("1", "app.py", "old", MADE).text())
    app, out = synthesised(tmp_path / "app.py", None, writes=False)
    assert "mlkeys.state/old becomes mlkeys.state/new with the next deployment" in capsys.readouterr().err
    assert [path.name for path in own.parent.iterdir()] == ["old"]
    assert "mlkeys.state/old/t/k.transit.yml" in (out / "ansible" / "new" / "site.yml").read_text()
    (state,) = states_of(app, tmp_path / "app.py", app.stacks)
    assert state.former == MADE
    assert not gone_stacks(app, tmp_path / "app.py", out).stacks
    assert [*known_of(own.parent, "app.py", [state])] == ["new"]


def test_a_record_of_another_program_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "mlkeys.state" / "s"
    own.mkdir(parents=True)
    (own / "record.json").write_text(Record("1", "other.py", "s").text())
    (tmp_path / "other.py").touch()
    app = program(tmp_path)
    with pytest.raises(MlkeysError, match=r"belongs to the program other\.py"):
        states_of(app, Path("app.py"), app.stacks)
    for content in (b"{", b"\xff\xfe{}"):
        (own / "record.json").write_bytes(content)
        with pytest.raises(MlkeysError, match="Restore the file from version control"):
            states_of(app, Path("app.py"), app.stacks)
    sides = [Record(owner, "app.py", "s").text() for owner in ("1", "2")]
    (own / "record.json").write_text("<<<<<<< HEAD\n{}=======\n{}>>>>>>> other\n".format(*sides))
    with pytest.raises(
        MlkeysError, match=r"record\.json has an unresolved merge conflict\. Keep this file of one side"
    ):
        states_of(app, Path("app.py"), app.stacks)


def test_a_role_of_somebody_else_stays_whatever_policies_it_has(tmp_path: Path) -> None:
    """Anybody may give a role the policies of a program: by hand, or in another program."""
    own, other = Owner("app.py", "s", "1a"), Owner("other.py", "s", "2b")
    roles = {"own": {"own"}, "old": {"old"}, "manual": {"own"}, "theirs": {"own", "theirs"}, "by": {"own", "default"}}
    found = OnServer(
        {"own": own, "old": own, "theirs": other}, {f"approle/{name}": frozenset(held) for name, held in roles.items()}
    )
    # Without a record, a policy of its own name says whose role it is.
    assert found.made_by("1a") == Made(
        policies=frozenset({"own", "old"}), roles=frozenset({"approle/own", "approle/old"})
    )
    [state] = states_of(app := program(tmp_path), Path("app.py"), app.stacks)
    recorded = Made(policies=frozenset({"own"}), roles=frozenset({"approle/own"}))
    state.record = Record("1a", "app.py", "s", recorded)
    for everything in (False, True):
        gone = departed.departed(state, found, [], everything=everything)
        assert gone.left.deleted.roles == {"approle/own"}
        assert gone.left.deleted.policies == {"own", "old"}
        kept = [line for line in gone.shown() if "somebody else" in line]
        assert [line.split()[2] for line in kept] == ["approle/by", "approle/manual", "approle/old", "approle/theirs"]


def test_a_key_stays_while_ciphertexts_of_any_stack_need_it(tmp_path: Path) -> None:
    app = App()
    app.node.location = type(app.node.location)(str(tmp_path / "app.py"), 1)
    a, b, c = (Stack(app, name) for name in "abc")
    vault.TransitSecretBackendKey.from_existing(a, "k", backend="t", name="own").encrypt(Secret.env("A"))
    vault.TransitSecretBackendKey.from_existing(b, "k", backend="t", name="k").encrypt(Secret.env("A"))
    vault.TransitSecretBackendKey.from_existing(c, "k", backend="t", name="used")
    states = states_of(app, Path("app.py"), app.stacks)
    names = frozenset({"t/own", "t/k", "t/used", "t/gone", "t/stored"})
    states[0].record = Record("1", "app.py", "a", Made(keys=names, secrets={"t/gone": frozenset({"x"})}))

    def refusal(name: str, count: int = 3) -> str:
        found = [departed.departed(state, OnServer(), [], [name]) for state in states[:count]]
        try:
            check_needed(found, states)
        except MlkeysError as problem:
            return str(problem)
        return ""

    assert "ciphertexts of the stack a need the key t/own (a)" in refusal("t/own")
    for count in (1, 3):
        assert "ciphertexts of the stack b need the key t/k (a)" in refusal("t/k", count)
        assert "uses the key t/used in the stack c" in refusal("t/used", count)
    # Its ciphertexts leave together with it.
    assert refusal("t/gone") == ""
    # A deployment of another program stopped before it recorded what it stored.
    file = tmp_path / "mlkeys.state" / "other" / "t" / "stored.transit.yml"
    file.parent.mkdir(parents=True)
    file.write_text(stored({"a": "vault:v1:QUJD"}, "stored"))
    assert "ciphertexts of the stack other need the key t/stored (a)" in refusal("t/stored")
    found = [departed.departed(states[0], OnServer(), [], everything=True)]
    with pytest.raises(MlkeysError, match="ciphertexts of the stack other need the key t/stored"):
        check_needed(found, states, everything=True)


def test_records_say_which_stacks_left_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = {
        "s": Record("1", "app.py", "s"),
        "left": Record("2", "app.py", "left", MADE, "https://bao.example.com", "ns"),
        "copied": Record("2b", "app.py", "left"),
        "left.kept": Record("1", "app.py", "left.kept"),
        "theirs": Record("3", "other.py", "theirs"),
        "nobodys": Record("4", "old.py", "nobodys"),
    }
    for name, record in records.items():
        (tmp_path / "mlkeys.state" / name).mkdir(parents=True)
        (tmp_path / "mlkeys.state" / name / "record.json").write_text(record.text())
    (tmp_path / "other.py").touch()
    gone = gone_stacks(program(tmp_path), Path("app.py"), tmp_path / "mlkeys.out")
    [stack] = gone.stacks
    assert (stack.node.id, stack.url, stack.namespace) == ("left", "https://bao.example.com", "ns")
    assert (tmp_path / "mlkeys.out" / "left" / "ansible" / "left" / "left.yml").is_file()
    notes = capsys.readouterr().err
    assert "left.kept is a copy" in notes
    assert "copied is a copy" in notes
    assert "nobodys is of the program old.py" in notes
    [state] = states_of(gone, Path("app.py"), gone.stacks, gone=True)
    found = departed.departed(state, OnServer(), [])
    assert found.left == left(MADE, Made())
    assert found.shown()[0] == "    left: the whole stack"
    state.finish(found.left.kept)
    assert state.folder.is_dir()
    state.finish(Made())
    assert not state.folder.exists()


def generating(*names: str) -> Made:
    keys = {name.rpartition("/")[0] for name in names}
    secrets = {key: frozenset(n.rpartition("/")[2] for n in names if n.rpartition("/")[0] == key) for key in keys}
    return Made(secrets=secrets, generated=frozenset(names))


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ({"s": Known(generating("t/k/a"), None, {})}, []),
        ({"s": Known(generating("t/k/a"), generating("t/k/a"), {})}, []),
        # Another name, another key, and both.
        ({"s": Known(generating("t/k/b"), generating("t/k/a"), {})}, [("t/k/b", "s", "t/k/a")]),
        ({"s": Known(generating("t/l/a"), None, {"t/k": frozenset({"a"})})}, [("t/l/a", "s", "t/k/a")]),
        ({"s": Known(generating("t/l/b"), Made(), {"t/k": frozenset({"a"})})}, [("t/l/b", "s", "t/k/a")]),
        # An alias says so.
        ({"s": Known(generating("t/k/b"), generating("t/k/a"), {}, {"t/k/b": "t/k/a"})}, []),
        # A renamed stack, and another stack.
        (
            {"s": Known(generating("t/k/a"), None, {}), "o": Known(None, generating("t/k/a"), {})},
            [("t/k/a", "o", "t/k/a")],
        ),
        (
            {"s": Known(generating("t/k/a"), Made(), {}), "o": Known(Made(), generating("t/j/a"), {})},
            [("t/k/a", "o", "t/j/a")],
        ),
        ({"s": Known(generating("t/k/a"), Made(), {}), "o": Known(Made(), generating("t/j/b"), {})}, []),
        # What was not random, or is there still.
        ({"s": Known(generating("t/k/b"), Made(secrets={"t/k": frozenset({"a"})}), {"t/k": frozenset({"a"})})}, []),
        ({"s": Known(generating("t/k/a", "t/k/b"), generating("t/k/a"), {"t/k": frozenset({"a"})})}, []),
    ],
)
def test_a_random_secret_is_not_made_again_under_another_name(
    known: dict[str, Known], found: list[tuple[str, str, str]]
) -> None:
    assert [*remade("s", known)] == found


def test_the_refusal_says_how_to_go_on(tmp_path: Path) -> None:
    app = App()
    app.node.location = type(app.node.location)(str(tmp_path / "app.py"), 1)
    s = Stack(app, "s")
    vault.TransitSecretBackendKey(s, "k", backend="t", name="k").encrypt(Secret.generated(), name="new")
    [state] = states_of(app, Path("app.py"), app.stacks)
    assert state.wanted.generated == {"t/k/new"}

    def refusal(*generate: str, adopts: bool = False) -> str:
        try:
            known = known_of(tmp_path / "mlkeys.state", "app.py", [state])
            check_generated(state, known, generate, adopts=adopts)
        except MlkeysError as problem:
            return str(problem)
        return ""

    def record(stack: str, made: Made, program: str = "app.py") -> None:
        folder = tmp_path / "mlkeys.state" / stack
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").write_text(Record("1", program, stack, made).text())

    assert refusal() == ""
    assert "mlkeys deploy --adopt --generate new" in refusal(adopts=True)
    record("was", generating("t/k/new"))
    assert "mlkeys move was s" in refusal()
    assert refusal("new") == ""
    state.record = Record("1", "app.py", "s")
    assert "from mlkeys.state/was/t/k.transit.yml to mlkeys.state/s/t/k.transit.yml" in refusal()
    record("was", generating("t/l/new"))
    assert (
        "move mlkeys.state/was/t/l.transit.yml to mlkeys.state/s/t/l.transit.yml, then: mlkeys move t/l/new"
        in refusal()
    )
    # Another program has its own.
    (tmp_path / "other.py").touch()
    record("was", generating("t/k/new"), "other.py")
    assert refusal() == ""
    state.record = Record("1", "app.py", "s", generating("t/k/old"))
    assert "mlkeys move t/k/old t/k/new" in refusal()
    # A record of the first version does not say what is random.
    former = json.loads(Record("1", "app.py", "s", Made(secrets={"t/k": frozenset({"old"})})).text())
    del former["generated"]
    assert parsed(json.dumps(former)).made.generated == {"t/k/old"}


def test_roles_of_older_records_have_the_names_of_the_server() -> None:
    agents = {"h": {"/etc/systemd/system/a.service": "approle/Reader"}}
    made = Made(roles=frozenset({"approle/Reader"}), agents=agents)
    read = parsed(Record("abc", "app.py", "s", made).text()).made
    assert read.roles == {"approle/reader"}
    assert read.agents == {"h": {"/etc/systemd/system/a.service": "approle/reader"}}
