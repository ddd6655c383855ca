# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test has: the collection under its name, a clean environment, and a real OpenBao on request."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.collection import collections_path
from tests.support.order import dealt
from tests.support.server import Bao, policy_token, running_bao, transit_mount

# How long an example takes says more of the machine than of the code. The same commit gets the same examples each time;
# `pytest --hypothesis-profile=random` looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile("same")

# What a command shows depends on these, which a CI service, an editor or a user may have set.
_SHOWN_BY = {"CI", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"}
_SHOWN_BY |= {"TTY_COMPATIBLE", "TTY_INTERACTIVE", "EDITOR", "VISUAL", "PAGER"}

_scratch = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything imports Ansible: it reads HOME and its variables once, at import."""
    for name in list(os.environ):
        if name.startswith(("ANSIBLE_", "BAO_", "VAULT_")) or name in _SHOWN_BY:
            del os.environ[name]
    os.environ["TERM"] = "xterm"
    # Without bytecode each process of a test compiles all that it imports, which takes longer than what it does.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Servers collect garbage less often, which is a tenth of what they do.
    os.environ["GOGC"] = "800"
    # A shell that starts the tests in the background ignores these, and each process inherits that.
    with contextlib.suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    scratch = config.stash[_scratch] = Path(tempfile.mkdtemp(prefix="mlkeys-tests-"))
    home = scratch / "home"
    home.mkdir()
    os.environ["HOME"] = str(home)
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(collections_path())

    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deal the slowest files to the workers first: each begins with an equal part of the list, from its front."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    if workers > 1:
        items[:] = dealt(items, workers)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_scratch], ignore_errors=True)


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A real server, one for each test process; the fixture `mount` keeps its tests apart."""
    with running_bao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def mount(bao: Bao) -> Iterator[str]:
    """The path of a fresh Transit engine."""
    with transit_mount(bao) as path:
        yield path


@pytest.fixture
def mint_token(bao: Bao) -> Iterator[Callable[[str], str]]:
    """A function from a policy in HCL to a token that it holds for."""
    with contextlib.ExitStack() as tokens:
        yield lambda policy: tokens.enter_context(policy_token(bao, policy))


@pytest.fixture(autouse=True)
def sessions_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test leaves of a run's logins, the next one in this process begins without."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session

    monkeypatch.setattr(session, "_of_this_run", [])
