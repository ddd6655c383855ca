# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real hosts on loopback: each has its own files, homes, processes and name, an sshd, sudo, and systemd on request.

A host is a set of namespaces of this machine. It sees this machine's files until it changes them; what it writes stays
in memory. When its first process ends, the host and everything that runs on it are gone.

Tests use `Hosts` as a context manager. Playbooks use the command line (`__main__.py`), whose hosts run until they are
stopped.

Hosts need root, Linux with overlayfs, and Debian's tools. sshd and sudo are downloaded where this machine lacks them.
"""

from tests.support.hosts.group import Hosts
from tests.support.hosts.host import WRITTEN, Host, HostError
from tests.support.hosts.programs import missing_requirements

__all__ = ["WRITTEN", "Host", "HostError", "Hosts", "missing_requirements"]
