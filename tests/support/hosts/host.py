# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real hosts on loopback: each has its own files, homes, processes and name, an sshd, sudo, and systemd if it is to.

A host is a few namespaces of this machine. Its files are those of this machine until it changes them: what it writes
goes to memory. When its first process ends all of it is gone, and with it everything that ran there.

Tests use it as a context manager. For playbooks there is a command line, whose hosts stay until they are stopped; it
leaves the file `hosts.json` in the folder:

    python -m tests.support.hosts start FOLDER one two three --systemd one
    python -m tests.support.hosts enter FOLDER one -- systemctl status
    python -m tests.support.hosts stop FOLDER

It needs root, Linux with overlayfs, and Debian's tools; sshd and sudo are fetched where the machine has none.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import ipaddress
import json
import os
import platform
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from mlkeys._devserver import server, state_folder
from mlkeys._system import processes as _processes
from tests.support.collection import ROOT

USER = "ops"
PYTHON = "/usr/bin/python3"

#: Folders of a host's files that hold what it has written.
WRITTEN = ("upper", "run", "home", "roots", "tmp", "shm")

_PORT = 2222
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.02
_PROGRAMS = {
    "/usr/sbin/sshd": ("openssh-server", "openssh-sftp-server", "libwrap0"),
    "/usr/bin/sudo": ("sudo",),
}
_FETCHED = ROOT / ".cache" / "hosts"


class HostError(Exception):
    """A host did not become what it should."""


def needed() -> str:
    """What this machine lacks to have hosts, empty for nothing."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "hosts need root on Linux"
    missing = [name for name in ("unshare", "nsenter", "dpkg", "ssh-keygen", "ip") if shutil.which(name) is None]
    missing += [PYTHON] if not Path(PYTHON).exists() else []
    return f"hosts need {', '.join(missing)}" if missing else ""


# Runs in the new namespaces, with everything of the host below $base, and becomes its first process.
_BECOME = r"""
set -eu
mount --make-rprivate /
base=$1 name=$2 first=$3
mount -t tmpfs -o mode=0700 tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root" "$base/run" "$base/home" "$base/roots" "$base/tmp" "$base/shm"
cp -a "$extra" "$base/extra"
root=$base/root
mount -t overlay overlay -o "lowerdir=$base/extra:/,upperdir=$base/upper,workdir=$base/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
if [ "$first" = systemd ]; then mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"; fi
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for made in run:run home:home root:roots tmp:tmp dev/shm:shm; do
    mount --bind "$base/${made#*:}" "$root/${made%%:*}"
