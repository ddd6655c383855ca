# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Follow the README and the guides: write their files and run their commands, in order, on a real server."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mlkeys._devserver.state_folder import stop_detached
from tests.docs.blocks import Command, File, NotRun, blocks_of, shows
from tests.support.collection import ROOT, collections_path, peers_path
from tests.support.server import running_bao

PAGES = sorted(
    page.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "roles/*/README.md", "examples/*/README.md")
    for page in ROOT.glob(pattern)
    if "collection" not in page.parts and page.name != "CHANGELOG.md"
)

# Only these need a server.
PAGES_WITH_COMMANDS = [page for page in PAGES if any(isinstance(block, Command) for block in blocks_of(ROOT / page))]

# Readers have any of these: what a page marks as `sh` runs in one of them, the next page in the next one.
READERS_SHELLS = [shell for shell in ("sh", "bash", "zsh") if shutil.which(shell)]

# The input of the reader at prompts for a secret.
TYPED = "sk-proj-FAKE-typed-by-a-reader\n"


class Reader:
    """A person with a shell, in an empty folder, who follows a page."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        folder = home / "project"
        folder.mkdir(parents=True)
        self.exported, self.place = home / "environment", home / "place"
        self.place.write_text(str(folder), encoding="utf-8")
        self.environment = {**environment, "HOME": str(home)}

    @property
    def now_in(self) -> Path:
        """Where the last commands went."""
        return Path(self.place.read_text(encoding="utf-8").removesuffix("\n"))

    def write(self, path: str, content: str) -> None:
        target = self.now_in / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")

    def type(self, script: str, shell: str) -> subprocess.CompletedProcess[str]:
        """Run a script in the directory and with the exported variables of the previous one."""
        strictly = "set -euo pipefail" if shell == "bash" else "set -eu"
        keeping = f"env -0 > {shlex.quote(str(self.exported))}; pwd > {shlex.quote(str(self.place))}"
        ran = subprocess.run(
            [f"/bin/{shell}", "-c", f"{strictly}\ntrap {shlex.quote(keeping)} EXIT\n{script}"],
            env=self.environment,
            cwd=self.now_in,
            input=TYPED,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
            # Without a terminal, what asks for a secret reads the input.
            start_new_session=True,
        )
        variables = self.exported.read_text(encoding="utf-8").split("\0")
        self.environment = dict(variable.split("=", 1) for variable in variables if variable)
        return ran


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a separate server, who has installed what the start page installs."""
    with running_bao(tmp_path / "openbao") as bao:
        made = Reader(
            tmp_path / "home",
            {
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                # Some migration pages need community.hashi_vault.
                "ANSIBLE_COLLECTIONS_PATH": f"{collections_path()}:{peers_path()}",
                # It says that it does not support the oldest releases of ansible-core.
                "ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH": "ignore",
                "ANSIBLE_NOCOLOR": "1",
                # Discovery can find another Python, without the libraries of this environment.
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                # The pages omit these warnings about playbooks without an inventory.
                "ANSIBLE_LOCALHOST_WARNING": "0",
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
                "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
                "BAO_ADDR": bao.addr,
                "BAO_TOKEN": bao.token,
                "COLUMNS": "120",
            },
        )
        try:
            yield made
        finally:
            for lock in (tmp_path / "home").rglob("lock"):
                stop_detached(lock.parent)


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=str)
def test_a_page_works(page: Path, reader: Reader) -> None:
    any_shell = READERS_SHELLS[PAGES_WITH_COMMANDS.index(page) % len(READERS_SHELLS)]
    for block in blocks_of(ROOT / page):
        if isinstance(block, File):
            reader.write(block.path, block.content)
        elif isinstance(block, Command):
            shell = any_shell if block.shell == "sh" else block.shell
            ran = reader.type(block.script, shell)
            result = f"{page}:{block.line}: {shell}: exit code {ran.returncode}, output:\n{ran.stdout}"
            assert ran.returncode == 0, result
            assert block.output is None or shows(ran.stdout, block.output), f"{result}\nexpected:\n{block.output}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_block_that_is_not_run_has_a_reason(page: Path) -> None:
    for block in blocks_of(ROOT / page):
        assert not isinstance(block, NotRun) or len(block.reason.split()) > 3, f"{page}:{block.line}"
