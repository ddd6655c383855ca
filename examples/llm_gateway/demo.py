# SPDX-FileCopyrightText: 2026, mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Show the example at work on a real server: provision, encrypt, template, run again, rotate.

The server is the one that BAO_ADDR or VAULT_ADDR names, with the token of BAO_TOKEN, VAULT_TOKEN or ~/.vault-token.
It prints every command before it runs it, so that you can repeat each step by hand from the same folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

EXAMPLE = Path(__file__).resolve().parent
COLLECTION = EXAMPLE.parents[1]
# Whether this is an installed collection, and not a checkout.
INSTALLED = COLLECTION.parts[-3:] == ("ansible_collections", "mlkeys", "transit")
# It never writes to an installed collection.
BASE = Path.cwd() if INSTALLED else COLLECTION
KEY = "ml-api-key"
OWN_SERVER_ENGINE = "mlkeys-demo"
CHILD_END_SECONDS = 5

Select = Callable[[Iterable[str]], Iterable[str]]

# Placeholders for keys that the environment does not set. No provider accepts them.
FAKE_PROVIDER_KEYS = {
    "OPENAI_API_KEY": "sk-FAKE-openai-no-real-key-0001",
    "ANTHROPIC_API_KEY": "sk-ant-FAKE-anthropic-no-real-key-0002",
    "GEMINI_API_KEY": "FAKE-gemini-no-real-key-0003",
    "MISTRAL_API_KEY": "FAKE-mistral-no-real-key-0004",
    "HF_TOKEN": "hf_FAKE-hugging-face-no-real-key-0005",
    "LITELLM_MASTER_KEY": "sk-FAKE-litellm-master-key-0006",
}

CIPHERTEXT = re.compile(r"vault:v(\d+):[A-Za-z0-9+/]+=*")
RECAP = re.compile(r"(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s.*\bfailed=(?P<failed>\d+)")


class ExpectationFailed(Exception):
    """Something that the demonstration claims is not true."""


def expect(holds: bool, sentence: str) -> None:
    if not holds:
        raise ExpectationFailed(sentence)


def versions(text: str) -> set[int]:
    """The key versions of the ciphertexts in a text."""
    return {int(match.group(1)) for match in CIPHERTEXT.finditer(text)}


def without_ciphertext(text: str) -> str:
    return CIPHERTEXT.sub("vault:", text)


def shortened(text: str) -> str:
    """The text with each ciphertext cut to a length that fits a terminal."""
    return CIPHERTEXT.sub(lambda match: match.group()[:24] + "…", text)


def recorded(lines: Iterable[str], record: list[str]) -> Iterator[str]:
    """Yield the lines as they come, and record each of them."""
    for line in lines:
        record.append(line)
        yield line


def nothing(lines: Iterable[str]) -> Iterator[str]:
    """Read all lines, and yield none."""
    for _line in lines:
        pass
    yield from ()


def let_end(child: subprocess.Popen[str]) -> None:
    """Wait for a child that the terminal has interrupted too, and terminate it if it does not end."""
    try:
        child.wait(timeout=CHILD_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.terminate()


def changed_counts(output: str) -> dict[str, int]:
    """Host name to number of changes, from the recap of a run."""
    return {recap["host"]: int(recap["changed"]) for recap in map(RECAP.match, output.splitlines()) if recap}


def changes(lines: Iterable[str]) -> Iterator[str]:
    """Summarise a run: which tasks changed something on which hosts, and the recap."""
    task = ""
    changed: Counter[str] = Counter()
    for line in lines:
        if line.startswith(("TASK [", "PLAY RECAP")) and changed:
            yield f"{task}: changed {', '.join(f'{number} on {host}' for host, number in sorted(changed.items()))}"
            changed.clear()
        if line.startswith("TASK ["):
            task = line.removeprefix("TASK [").rpartition("]")[0].rpartition(" : ")[2]
        elif line.startswith("changed: ["):
            changed[line.removeprefix("changed: [").partition("]")[0]] += 1
        elif recap := RECAP.match(line):
            yield f"{recap['host']:<9}  ok={recap['ok']} changed={recap['changed']} failed={recap['failed']}"


def as_typed(command: Sequence[str]) -> str:
    """The command for a shell, with quotes as a person writes them."""
    return " ".join(
        f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word) for word in command
    )


