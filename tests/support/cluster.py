# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cluster on loopback: three OpenBao nodes on Raft that can be killed, sealed and healed.

Each node listens for http and for https and writes an audit log. Tests use it as a context manager. For playbooks there
is a command line, whose cluster runs until it is stopped; each command writes the file `members.json` to the folder:

    python -m tests.support.cluster start FOLDER
    python -m tests.support.cluster kill-leader FOLDER --after 5 --path transit/encrypt/
    python -m tests.support.cluster stop FOLDER
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import ipaddress
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mlkeys._devserver import http as _http
from mlkeys._devserver import server as _openbao
from mlkeys._devserver import state_folder
from mlkeys._system import processes

_LOOPBACK = "127.0.0.1"
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.02
# A request must be noticed while it is being served.
_WATCH_SECONDS = 0.001


class ClusterError(Exception):
    """The cluster did not reach the expected state."""


class Node:
    """One member: its process, its addresses, and a folder with everything it needs."""

    def __init__(self, folder: Path, *, detached: bool) -> None:
        self.name = folder.name
        self.folder = folder
        self._detached = detached
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://{_LOOPBACK}:{self._ports()[0]}"

    @property
    def https_address(self) -> str:
        return f"https://{_LOOPBACK}:{self._ports()[1]}"

    @property
    def runs(self) -> bool:
        return state_folder.runs(self.folder)

    def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, dict[str, Any]]:
        return _http.request(self.address, method, path, body, token)

    def launch(self) -> None:
        """Start the process, which is sealed at first. A node that ran before keeps its data and its addresses."""
        data = self.folder / "data"
        if not data.exists():
            data.mkdir(mode=0o700, parents=True)
            (self.folder / "ports").write_text(json.dumps(_free_ports(3)), encoding="ascii")
        config = self.folder / "config.hcl"
        config.write_text(self._config(), encoding="utf-8")
        environment = _openbao.without_server_settings(os.environ) | {"HOME": str(self.folder)}
        with (
            state_folder.locked(self.folder) as lock,
            (self.folder / "server.log").open("ab") as log,
            processes.holding_signals() as before_exec,
        ):
            if lock is None:
                raise ClusterError(f"{self.name} is already running.")
            self._process = subprocess.Popen(
                [_openbao._binary(), "server", f"-config={config}"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
                preexec_fn=before_exec if self._detached else processes.ending_with_parent(before_exec),  # noqa: PLW1509
            )
            (self.folder / "pid").write_text(f"{self._process.pid}\n", encoding="ascii")

    def _ports(self) -> list[int]:
        ports: list[int] = json.loads((self.folder / "ports").read_text(encoding="ascii"))
        return ports

    def _config(self) -> str:
        http, https, cluster = self._ports()
        certificate = json.dumps(str(self.folder.parent / "tls.pem"))
        return f"""
storage "raft" {{
  path                         = {json.dumps(str(self.folder / "data"))}
  node_id                      = "{self.name}"
  performance_multiplier       = 1
  autopilot_reconcile_interval = "200ms"
  autopilot_update_interval    = "200ms"
}}
listener "tcp" {{
  address         = "{_LOOPBACK}:{http}"
  cluster_address = "{_LOOPBACK}:{cluster}"
  tls_disable     = true
}}
listener "tcp" {{
  address         = "{_LOOPBACK}:{https}"
  cluster_address = "{_LOOPBACK}:{cluster}"
  tls_cert_file   = {certificate}
  tls_key_file    = {certificate}
}}
# All nodes share the setting, and each runs in its own folder.
audit "file" "file" {{
  options {{
    file_path = "audit.log"
  }}
}}
api_addr     = "http://{_LOOPBACK}:{http}"
cluster_addr = "https://{_LOOPBACK}:{cluster}"
"""

    @contextlib.contextmanager
    def requests(self, path: str) -> Iterator[Callable[[], int]]:
        """Count the requests for paths with this prefix that the node starts to serve from now on."""
        sign = f'"path":"{path}'.encode()
        seen, rest = 0, b""

        def count() -> int:
            nonlocal seen, rest
            *lines, rest = (rest + log.read()).split(b"\n")
            seen += sum(b'"type":"request"' in line and sign in line for line in lines)
            return seen

        with (self.folder / "audit.log").open("rb") as log:
            log.seek(0, os.SEEK_END)
            yield count

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while self.runs and time.monotonic() < deadline:
            # It may not listen yet.
            with contextlib.suppress(OSError):
                if condition():
                    return
            time.sleep(_POLL_SECONDS)
        log = (self.folder / "server.log").read_bytes()[-3000:].decode(errors="replace")
        raise ClusterError(f"{self.name} did not {what}. Its log ends:\n{log}")

    def wait_for_answer(self) -> None:
        self.wait("answer", lambda: self.ask("GET", "sys/seal-status")[0] == 200)

    def unseal(self, key: str) -> None:
        self.wait("unseal", lambda: not self.ask("PUT", "sys/unseal", {"key": key})[1].get("sealed", True))

    def seal(self, token: str) -> None:
        self.ask("PUT", "sys/seal", {}, token)
        self.wait("seal", lambda: bool(self.ask("GET", "sys/seal-status")[1]["sealed"]))

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self.runs:
            # The lock is held, so the process id is not a recycled one.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int((self.folder / "pid").read_text(encoding="ascii")), signal.SIGKILL)
        while self.runs:
            time.sleep(_WATCH_SECONDS)
        if self._process is not None:
            self._process.wait()
            self._process = None


class Cluster:
    """Three nodes, as a context manager; with `detached` they outlive this process until `stop`."""

    def __init__(self, folder: Path, *, detached: bool = False) -> None:
        self.folder = folder.absolute()
        self.nodes = [Node(self.folder / name, detached=detached) for name in ("node1", "node2", "node3")]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text(encoding="ascii")

    @property
    def ca_cert(self) -> str:
        """Path of the certificate that clients verify the nodes with."""
        return str(self.folder / "tls.pem")

    def start(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state_folder.write_private(self.folder / "tls.pem", _certificate())
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_for_answer()
        first = self.nodes[0]
        created = first.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})[1]
        key = str(created["keys_base64"][0])
        state_folder.write_private(self.folder / "token", str(created["root_token"]))
        state_folder.write_private(self.folder / "unseal_key", key)
        first.unseal(key)
        first.wait("become active", lambda: first.ask("GET", "sys/health")[0] == 200)
        # Before the others join, because otherwise each of them waits ten seconds for its vote.
        first.ask(
            "POST", "sys/storage/raft/autopilot/configuration", {"server_stabilization_time": "100ms"}, self.token
        )
        for node in self.nodes[1:]:
            node.ask("POST", "sys/storage/raft/join", {"leader_api_addr": first.address})
        for node in self.nodes[1:]:
            node.unseal(key)
        self.wait_until_whole()

    @property
    def leader(self) -> Node:
        """The active node, as soon as there is one."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            for node in self.nodes:
                with contextlib.suppress(OSError):
                    if node.runs and node.ask("GET", "sys/health")[0] == 200:
                        return node
            time.sleep(_POLL_SECONDS)
        raise ClusterError("No node became active.")

    @property
    def standbys(self) -> list[Node]:
        leader = self.leader
        return [node for node in self.nodes if node is not leader]

    def request(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Send a request to the active node with the root token."""
        return self.leader.ask(method, path, body, self.token)

    def done(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a request that must succeed, and return its response."""
        status, answer = self.request(method, path, body)
        if status >= 400:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def heal(self) -> None:
        """Start killed nodes, unseal sealed ones, and wait until the cluster is as after its start."""
        key = (self.folder / "unseal_key").read_text(encoding="ascii")
        for node in self.nodes:
            if not node.runs:
                node.launch()
        for node in self.nodes:
            node.wait_for_answer()
            if node.ask("GET", "sys/seal-status")[1]["sealed"]:
                node.unseal(key)
        self.wait_until_whole()

    def kill_leader(self, after: int = 0, path: str = "", watching: Callable[[], object] = lambda: None) -> Node:
        """Kill the active node when it has started to serve so many more requests for the path.

        `watching` is called when counting starts.
        """
        leader = self.leader
        deadline = time.monotonic() + _WAIT_SECONDS
        with leader.requests(path) as count:
            watching()
            while count() < after:
                if time.monotonic() > deadline:
                    raise ClusterError(f"{leader.name} did not get {after} requests for {path}.")
                time.sleep(_WATCH_SECONDS)
        leader.kill()
        return leader

    def wait_until_whole(self) -> None:
        """Wait until there are three voters, and each standby has the state of the active node."""
        leader = self.leader
        leader.wait("get its voters", lambda: self._voters(leader) == len(self.nodes))
        index = leader.ask("GET", "sys/leader")[1]["raft_committed_index"]
        for node in self.nodes:
            node.wait("follow", functools.partial(self._follows, node, index))

    def _voters(self, leader: Node) -> int:
        data = leader.ask("GET", "sys/storage/raft/configuration", token=self.token)[1].get("data", {})
        return sum(server["voter"] for server in data.get("config", {}).get("servers", ()))

    def _follows(self, node: Node, index: int) -> bool:
        if node.ask("GET", "sys/health")[0] not in (200, 429):
            return False
        return bool(node.ask("GET", "sys/leader")[1]["raft_applied_index"] >= index)

    def stop(self) -> None:
        """End all nodes, also when some never ran. Their data is discarded, so they are killed."""
        for node in self.nodes:
            if node.folder.exists():
                node.kill()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as probes:
        # Held together, so that no port is used twice.
        sockets = [probes.enter_context(socket.socket()) for _number in range(count)]
        for probe in sockets:
            probe.bind((_LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def _certificate() -> str:
    """Key and self-signed certificate for loopback, which is its own CA, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test cluster")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(_LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode("ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description="A cluster of three OpenBao nodes on loopback.")
    parser.add_argument("command", choices=["start", "kill-leader", "seal-standby", "heal", "stop"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--after", type=int, default=0, help="kill when it has started to serve so many requests")
    parser.add_argument("--path", default="", help="the prefix of their paths")
    given = parser.parse_args()
    cluster = Cluster(given.folder, detached=True)
    if given.command == "stop":
        cluster.stop()
        return
    if given.command == "start":
        try:
            cluster.start()
        except BaseException:
            cluster.stop()
            raise
    elif given.command == "kill-leader":
        cluster.kill_leader(given.after, given.path)
    elif given.command == "seal-standby":
        cluster.standbys[0].seal(cluster.token)
    else:
        cluster.heal()
    members = {"leader": cluster.leader.address, "standbys": [node.address for node in cluster.standbys]}
    state_folder.write_private(cluster.folder / "members.json", json.dumps(members))


if __name__ == "__main__":
    main()