done
chmod 0755 "$base/home" "$base/run"
chmod 0711 "$base/roots"
chmod 1777 "$base/tmp" "$base/shm"
IFS=:
for path in $visible; do
    if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$root${path%/*}"; touch "$root$path"; fi
    mount --bind "$path" "$root$path"
done
unset IFS
mkdir -p "$root/usr/local/bin" "$root/var/log" "$root/run/sshd" "$root/run/lock"
if [ -n "$program" ]; then
    touch "$root/usr/local/bin/bao"
    mount --bind "$program" "$root/usr/local/bin/bao"
fi
hostname "$name"
echo "$name" > "$root/etc/hostname"
printf '127.0.0.1 localhost %s\n' "$name" > "$root/etc/hosts"
: > "$root/etc/fstab"
sed -i "/^sshd:/d; /^$user:/d" "$root/etc/passwd" "$root/etc/shadow" "$root/etc/group"
echo "sshd:x:998:65534::/run/sshd:/usr/sbin/nologin" >> "$root/etc/passwd"
echo "$user:x:1998:1998::/home/$user:/bin/sh" >> "$root/etc/passwd"
echo "$user:x:1998:" >> "$root/etc/group"
echo "$user:*:19000::::::" >> "$root/etc/shadow"
mkdir -p "$root/etc/sudoers.d" "$root/etc/ssh"
echo "$user ALL=(ALL) NOPASSWD: ALL" > "$root/etc/sudoers.d/$user"
install -d -m 0700 -o 1998 -g 1998 "$root/home/$user"
install -d -m 0700 -o 1998 -g 1998 "$root/home/$user/.ssh"
install -m 0600 -o 1998 -g 1998 "$folder/key.pub" "$root/home/$user/.ssh/authorized_keys"
install -m 0600 "$folder/host_key" "$root/etc/ssh/light_key"
cat > "$root/etc/ssh/light_config" <<END
Port $port
ListenAddress $address
HostKey /etc/ssh/light_key
PidFile none
UsePAM no
PasswordAuthentication no
PermitRootLogin no
PrintMotd no
UseDNS no
MaxStartups 100
Subsystem sftp internal-sftp
END
if [ "$first" = systemd ]; then
    # Nothing of this machine's is started, and nothing that reaches for its kernel.
    units=$root/etc/systemd/system
    rm -rf "$units"/*.wants "$units"/*.requires "$units/default.target" "$root"/lib/systemd/system/*.target.wants
    rm -rf "$root/var/log/journal" "$root/etc/machine-id"
    tr -d - < /proc/sys/kernel/random/uuid > "$root/etc/machine-id"
    mkdir -p "$units/light.target.wants"
    cat > "$units/light.target" <<END
[Unit]
Description=A host of tests
END
    cat > "$units/light-ssh.service" <<END
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/sbin/sshd -D -e -f /etc/ssh/light_config
END
    ln -s ../light-ssh.service /lib/systemd/system/systemd-journald.service "$units/light.target.wants"
    exec chroot "$root" env -i container=light PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=light.target --log-target=console --show-status=0
fi
# A shell as the first process, which takes care of those whose parents have ended.
exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /bin/bash -c '/usr/sbin/sshd -D -e -f /etc/ssh/light_config & wait'
"""


class Host:
    """One host: its name, and a folder for what is known of it."""

    def __init__(
        self, folder: Path, *, systemd: bool = False, python: bool = False, network: Host | bool = False
    ) -> None:
        """
        Args:
            python: whether it has this Python and all its libraries, besides its own that has none.
            network: whether it has a network that only it is in, which this machine reaches it by; or another host,
                whose network it is in. Otherwise it is in this machine's own.
        """
        self.name = folder.name
        self.folder = folder
        self._systemd = systemd
        self._python = python
        self._network = network

    @property
    def pid(self) -> int:
        """The process whose end is the end of the host. It is in its namespaces, and sees the files outside of it."""
        return int((self.folder / "pid").read_text(encoding="ascii"))

    @property
    def address(self) -> str:
        return (self.folder / "address").read_text(encoding="ascii")

    @property
    def runs(self) -> bool:
        return state_folder.runs(self.folder)

    @property
    def files(self) -> Path:
        """Everything that the host has written, and holds in memory as files."""
        return Path(f"/proc/{self.pid}/root{self._base}")

    @property
    def _base(self) -> str:
        return str(self.folder / "files")

    def launch(self, *, program: str, extra: Path, detached: bool) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        address = self._new_address()
        (self.folder / "address").write_text(address, encoding="ascii")
        Path(self._base).mkdir(mode=0o700, exist_ok=True)
        visible = [sys.prefix, sys.base_prefix] if self._python else []
        settings = {
            "PATH": os.environ["PATH"],
            "extra": str(extra),
            "program": program,
            "visible": ":".join(dict.fromkeys(visible)),
            "folder": str(self.folder.parent),
            "user": USER,
            "port": str(_PORT),
            "address": address,
        }
        first = "systemd" if self._systemd else "sshd"
        spaces = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"]
        command = ["unshare", *spaces, "bash", "-c", _BECOME, "host", self._base, self.name, first]
        if isinstance(self._network, Host):
            command = ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", *command]
        elif self._network:
            command[1:1] = ["--net"]
        group = self._control_group() if self._systemd else None
        with (
            state_folder.locked(self.folder) as lock,
            (self.folder / "log").open("ab") as log,
            _processes.holding_signals() as before_exec,
        ):
            if lock is None:
                raise HostError(f"{self.name} runs already.")
            ending = before_exec if detached else _processes.ending_with_parent(before_exec)

            def begin() -> None:
                ending()
                if group is not None:
                    (group / "cgroup.procs").write_text("0")

            process = subprocess.Popen(
                command,
                cwd="/",
                env=settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
                preexec_fn=begin,  # noqa: PLW1509
            )
            (self.folder / "pid").write_text(f"{process.pid}\n", encoding="ascii")
            self._process = process
        if self._network is True:
            self._connect(address)

    def _new_address(self) -> str:
        if isinstance(self._network, Host):
            head, _dot, last = self._network.address.rpartition(".")
            return f"{head}.{int(last) + 1}"
        if self._network:
            return f"{_free_network()}.2"
        for _try in range(100):
            address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"  # noqa: S311
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind((address, _PORT))
                return address
        raise HostError("no free address")

    def _connect(self, address: str) -> None:
        """A cable from this machine to a network of the host's own."""
        network = address.rpartition(".")[0]
        deadline = time.monotonic() + _WAIT_SECONDS
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{self.pid}/ns/net").readlink() == own:
            if time.monotonic() > deadline:
                raise HostError(f"{self.name} did not get a network of its own.")
            time.sleep(_POLL_SECONDS)
        cable = f"mk{os.getpid() % 10**6}x{random.randint(100, 999)}"  # noqa: S311
        inside = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip"]
        for command in (
            ["ip", "link", "add", cable, "type", "veth", "peer", "name", "uplink", "netns", str(self.pid)],
            ["ip", "address", "add", f"{network}.1/24", "dev", cable],
            ["ip", "link", "set", cable, "up"],
            [*inside, "link", "set", "lo", "up"],
            [*inside, "address", "add", f"{address}/24", "dev", "uplink"],
            [*inside, "address", "add", f"{network}.3/24", "dev", "uplink"],
            [*inside, "link", "set", "uplink", "up"],
        ):
            subprocess.run(command, check=True, capture_output=True)

    def wait(self) -> None:
        """Until its sshd answers."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while self.runs and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((self.address, _PORT), timeout=1) as probe:
                if probe.recv(4) == b"SSH-":
                    return
            time.sleep(_POLL_SECONDS)
        log = (self.folder / "log").read_bytes()[-3000:].decode(errors="replace")
        raise HostError(f"{self.name} did not answer. Its log ends:\n{log}")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the host as root, as one who sits before it."""
        return subprocess.run(self.entering(command), capture_output=True, text=True, check=check, timeout=60)

    def entering(self, command: Sequence[str]) -> list[str]:
        first = (Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split() or ["0"])[0]
        enter = ["nsenter", f"--target={first}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        return [*enter, f"--root=/proc/{first}/root", f"--wd=/proc/{first}/root", *command]

    def kill(self) -> None:
        """End it, and everything on it, at once."""
        if self.runs:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + _WAIT_SECONDS
        while self.runs and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        with contextlib.suppress(AttributeError):
            self._process.wait(_WAIT_SECONDS)
        self._remove_control_group()

    def _control_group(self) -> Path:
        """One below which systemd may make its own."""
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _device, place, kind, *_rest = line.split()
            if kind == "cgroup2":
                group = Path(place, f"light-{self.name}-{os.getpid()}")
                group.mkdir(exist_ok=True)
                (self.folder / "cgroup").write_text(str(group), encoding="utf-8")
                return group
        raise HostError("systemd needs cgroups of version 2, and this machine has none mounted.")

    def _remove_control_group(self) -> None:
        file = self.folder / "cgroup"
        if not file.exists():
            return
        group = Path(file.read_text(encoding="utf-8"))
        deadline = time.monotonic() + _WAIT_SECONDS
        while group.exists() and time.monotonic() < deadline:
            for folder, _folders, _files in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
            time.sleep(_POLL_SECONDS)
        file.unlink()


class Hosts:
    """Several hosts, as a context manager; with `detached` they outlive this process until `stop`."""

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        *,
        systemd: Sequence[str] = (),
        python: Sequence[str] = (),
        network: bool = False,
        detached: bool = False,
    ) -> None:
        """
        Args:
            systemd: those of the hosts that have it.
            python: those that have this Python with its libraries.
            network: whether the first host has a network of its own, and all others are in it.
        """
        self.folder = folder.absolute()
        self._detached = detached
        self.hosts: dict[str, Host] = {}
        for name in names:
            first = next(iter(self.hosts.values()), None)
            self.hosts[name] = Host(
                self.folder / name,
                systemd=name in systemd,
                python=name in python,
                network=(first or True) if network else False,
            )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def start(self) -> None:
        if problem := needed():
            raise HostError(problem)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("key", "host_key"):
            if not (self.folder / name).exists():
                command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
                subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        extra = _extra()
        for host in self.hosts.values():
            host.launch(program=server._binary(), extra=extra, detached=self._detached)
        for host in self.hosts.values():
            host.wait()
        state_folder.write_private(self.folder / "hosts.json", json.dumps(self.variables()))

    def variables(self) -> dict[str, dict[str, object]]:
        """What Ansible has to know of each host."""
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return {
            name: {
                "ansible_host": host.address,
                "ansible_port": _PORT,
                "ansible_user": USER,
                "ansible_ssh_private_key_file": str(self.folder / "key"),
                "ansible_ssh_common_args": options,
                "ansible_python_interpreter": PYTHON,
            }
            for name, host in self.hosts.items()
        }

    def stop(self) -> None:
        """End all hosts; harmless when some never ran."""
        for host in self.hosts.values():
            if host.folder.exists():
                host.kill()


def _free_network() -> str:
    """The first three numbers of addresses that this machine has no way to yet."""
    shown = subprocess.run(
        ["ip", "-json", "-4", "route", "show", "table", "all"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    known = [ipaddress.ip_network(route["dst"]) for route in json.loads(shown.stdout) if route["dst"] != "default"]
    for _try in range(100):
        network = f"10.{random.randint(0, 255)}.{random.randint(0, 255)}"  # noqa: S311
        if not any(ipaddress.ip_network(f"{network}.0/24").overlaps(one) for one in known):
            return network
    raise HostError("no free network")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _extra() -> Path:
    """A folder with the programs that hosts need and this machine does not have, as they would be installed."""
    with _alone(_FETCHED):
        missing = [name for program, names in _PROGRAMS.items() if not Path(program).exists() for name in names]
        extra = _FETCHED / f"{'-'.join(missing) or 'nothing'}"
        if extra.exists():
            return extra
        packages, new = _FETCHED / "packages", _FETCHED / "new"
        for folder in (packages, new):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        if missing:
            _fetch(missing, packages)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(new)], check=True)  # noqa: S607
        # Where these are links on this machine, folders would hide what they lead to.
        for name in ("bin", "lib", "sbin", "usr/share", "usr/include", "var"):
            shutil.rmtree(new / name, ignore_errors=True)
        shutil.rmtree(packages)
        new.rename(extra)
        return extra


def _fetch(names: Sequence[str], folder: Path) -> None:
    """Packages from Debian, without installing them: nothing on this machine changes."""
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    download = ["apt-get", *options, "download", *names]
    if subprocess.run(download, cwd=folder, capture_output=True, timeout=300, check=False).returncode == 0:
        return
    subprocess.run(["apt-get", *options, "update"], capture_output=True, timeout=300, check=False)  # noqa: S607
    done = subprocess.run(download, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise HostError(f"apt-get cannot download {', '.join(names)}:\n{done.stderr[-2000:]}")


def _stop(folder: Path) -> None:
    """End what was started with the folder, by whomever."""
    names = [path.parent.name for path in folder.glob("*/pid")]
    Hosts(folder, names).stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Hosts on loopback.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start")
    enter = commands.add_parser("enter")
    commands.add_parser("check", help="say what this machine lacks")
    for one in (start, enter, commands.add_parser("stop")):
        one.add_argument("folder", type=Path)
    start.add_argument("names", nargs="+")
    start.add_argument("--systemd", action="append", default=[], help="a host that has it")
    start.add_argument("--python", action="append", default=[], help="a host that has this Python and its libraries")
    start.add_argument("--network", action="store_true", help="put them into a network of their own")
    enter.add_argument("name")
    enter.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if given.command == "check":
        sys.exit(needed() or 0)
    if given.command == "stop":
        _stop(given.folder.absolute())
    elif given.command == "enter":
        host = Host(given.folder.absolute() / given.name)
        words = host.entering(given.words[1:] if given.words[:1] == ["--"] else given.words)
        os.execvp(words[0], words)  # noqa: S606
    else:
        options = {"systemd": given.systemd, "python": given.python, "network": given.network}
        hosts = Hosts(given.folder, given.names, detached=True, **options)
        try:
            hosts.start()
        except BaseException:
            hosts.stop()
            raise


if __name__ == "__main__":
    main()