class Demonstration:
    """The steps, on one work folder."""

    def __init__(self, work: Path, engine: str, environment: Mapping[str, str]) -> None:
        self.work = work
        self.engine = engine
        self.environment = environment
        self.inventory = work / "inventory.yml"
        self.example_file = relative(work / "hosts/gateway-a/srv/assistant/.env")
        self.engine_arguments = ["-e", f"ml_keys_engine={engine}"] if engine != "transit" else []

    def run(self, command: Sequence[str], select: Select = nothing) -> str:
        """Run a command in the base folder, print what `select` yields of its output, and return all of it."""
        click.secho(f"\n$ {as_typed(command)}", fg="cyan")
        output: list[str] = []
        with subprocess.Popen(
            command, cwd=BASE, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as child:
            try:
                for line in select(recorded(child.stdout or (), output)):
                    click.echo(f"  {line}")
            except KeyboardInterrupt:
                let_end(child)
                raise
        if child.returncode != 0:
            click.echo("".join(output))
            raise ExpectationFailed(f"{command[0]} failed with exit code {child.returncode}. See its output above.")
        return "".join(output)

    def run_site(self) -> dict[str, int]:
        """Run the playbook, show its changes, and return their number on each host."""
        command = ["ansible-playbook", "-i", relative(self.inventory), "mlkeys.transit.site", *self.engine_arguments]
        counts = changed_counts(self.run(command, changes))
        expect(
            len(counts) == 4,
            f"The playbook reached {', '.join(sorted(counts))} instead of localhost and three gateways.",
        )
        return counts

    def ad_hoc(self, host: str, module: str, arguments: str, *options: str) -> str:
        return self.run(["ansible", host, "-i", relative(self.inventory), *options, "-m", module, "-a", arguments])

    def host_files(self) -> dict[str, str]:
        """Path to content of every file on the gateways."""
        paths = sorted(path for path in (self.work / "hosts").rglob("*") if path.is_file())
        return {relative(path): path.read_text(encoding="utf-8") for path in paths}

    def one_version(self, files: Mapping[str, str]) -> int:
        """The key version that all ciphertexts in all files share."""
        found = set[int]().union(*map(versions, files.values()))
        expect(len(found) == 1, f"The ciphertexts have different key versions: {sorted(found)}.")
        return found.pop()

    def steps(self) -> None:
        before = self.provision()
        self.show_a_file(before)
        self.decrypt_a_value()
        self.run_again(before)
        self.rotate()
        self.move_to_the_new_version(before)

    def provision(self) -> dict[str, str]:
        title("1. Enable the engine, create the key, encrypt, and template ciphertext into the gateways' files")
        self.run_site()
        files = self.host_files()
        expect(len(files) == 9, f"The gateways have {len(files)} files instead of nine.")
        expect(all(map(versions, files.values())), "One of the files holds no ciphertext.")
        for path, text in files.items():
            for name in FAKE_PROVIDER_KEYS:
                expect(self.environment[name] not in text, f"{path} holds the plaintext of {name}.")
        return files

    def show_a_file(self, files: Mapping[str, str]) -> None:
        title("2. One of the files: ciphertext only")
        click.echo(f"\n{self.example_file} (ciphertext shortened here)")
        click.echo(indented(shortened(files[self.example_file])))

    def decrypt_a_value(self) -> None:
        title("3. Decrypt one value with the lookup: is it the right key?")
        backend = "" if self.engine == "transit" else f"backend='{self.engine}', "
        lookup = (
            f"lookup('mlkeys.transit.vault_transit', openai_api_key, {backend}key='{KEY}', context='openai_api_key')"
        )
        output = self.ad_hoc(
            "gateway-a",
            "ansible.builtin.debug",
            "msg={{ [decrypted[-4:], decrypted == lookup('env', 'OPENAI_API_KEY')] }}",
            "-e",
            f"decrypted={{{{ {lookup} }}}}",
        )
        end = self.environment["OPENAI_API_KEY"][-4:]
        answer = json.loads(output.partition("=>")[2] or "{}").get("msg")
        expect(answer == [end, True], "The decrypted OPENAI_API_KEY differs from the encrypted one.")
        click.echo(f"  It ends in {end} and is the same as OPENAI_API_KEY of the environment.")

    def run_again(self, before: Mapping[str, str]) -> None:
        title("4. The same playbook again: nothing changes")
        expect(not any(self.run_site().values()), "The second run reports changes.")
        expect(self.host_files() == before, "The second run changed a file.")

    def rotate(self) -> None:
        title("5. Rotate the key")
        output = self.ad_hoc(
            "localhost",
            "mlkeys.transit.vault_transit_key",
            f"name={KEY} backend={self.engine} rotate_older_than=0",
        )
        expect("CHANGED" in output, "The module did not rotate the key.")

    def move_to_the_new_version(self, before: Mapping[str, str]) -> None:
        title("6. The same playbook once more: ciphertext moves to the new version, nothing else changes")
        old = self.one_version(before)
        self.run_site()
        after = self.host_files()
        new = self.one_version(after)
        expect(new == old + 1, f"The ciphertext is at v{new} instead of v{old + 1}.")
        expect(
            {path: without_ciphertext(text) for path, text in before.items()}
            == {path: without_ciphertext(text) for path, text in after.items()},
            "Something else than ciphertext changed.",
        )
        click.echo(f"\n{self.example_file}, lines that differ (ciphertext shortened here)")
        lines = (files[self.example_file].splitlines() for files in (before, after))
        for old_line, new_line in zip(*lines, strict=True):
            if old_line != new_line:
                click.echo(f"  - {shortened(old_line)}\n  + {shortened(new_line)}")
        place = relative(self.work / "hosts")
        click.echo(f"\nAll {len(after)} files moved from v{old} to v{new}. They are in {place}.")


def relative(path: Path) -> str:
    """The path relative to the base folder."""
    return os.path.relpath(path, BASE)


def title(text: str) -> None:
    click.secho(f"\n== {text}", bold=True)


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def server_address(environment: Mapping[str, str]) -> str:
    """The server that the modules talk to, without any credentials in its URL."""
    names = ("ANSIBLE_HASHI_VAULT_ADDR", "BAO_ADDR", "VAULT_ADDR")
    address = next((environment[name] for name in names if environment.get(name)), "")
    expect(bool(address), "No server is configured: set BAO_ADDR or VAULT_ADDR, or run make demo.")
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def fresh_copy(work: Path) -> None:
    """Copy the example to the work folder, which must be empty or an earlier copy."""
    marker = work / "inventory.yml"
    ours = not work.exists() or marker.exists() or not any(work.iterdir())
    expect(ours, f"{work} contains other files; choose another folder.")
    shutil.rmtree(work, ignore_errors=True)
    for part in ("inventory.yml", "group_vars", "host_vars", "templates"):
        source = EXAMPLE / part
        if source.is_dir():
            shutil.copytree(source, work / part, ignore=shutil.ignore_patterns("*.transit.yml"))
        else:
            work.mkdir(parents=True)
            shutil.copy(source, work / part)


def collections_path() -> Path:
    """A folder in which Ansible finds the collection mlkeys.transit, for a checkout by a link."""
    if INSTALLED:
        return COLLECTION.parents[2]
    path = COLLECTION / ".cache/collections"
    link = path / "ansible_collections/mlkeys/transit"
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        link.symlink_to("../../../..", target_is_directory=True)
    return path


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the commands: this one, the collections path, and placeholders for missing provider keys."""
    missing = [name for name in FAKE_PROVIDER_KEYS if not environment.get(name)]
    if missing:
        click.echo(f"Using placeholders for unset keys: {', '.join(missing)}.")
    return {
        **environment,
        "ANSIBLE_COLLECTIONS_PATH": relative(collections_path()),
        **{name: FAKE_PROVIDER_KEYS[name] for name in missing},
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}",
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show the LLM gateway example at work on a real server.")
    work = BASE / ("mlkeys-demo" if INSTALLED else ".cache/demo")
    parser.add_argument("--work", type=Path, default=work, help=f"work folder, replaced by each run ({relative(work)})")
    parser.add_argument("--engine", help="path of the Transit engine to use")
    parser.add_argument(
        "--throwaway", action="store_true", help="the server is temporary, so nothing needs to be cleaned up"
    )
    return parser.parse_args()


def demonstrate(arguments: argparse.Namespace) -> None:
    server = server_address(os.environ)
    engine = arguments.engine or ("transit" if arguments.throwaway else OWN_SERVER_ENGINE)
    work = arguments.work.resolve()
    click.echo(f"Server: {server}{' (temporary)' if arguments.throwaway else ''}")
    if not arguments.throwaway:
        click.echo(f"This creates a Transit engine at {engine}/ with disable_upsert, and in it the key {KEY}.")
    fresh_copy(work)
    click.echo(f"Work folder: {relative(work)}")
    environment = child_environment(os.environ)
    click.echo(
        f"All commands run in {BASE}, after: "
        f"export ANSIBLE_COLLECTIONS_PATH={environment['ANSIBLE_COLLECTIONS_PATH']} "
        f"PATH={relative(Path(sys.executable).parent)}:$PATH"
    )
    Demonstration(work, engine, environment).steps()
    if not arguments.throwaway:
        click.echo(
            f"\nTo remove the engine {engine}/ and all its keys from {server}, run:\n"
            f"  ansible localhost -m mlkeys.transit.vault_transit_backend -a 'path={engine} state=absent force=true'"
        )


def main() -> int:
    arguments = parse_arguments()
    try:
        demonstrate(arguments)
    except ExpectationFailed as failure:
        click.echo(f"\nFailed: {failure}", err=True)
        return 1
    except KeyboardInterrupt:
        click.echo("\nStopped.", err=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
