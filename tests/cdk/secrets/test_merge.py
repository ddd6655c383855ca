# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys merge` as the merge driver of a real repository."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from mlkeys._commands.vars_file.merge import _merged
from mlkeys._shared.merge_conflicts import DEFINE
from mlkeys._system import collection
from tests.cdk.secrets.conftest import SECRETS, Invoke, command_line
from tests.cdk.stores import decrypted
from tests.support.server import Bao


def git(*arguments: str, status: int = 0) -> str:
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    done = subprocess.run(["git", *who, *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_what_a_file_says_of_itself_is_not_lost() -> None:
    """Either side keeps its change of metadata, or Git merges the lines."""
    collection.load()
    entry = "p:\n  a: vault:v1:QUJDREVG\n"

    def text(metadata: str = "", entries: str = entry) -> str:
        return f"_transit:\n  format: 2\n  backend: transit\n  key: ml\n{metadata}{entries}"

    allows = "  unencrypted: [p.region]\n"
    more = text(entries=f"{entry}z: vault:v1:QUJDREVG\n")
    assert _merged([text(), more, text(allows)], "k.transit.yml") is None
    ours = _merged([text(), text(allows), more], "k.transit.yml")
    assert ours is not None
    assert "unencrypted" in ours
    assert "z: vault" in ours
    assert _merged([text(allows), text(allows), text()], "k.transit.yml") is None


def test_two_people_change_a_file(bao: Bao, stored: Path, invoke: Invoke) -> None:
    """What they added or changed apart from each other is merged. What both changed is a conflict, which is named."""
    invoke("init", "--ansible")
    git("init", "--quiet", "--initial-branch", "main")
    git("config", "merge.mlkeys.driver", f"{shlex.join(command_line(['merge']))} %O %A %B %P")
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")

    git("switch", "--quiet", "--create", "new-keys")
    invoke("set", str(stored), "added_by_them", stdin="sk-theirs")
    invoke("set", str(stored), "gcp", stdin="changed by them")
    git("commit", "--quiet", "--all", "--message", "Theirs")
    git("switch", "--quiet", "main")
    invoke("set", str(stored), "added_by_us", stdin="sk-ours")
    stored.write_text(f"# of ours\n{stored.read_text()}", encoding="utf-8")
    git("commit", "--quiet", "--all", "--message", "Ours")
    git("merge", "--quiet", "--no-edit", "new-keys")

    merged = {**SECRETS, "gcp": "changed by them", "added_by_them": "sk-theirs", "added_by_us": "sk-ours"}
    assert decrypted(bao, stored) == merged
    assert stored.read_text().startswith("# of ours\n")
    assert "already holds" in invoke("set", str(stored), "added_by_them", stdin="sk-theirs").output

    git("switch", "--quiet", "new-keys")
    invoke("set", str(stored), "gcp", stdin="again by them")
    git("commit", "--quiet", "--all", "--message", "Theirs again")
    git("switch", "--quiet", "main")
    invoke("set", str(stored), "gcp", stdin="again by us")
    git("commit", "--quiet", "--all", "--message", "Ours again")
    assert "both sides changed gcp" in git("merge", "--no-edit", "new-keys", status=1)
    # As in Git's own marks.
    assert "<<<<<<< HEAD\n" in stored.read_text()
    assert ">>>>>>> new-keys\n" in stored.read_text()


def test_a_clone_without_the_driver_is_shown_how_to_keep_what_both_sides_added(
    bao: Bao, stored: Path, invoke: Invoke
) -> None:
    """Git sees changes of the same lines where two people add entries in the same gap."""
    invoke("init", "--ansible")
    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")
    git("switch", "--quiet", "--create", "new-keys")
    invoke("set", str(stored), "aab", stdin="sk-theirs")
    git("commit", "--quiet", "--all", "--message", "Theirs")
    git("switch", "--quiet", "main")
    invoke("set", str(stored), "aac", stdin="sk-ours")
    git("commit", "--quiet", "--all", "--message", "Ours")
    git("merge", "--no-edit", "new-keys", status=1)
    said = invoke("show", str(stored), status=1).output
    assert f"{DEFINE} && git checkout --merge {stored}. Or keep the lines of one side" in said
    define = DEFINE.replace("'mlkeys merge", f"'{shlex.join(command_line(['merge']))}")
    subprocess.run(f"{define} && git checkout --merge {stored}", shell=True, check=True)  # noqa: S602  as shown
    assert decrypted(bao, stored) == {**SECRETS, "aab": "sk-theirs", "aac": "sk-ours"}


@pytest.mark.parametrize("is_swapped", [False, True])
@pytest.mark.parametrize("place", ["beside", "apart"])
def test_a_value_in_plain_text_is_not_lost(place: str, is_swapped: bool, invoke: Invoke, tmp_path: Path) -> None:
    """One side leaves an entry without encryption, the other encrypts it. Wherever Git sees their lines."""
    many = "".join(f"{letter}: vault:v1:QUJDREVG\n" for letter in "bcdef")

    def text(metadata: str = "", above: str = "", below: str = "") -> str:
        return f"{above}{many}{below}_transit:\n  format: 2\n  backend: transit\n  key: ml\n{metadata}"

    region = "region: eu\n"
    plain = text("  unencrypted: [region]\n", **({"below": region} if place == "beside" else {"above": region}))
    sides = [plain, text(below="region: vault:v1:QUJDREVG\n")]
    paths = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path, content in zip(paths, [text(), *(reversed(sides) if is_swapped else sides)], strict=True):
        path.write_text(content, encoding="utf-8")
    assert "both sides changed region" in invoke("merge", *map(str, paths), status=1).output
    merged = paths[1].read_text(encoding="utf-8")
    assert "<<<<<<< ours" in merged
    assert "region: eu" in merged
    assert "region: vault:v1:QUJDREVG" in merged
