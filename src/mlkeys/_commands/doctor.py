# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys doctor`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click

from mlkeys._app import Stack, app_of
from mlkeys._commands.project import chosen, failing_plainly, program_argument, stack_option
from mlkeys._constructs.backend import TransitSecretBackend
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._program import load
from mlkeys._server import Server, ServerUnreachable
from mlkeys._view import View

_OLDEST = {"ansible-core": (2, 16), "hvac": (1, 0), "ruamel.yaml": (0, 17)}
_ADDRESSES = ("ANSIBLE_HASHI_VAULT_ADDR", "BAO_ADDR", "VAULT_ADDR")
_TOKENS = ("ANSIBLE_HASHI_VAULT_TOKEN", "BAO_TOKEN", "VAULT_TOKEN")
_NAMESPACES = ("ANSIBLE_HASHI_VAULT_NAMESPACE", "BAO_NAMESPACE", "VAULT_NAMESPACE")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    advice: str = ""


@click.command("doctor")
@program_argument
@stack_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@failing_plainly
def command(program: Path, stacks: tuple[str, ...], *, as_json: bool) -> None:
    """Find out why something does not work.

    Looks at the installed versions, at the settings of the environment, at the server, at the token, and at what the
    token may do with what PROGRAM (app.py) describes, if there is one. Shows no secret. Exits with 1 when something
    is wrong.
    """
    checks = [*_versions(), *_settings()]
    described = _stacks(program, stacks)
    for stack in described:
        checks += _server(stack)
    if not described:
        checks += _server(None)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks]))
    else:
        for check in checks:
            click.secho("ok   " if check.ok else "WRONG", fg="green" if check.ok else "red", nl=False)
            click.echo(f" {check.name}: {check.found}{f' - {check.advice}' if check.advice else ''}")
    sys.exit(0 if all(check.ok for check in checks) else 1)


def _stacks(program: Path, names: tuple[str, ...]) -> list[Stack]:
    if not program.exists():
        return []
    return chosen(load(program), names)


def _versions() -> Iterator[Check]:
    for package, oldest in _OLDEST.items():
        wanted = f"pip install '{package}>={'.'.join(map(str, oldest))}'"
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            yield Check(package, ok=False, found="not installed here", advice=wanted)
            continue
        numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
        yield Check(package, ok=numbers >= oldest, found=found, advice="" if numbers >= oldest else wanted)
    binary = shutil.which("terraform") or shutil.which("tofu")
    yield Check("terraform", ok=True, found=Path(binary).name if binary else "not installed (only its target needs it)")


def _first(names: tuple[str, ...]) -> tuple[str, str]:
    """The first variable of the environment that has a value, and that."""
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", ""))


def _settings() -> Iterator[Check]:
    name, address = _first(_ADDRESSES)
    if not name:
        yield Check("address", ok=False, found="none", advice="Set BAO_ADDR (or VAULT_ADDR), or try: mlkeys dev")
    elif not address.startswith(("http://", "https://")):
        yield Check("address", ok=False, found=name, advice=f"{name} is to begin with https:// (or http://)")
    else:
        yield Check("address", ok=True, found=name)
    for names in (_ADDRESSES, _TOKENS):
        given = {variable: os.environ[variable] for variable in names if os.environ.get(variable)}
        if len(set(given.values())) > 1:
            yield Check(
                "environment",
                ok=False,
                found=f"{', '.join(given)} differ",
                advice=f"The first of {', '.join(names)} counts. Unset the others.",
            )
    token = _first(_TOKENS)[1]
    if token != token.strip():
        yield Check("environment", ok=False, found="blanks around the token", advice="Set it without the line break.")


def _server(stack: Stack | None) -> Iterator[Check]:
    address = stack.url if stack is not None and stack.url else _first(_ADDRESSES)[1]
    if not address.startswith(("http://", "https://")):
        return
    token = _first(_TOKENS)[1] or _token_of_home()
    namespace = stack.namespace if stack is not None and stack.namespace else _first(_NAMESPACES)[1]
    server = Server(address.rstrip("/"), token, namespace)
    prefix = f"{stack.node.id}: " if stack is not None else ""
    try:
        for check in _asked(server, stack):
            yield Check(prefix + check.name, check.ok, check.found, check.advice)
    except ServerUnreachable as problem:
        advice = "Is the server running, and the address right? Behind TLS, is its CA trusted (BAO_CACERT)?"
        yield Check(f"{prefix}server", ok=False, found=str(problem), advice=advice)


def _token_of_home() -> str:
    try:
        return (Path.home() / ".vault-token").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _asked(server: Server, stack: Stack | None) -> Iterator[Check]:
    status, body = server.ask("GET", "sys/seal-status")
    sealed = bool(body.get("sealed"))
    found = f"{body.get('version', 'unknown version')}{', sealed' if sealed else ''}"
    yield Check("server", ok=status == 200 and not sealed, found=found, advice="Unseal it." if sealed else "")
    if sealed:
        return
    if not server.token:
        yield Check("token", ok=False, found="none", advice="Set BAO_TOKEN (or VAULT_TOKEN)")
        return
    status, body = server.ask("GET", "auth/token/lookup-self")
    if status != 200:
        yield Check("token", ok=False, found=f"refused ({status})", advice="It may have expired; log in again.")
        return
    data = body.get("data", {})
    left = "does not expire" if not data.get("ttl") else f"expires in {data['ttl']} s"
    yield Check("token", ok=True, found=f"policies {', '.join(data.get('policies', []))}; {left}")
    if stack is not None:
        yield from _rights(server, stack)


def _rights(server: Server, stack: Stack) -> Iterator[Check]:
    """What the token may do with the engines and keys of a stack."""
    needed = dict(_needed(View(app_of(stack)), stack))
    if not needed:
        return
    status, body = server.ask("POST", "sys/capabilities-self", {"paths": list(needed)})
    if status != 200:
        yield Check("rights", ok=False, found=f"cannot be asked for ({status})", advice="")
        return
    lacking = []
    for path, wanted in needed.items():
        granted = set(body.get("data", body).get(path, []))
        if "root" not in granted and (missing := wanted - granted):
            lacking.append(f"{', '.join(sorted(missing))} on {path}")
    found = f"{len(needed)} paths" if not lacking else f"lacks {'; '.join(lacking)}"
    yield Check("rights", ok=not lacking, found=found, advice="A policy has to allow it." if lacking else "")


def _needed(view: View, stack: Stack) -> Iterator[tuple[str, set[str]]]:
    for element in view.in_stack(stack):
        if isinstance(element, TransitSecretBackend) and element.managed:
            yield f"sys/mounts/{view.text(str(element.path))}", {"read", "update"}
        elif isinstance(element, TransitSecretBackendKey):
            path = f"{view.text(str(element.backend))}/keys/{view.text(str(element.name))}"
            yield path, {"read", "update"} if element.managed else {"read"}
