# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of hosts: on this machine's loopback, or in a network that only the hosts are in."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import random
import socket
import subprocess
import time
from pathlib import Path

_TRIES = 100
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.02


class NetworkError(Exception):
    """There is no address for a host, or no way to it."""


def loopback_address(port: int) -> str:
    """One on which nothing listens on the port."""
    for _try in range(_TRIES):
        address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"  # noqa: S311
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, port))
            return address
    raise NetworkError("There is no free address on loopback.")


def unused_network() -> str:
    """The first three numbers of addresses that this machine has no route to."""
    shown = subprocess.run(
        ["ip", "-json", "-4", "route", "show", "table", "all"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    known = [ipaddress.ip_network(route["dst"]) for route in json.loads(shown.stdout) if route["dst"] != "default"]
    for _try in range(_TRIES):
        network = f"10.{random.randint(0, 255)}.{random.randint(0, 255)}"  # noqa: S311
        if not any(ipaddress.ip_network(f"{network}.0/24").overlaps(one) for one in known):
            return network
    raise NetworkError("There is no unused network.")


def next_address(address: str) -> str:
    """The address after this one, in the same network."""
    head, _dot, last = address.rpartition(".")
    return f"{head}.{int(last) + 1}"


def connect(pid: int, address: str) -> None:
    """Lay a cable from this machine into the network namespace of a process, which then has the address.

    It gets a second one as well, for another host in the same namespace.
    """
    _wait_for_namespace(pid)
    network = address.rpartition(".")[0]
    cable = f"mk{os.getpid() % 10**6}x{random.randint(100, 999)}"  # noqa: S311
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip"]
    for command in (
        ["ip", "link", "add", cable, "type", "veth", "peer", "name", "uplink", "netns", str(pid)],
        ["ip", "address", "add", f"{network}.1/24", "dev", cable],
        ["ip", "link", "set", cable, "up"],
        [*inside, "link", "set", "lo", "up"],
        [*inside, "address", "add", f"{address}/24", "dev", "uplink"],
        [*inside, "address", "add", f"{next_address(address)}/24", "dev", "uplink"],
        [*inside, "link", "set", "uplink", "up"],
    ):
        subprocess.run(command, check=True, capture_output=True)


def _wait_for_namespace(pid: int) -> None:
    """Until the process has left this machine's network."""
    deadline = time.monotonic() + _WAIT_SECONDS
    own = Path("/proc/self/ns/net").readlink()
    while Path(f"/proc/{pid}/ns/net").readlink() == own:
        if time.monotonic() > deadline:
            raise NetworkError("A host did not get a network of its own.")
        time.sleep(_POLL_SECONDS)
