# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service as an earlier release of the role ran it: an agent stays as the parent of the program."""

from __future__ import annotations

import json
import re

from tests.e2e.machines import Site

UNIT = """# Managed by Ansible, role mlkeys.transit.vault_transit_host. To loosen something, put a drop-in beside it.
[Unit]
StartLimitIntervalSec=0
[Service]
Type=exec
User={name}
Group={name}
ExecStart={program} agent -config=/etc/mlkeys/{name}/agent.hcl
RuntimeDirectory=mlkeys/{name}
RuntimeDirectoryMode=0700
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec=45
[Install]
WantedBy=multi-user.target
"""

SCRIPT = r"""#!/bin/sh
set -u
name={name}
runtime=/run/mlkeys/$name
pid_file=/run/mlkeys/$name.pid
begun=/run/mlkeys/$name.begun
log=/var/log/mlkeys/$name.log
is_alive() {{
    case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in
        '' | Z* | X*) return 1 ;;
    esac
}}
mark() {{
    pid_of_mark=$1
    set -- $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null)
    echo "$pid_of_mark ${{20:-}}"
}}
run() {{
    trap 'kill -TERM "$child"' TERM INT HUP
    mkdir -p -m 0700 "$runtime" && chown "$name:$name" "$runtime" && touch "$begun"
    setpriv --reuid="$name" --regid="$name" --init-groups --no-new-privs -- \
        {program} agent "-config=/etc/mlkeys/$name/agent.hcl" &
    child=$!
    while is_alive "$child"; do
        wait "$child"
    done
    rm -rf "$runtime" "$begun"
}}
case $1 in
    run) run ;;
    start)
        mkdir -p -m 0755 /run/mlkeys /var/log/mlkeys
        setsid "$0" run </dev/null >>"$log" 2>&1 &
        mark "$!" > "$pid_file"
        ;;
    status)
        read -r pid began < "$pid_file" && is_alive "$pid"
        ;;
esac
"""

_VARIABLE = re.compile(r'contents = "KEY=(.*)\\n"')


def downgrade(site: Site, host: str, name: str, command: list[str]) -> None:
    """Put an earlier release in the place of a service that the role has started, and start that."""
    is_systemd = host == "one"
    folder = f"/etc/mlkeys/{name}"
    run = site.hosts[host].run
    run(*(["systemctl", "stop", name] if is_systemd else [f"{folder}/service", "stop"]))
    # Not the first one on the PATH: that of the tests may be out of reach for the user of the service.
    program = "/usr/local/bin/bao"
    new = run("cat", f"{folder}/agent.hcl").stdout
    head, _separator, template = new.partition("template {")
    (code,) = re.findall(r"\{\{ with secret .*?\}\}\{\{ \$v := base64Decode .Data.plaintext \}\}", template)
    old = [
        head.replace("exit_after_auth = true\n", "").replace("exit_on_err = true\n", "").strip(),
        f'exec {{\n  command = {json.dumps(command)}\n  restart_on_secret_changes = "never"\n}}',
        f'env_template "KEY" {{\n  contents = "{code}{{{{ $v }}}}{{{{ end }}}}"\n  error_on_missing_key = true\n}}',
    ]
    write(site, host, f"{folder}/agent.hcl", "\n".join(old) + "\n")
    run("rm", f"{folder}/fetch")
    write(site, host, f"{folder}/started", "0" * 64 + "\n")
    words = {"name": name, "program": program}
    if is_systemd:
        write(site, host, f"/etc/systemd/system/{name}.service", UNIT.format(**words))
        run("systemctl", "daemon-reload")
        run("systemctl", "start", name)
    else:
        write(site, host, f"{folder}/service", SCRIPT.format(**words))
        run(f"{folder}/service", "start")


def write(site: Site, host: str, path: str, text: str) -> None:
    """Over a file that is there, with its owner and its mode."""
    site.hosts[host].run("sh", "-c", 'printf %s "$1" > "$0"', path, text)
