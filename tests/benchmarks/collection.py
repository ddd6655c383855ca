# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the collection with community.hashi_vault: whole processes on the same server in the same run."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks import measure
from tests.benchmarks.measure import Run
from tests.benchmarks.raw import Raw
from tests.benchmarks.report import Row
from tests.support.server import Bao

KEY = "bench"
HOSTS = 10
CONTEXT_FREE = {"type": "aes256-gcm96"}


@dataclass(frozen=True)
class Side:
    """One side of the comparison: its ansible-playbook and its configuration file."""

    name: str
    playbook: Path
    settings: str


class Bench:
    """Prepare the server, write plays, and run them for both sides."""

    def __init__(self, bao: Bao, folder: Path, collections: Path, peer: Path) -> None:
        self.bao = bao
        self.folder = folder
        self.raw = Raw(bao.addr, bao.token)
        self.collections = collections
        self._prepare()
        own = Path(sys.executable).parent / "ansible-playbook"
        self.ours = Side("ours", own, f"[defaults]\ncollections_path = {collections}\n")
        self.plain = Side("ours", own, self.ours.settings)
        self.vars = Side("ours", own, self.ours.settings + _VARS_PLUGIN)
        self.shared = Side("ours", own, self.ours.settings + _SESSION)
        self.peer = Side("peer", peer / "bin" / "ansible-playbook", "[defaults]\n")

    def _prepare(self) -> None:
        self.bao.done("POST", "sys/mounts/transit", {"type": "transit"})
        self.bao.done("POST", f"transit/keys/{KEY}", CONTEXT_FREE)
        self.bao.done("POST", "sys/auth/approle", {"type": "approle"})
        self.bao.done(
            "PUT", "sys/policies/acl/bench", {"policy": 'path "transit/*" { capabilities = ["update", "read"] }'}
        )
        self.bao.done("POST", "auth/approle/role/bench", {"token_policies": "bench", "token_ttl": "30m"})
        self._role_id = self.bao.done("GET", "auth/approle/role/bench/role-id")["data"]["role_id"]
        self._secret_id = self.bao.done("POST", "auth/approle/role/bench/secret-id")["data"]["secret_id"]

    def play(self, side: Side, tasks: list[Any], *, hosts: int = 1, variables: Mapping[str, Any] | None = None) -> Path:
        """Write a folder with a playbook and everything that it needs."""
        folder = self.folder / f"{side.name}-{secrets.token_hex(4)}"
        (folder / "group_vars" / "all").mkdir(parents=True)
        (folder / "ansible.cfg").write_text(side.settings, encoding="utf-8")
        names = {f"host{number:02}": None for number in range(hosts)}
        connection = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        inventory = {"all": {"hosts": names, "vars": connection}}
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        (folder / "vars.json").write_text(json.dumps(dict(variables or {})), encoding="utf-8")
        play = {"hosts": "all", "gather_facts": False, "vars_files": ["vars.json"], "tasks": tasks}
        (folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False, width=1000), encoding="utf-8")
        return folder

    def run(
        self,
        side: Side,
        folder: Path,
        *,
        approle: bool = False,
        playbook: str = "play.yml",
        arguments: Sequence[str] = (),
    ) -> Run:
        environment = {
            "HOME": str(self.folder),
            "PATH": f"{side.playbook.parent}:/usr/local/bin:/usr/bin:/bin",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_HASHI_VAULT_ADDR": self.bao.addr,
            "LC_ALL": "C.UTF-8",
        }
        if approle:
            environment["ANSIBLE_HASHI_VAULT_AUTH_METHOD"] = "approle"
            environment["ANSIBLE_HASHI_VAULT_ROLE_ID"] = self._role_id
            environment["ANSIBLE_HASHI_VAULT_SECRET_ID"] = self._secret_id
        else:
            environment["ANSIBLE_HASHI_VAULT_TOKEN"] = environment["VAULT_TOKEN"] = self.bao.token
            environment["VAULT_ADDR"] = self.bao.addr
        command = [str(side.playbook), "-i", "inventory.yml", playbook, "--forks", "5", *arguments]
        return measure.process(command, environment=environment, folder=folder, bao=self.bao)


_SESSION = "callbacks_enabled = mlkeys.transit.session\n"
_VARS_PLUGIN = "vars_plugins_enabled = host_group_vars,mlkeys.transit.vault_transit\n"


def template_rows(bench: Bench) -> list[Row]:
    """Template provider keys on ten hosts, with an AppRole."""
    # One more secret costs so little that only thousands of them make a measurable difference.
    few, many, thousands = 5, 200, 2000
    ours_few, ours_many, ours_thousands = (_ours_in_template(bench, count) for count in (few, many, thousands))
    plain_few, plain_thousands = (_plain_in_template(bench, count) for count in (few, thousands))
    peer_few, peer_many = (_peer_in_template(bench, count) for count in (few, many))
    ours_each = _each(ours_few, ours_thousands, thousands - few)
    plain_each = _each(plain_few, plain_thousands, thousands - few)
    peer_each = _each(peer_few, peer_many, many - few)
    ours_more, peer_more = max(ours_each - plain_each, 0.0), peer_each - plain_each
    return [
        Row(
            f"{few} secrets x {HOSTS} hosts in a template, AppRole",
            _requests(ours_few),
            _requests(peer_few),
            "1 login, 1 decrypt",
            holds=_is_one_and_one(ours_few),
        ),
        Row(
            f"{many} secrets x {HOSTS} hosts, AppRole",
            _requests(ours_many),
            _requests(peer_many),
            "1 login, 1 decrypt",
            holds=_is_one_and_one(ours_many),
        ),
        Row(
            f"one more secret on one host, minus the {plain_each * 1000:.3f} ms of a plain variable",
            f"{ours_more * 1000:.4f} ms (of {ours_each * 1000:.3f})",
            f"{peer_more * 1000:.2f} ms (of {peer_each * 1000:.2f})",
            "at most 1/50 of the peer's",
            ratio=peer_more / ours_more if ours_more else None,
            holds=ours_more * 50 <= peer_more,
        ),
    ]


def _each(fewer: Run, more: Run, added: int) -> float:
    """Return the seconds for one more secret on one host."""
    return (more.seconds - fewer.seconds) / (added * HOSTS)


def _requests(run: Run) -> str:
    return f"{run.requests['login']} logins, {run.requests['transit']} decrypts, {run.seconds:.2f} s"


def _is_one_and_one(run: Run) -> bool:
    return run.requests["login"] == 1 and run.requests["transit"] == 1


def made_secrets(count: int) -> dict[str, str]:
    return {f"provider_{number:05}_key": f"sk-not-real-{secrets.token_hex(22)}" for number in range(count)}


def _template_task(lines: str) -> list[Any]:
    return [
        {
            "ansible.builtin.copy": {
                "content": lines,
                "dest": "{{ playbook_dir }}/{{ inventory_hostname }}.env",
                "mode": "0600",
            }
        }
    ]


def _ours_in_template(bench: Bench, count: int) -> Run:
    values = made_secrets(count)
    lines = "".join(f"{name.upper()}={{{{ {name} }}}}\n" for name in values)
    folder = bench.play(bench.vars, _template_task(lines), hosts=HOSTS)
    ciphertexts = dict(zip(values, bench.raw.encrypt(KEY, list(values.values())), strict=True))
    document = {**ciphertexts, "_transit": {"format": 1, "backend": "transit", "key": KEY}}
    (folder / "group_vars" / "all" / "keys.transit.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    run = measure.repeated(5, lambda: bench.run(bench.vars, folder, approle=True))
    _check_files(folder, values)
    return run


def _plain_in_template(bench: Bench, count: int) -> Run:
    """Return the time that Ansible itself needs for as many variables in an ordinary vars file."""
    values = made_secrets(count)
    lines = "".join(f"{name.upper()}={{{{ {name} }}}}\n" for name in values)
    folder = bench.play(bench.plain, _template_task(lines), hosts=HOSTS)
    (folder / "group_vars" / "all" / "keys.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
    run = measure.repeated(5, lambda: bench.run(bench.plain, folder))
    _check_files(folder, values)
    return run


def _peer_in_template(bench: Bench, count: int) -> Run:
    values = made_secrets(count)
    lookup = "lookup('community.hashi_vault.vault_write', 'transit/decrypt/%s', data={'ciphertext': %s})"
    lines = "".join(
        f"{name.upper()}={{{{ ({lookup % (KEY, name)}).data.plaintext | b64decode }}}}\n" for name in values
    )
    ciphertexts = dict(zip(values, bench.raw.encrypt(KEY, list(values.values())), strict=True))
    folder = bench.play(bench.peer, _template_task(lines), hosts=HOSTS, variables=ciphertexts)
    # Many secrets take minutes, so measure once.
    run = bench.run(bench.peer, folder, approle=True)
    _check_files(folder, values)
    return run


def _check_files(folder: Path, values: Mapping[str, str]) -> None:
    """Check that both sides completed the job."""
    expected = "".join(f"{name.upper()}={value}\n" for name, value in values.items())
    for number in range(HOSTS):
        if (folder / f"host{number:02}.env").read_text(encoding="utf-8") != expected:
            raise AssertionError(f"{folder}: a file does not hold the decrypted keys")


def lookup_rows(bench: Bench) -> list[Row]:
    """Decrypt ten thousand ciphertexts with one call of the lookup, and measure a single small call."""
    values = list(made_secrets(10_000).values())
    ciphertexts = bench.raw.encrypt(KEY, values)
    ours = _decrypt_all(bench, ciphertexts)
    empty = _only_load(bench, ciphertexts)
    raw = measure.seconds_of(lambda: bench.raw.decrypt(KEY, ciphertexts))
    limit = raw + empty.seconds
    ten_times = bench.raw.encrypt(KEY, values * 10)
    large, large_empty = _decrypt_all(bench, ten_times, times=1), _only_load(bench, ten_times, times=1)
    return [
        Row(
            "10,000 ciphertexts in one lookup call",
            f"{ours.seconds:.2f} s",
            f"raw {raw:.2f} s + play that loads them {empty.seconds:.2f} s",
            "at most 1.5 times raw and play",
            ratio=ours.seconds / limit,
            holds=ours.seconds <= 1.5 * limit,
        ),
        Row(
            "peak memory of the whole process for 10,000 and for 100,000 secrets",
            f"{ours.mebibytes:.0f} MiB, {large.mebibytes:.0f} MiB",
            f"play that only loads them: {empty.mebibytes:.0f} MiB, {large_empty.mebibytes:.0f} MiB",
            "100,000 cost at most 11 times",
            ratio=large.mebibytes / ours.mebibytes,
            holds=large.mebibytes <= 11 * ours.mebibytes,
        ),
        _single_call(bench, ciphertexts[0]),
    ]


def _decrypt_all(bench: Bench, ciphertexts: list[str], times: int = 3) -> Run:
    expression = f"query('mlkeys.transit.vault_transit', ciphertexts, key='{KEY}') | length == {len(ciphertexts)}"
    return _assertion(bench, expression, ciphertexts, times)


def _only_load(bench: Bench, ciphertexts: list[str], times: int = 3) -> Run:
    return _assertion(bench, f"ciphertexts | length == {len(ciphertexts)}", ciphertexts, times)


def nothing(bench: Bench) -> Run:
    """Return the time of a play that does nothing."""
    return _assertion(bench, "true", [], 1)


def _assertion(bench: Bench, expression: str, ciphertexts: list[str], times: int) -> Run:
    tasks = [{"ansible.builtin.assert": {"that": [expression], "quiet": True}}]
    folder = bench.play(bench.plain, tasks, variables={"ciphertexts": ciphertexts})
    return _repeated(bench, bench.plain, folder, times)


def _single_call(bench: Bench, ciphertext: str) -> Row:
    ours = f"lookup('mlkeys.transit.vault_transit', '{ciphertext}', key='{KEY}').startswith('sk-')"
    written = (
        f"lookup('community.hashi_vault.vault_write', 'transit/decrypt/{KEY}', data={{'ciphertext': '{ciphertext}'}})"
    )
    peer = f"(({written}).data.plaintext | b64decode).startswith('sk-')"
    seconds = {}
    for side, expression in ((bench.plain, ours), (bench.peer, peer)):
        tasks = [{"ansible.builtin.assert": {"that": [expression], "quiet": True}}]
        seconds[side.name] = _repeated(bench, side, bench.play(side, tasks), 7).seconds
    return Row(
        "a play that makes one call of the lookup",
        f"{seconds['ours']:.2f} s",
        f"{seconds['peer']:.2f} s",
        "at most 1.2 times the peer's",
        ratio=seconds["ours"] / seconds["peer"],
        holds=seconds["ours"] <= 1.2 * seconds["peer"],
    )


def key_rows(bench: Bench) -> list[Row]:
    """Manage many keys, one by one and in one task."""
    hundred = [f"loop-{number:03}" for number in range(100)]
    many = [f"many-{number:03}" for number in range(500)]
    fresh = [f"fresh-{number:03}" for number in range(500)]
    raw_fresh = [f"raw-{number:03}" for number in range(500)]
    bench.raw.create_keys(hundred + many)
    empty = nothing(bench).seconds

    loop = _loop(bench, bench.plain, "mlkeys.transit.vault_transit_key", {"name": "{{ item }}"}, hundred, 3)
    written = {"path": "transit/keys/{{ item }}", "data": {}}
    peer_loop = _loop(bench, bench.peer, "community.hashi_vault.vault_write", written, hundred, 0)
    unchanged = _all_keys(bench, many, 3)
    raw_reads = measure.seconds_of(lambda: bench.raw.read_keys(many))
    created = _all_keys(bench, fresh, 0)
    raw_creates = measure.seconds_of(lambda: bench.raw.create_keys(raw_fresh), times=1)
    peer_500 = peer_loop.seconds * len(many) / len(hundred)
    return [
        Row(
            "loop over vault_transit_key, 100 keys, nothing to change",
            f"{loop.seconds:.2f} s",
            f"{peer_loop.seconds:.1f} s",
            "at least 20 times faster",
            ratio=peer_loop.seconds / loop.seconds,
            holds=peer_loop.seconds >= 20 * loop.seconds,
        ),
        Row(
            "500 keys through vault_transit_keys, nothing to change",
            f"{unchanged.seconds:.2f} s",
            f"raw {raw_reads:.2f} s + empty play {empty:.2f} s",
            "at most 3 times raw and play",
            ratio=unchanged.seconds / (raw_reads + empty),
            holds=unchanged.seconds <= 3 * (raw_reads + empty),
        ),
        Row(
            "the same, compared with the loop of the peer",
            f"{unchanged.seconds:.2f} s",
            f"{peer_500:.0f} s (five times its 100 keys)",
            "at least 60 times faster",
            ratio=peer_500 / unchanged.seconds,
            holds=peer_500 >= 60 * unchanged.seconds,
        ),
        Row(
            "500 keys created by vault_transit_keys",
            f"{created.seconds:.2f} s",
            f"raw {raw_creates:.2f} s + empty play {empty:.2f} s",
            "at most 3 times raw and play",
            ratio=created.seconds / (raw_creates + empty),
            holds=created.seconds <= 3 * (raw_creates + empty),
        ),
    ]


def _loop(bench: Bench, side: Side, module: str, options: dict[str, Any], names: list[str], times: int) -> Run:
    folder = bench.play(side, [{module: options, "loop": "{{ names }}"}], variables={"names": names})
    return _repeated(bench, side, folder, times)


def _all_keys(bench: Bench, names: list[str], times: int) -> Run:
    tasks = [{"mlkeys.transit.vault_transit_keys": {"keys": "{{ wanted }}"}}]
    folder = bench.play(bench.plain, tasks, variables={"wanted": [{"name": name} for name in names]})
    return _repeated(bench, bench.plain, folder, times)


def _repeated(bench: Bench, side: Side, folder: Path, times: int) -> Run:
    """Run it ``times`` times; 0 stands for something that can run only once, or takes too long."""
    if times:
        return measure.repeated(times, lambda: bench.run(side, folder))
    return bench.run(side, folder)
