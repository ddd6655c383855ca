# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The archive of a collection does not depend on where it is built, and a difference between two builds is reported."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.artefacts import Differs, artefacts, compare, normalise, write_sums
from tests.support.collection import ROOT
from tests.support.sbom import SBOM, bill

NAME = "mlkeys-transit-1.0.0.tar.gz"
FILES = {"README.md": b"read\n", "plugins/modules/key.py": b"key\n", "plugins/modules/keys.py": b"keys\n"}
MOMENT = 1_700_000_000


def built(folder: Path, *, backwards: bool = False, moment: float = 1.5, mode: int = 0o644) -> Path:
    """Build an archive like `ansible-galaxy collection build`, from files that the file system lists in some order."""
    folder.mkdir(parents=True)
    listed = sorted(FILES, reverse=backwards)
    entries = [{"name": name, "chksum_sha256": hashlib.sha256(FILES[name]).hexdigest()} for name in listed]
    described = json.dumps({"files": entries, "format": 1}).encode()
    manifest = {"file_manifest_file": {"name": "FILES.json", "chksum_sha256": hashlib.sha256(described).hexdigest()}}
    contents = {"MANIFEST.json": json.dumps(manifest).encode(), "FILES.json": described}
    contents |= {name: FILES[name] for name in listed}
    with tarfile.open(folder / NAME, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), moment, mode
            tar.addfile(member, io.BytesIO(content))
    return folder / NAME


def contents_of(archive: Path) -> Mapping[str, bytes]:
    with tarfile.open(archive) as tar:
        opened = [(member.name, tar.extractfile(member)) for member in tar]
        return {name: found.read() for name, found in opened if found}


def test_order_and_times_leave_no_trace(tmp_path: Path) -> None:
    one, other = built(tmp_path / "one"), built(tmp_path / "other", backwards=True, moment=99.25)
    for archive in (one, other):
        normalise(archive, MOMENT)

    compare(one.parent, other.parent)

    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(one) as tar:
        assert {member.mtime for member in tar} == {MOMENT}
    assert int.from_bytes(one.read_bytes()[4:8], "little") == MOMENT  # the gzip header has its own time


def test_its_checksums_match_its_content(tmp_path: Path) -> None:
    archive = built(tmp_path / "one", backwards=True)
    normalise(archive, MOMENT)

    contents = contents_of(archive)

    recorded = json.loads(contents["MANIFEST.json"])["file_manifest_file"]["chksum_sha256"]
    assert recorded == hashlib.sha256(contents["FILES.json"]).hexdigest()
    listed = {entry["name"]: entry["chksum_sha256"] for entry in json.loads(contents["FILES.json"])["files"]}
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert {name: contents[name] for name in FILES} == FILES


def test_the_first_different_member_is_reported(tmp_path: Path) -> None:
    one, other = built(tmp_path / "one"), built(tmp_path / "other", mode=0o600)
    for archive in (one, other):
        normalise(archive, MOMENT)
    with pytest.raises(Differs, match=rf"^Two builds of {NAME} differ at FILES\.json\.$"):
        compare(one.parent, other.parent)


def test_a_member_of_only_one_archive_is_reported(tmp_path: Path) -> None:
    for folder, names in (("one", ["a.py", "b.py"]), ("other", ["a.py"])):
        (tmp_path / folder).mkdir()
        with zipfile.ZipFile(tmp_path / folder / "mlkeys-1-py3-none-any.whl", "w") as wheel:
            for name in names:
                wheel.writestr(zipfile.ZipInfo(name), "the same")
    with pytest.raises(Differs, match=r"differ at b\.py\.$"):
        compare(tmp_path / "one", tmp_path / "other")


def test_a_difference_in_packing_is_reported(tmp_path: Path) -> None:
    one = built(tmp_path / "one")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / NAME).write_bytes(gzip.compress(gzip.decompress(one.read_bytes()), 1))
    with pytest.raises(Differs, match="in packing"):
        compare(tmp_path / "one", tmp_path / "other")


def test_an_artefact_of_only_one_build_is_reported(tmp_path: Path) -> None:
    one, other = built(tmp_path / "one"), built(tmp_path / "other")
    other.rename(other.with_name("mlkeys-transit-1.0.1.tar.gz"))
    with pytest.raises(Differs, match=r"1\.0\.0.*1\.0\.1"):
        compare(one.parent, other.parent)


def test_sha256sum_checks_the_sums(tmp_path: Path) -> None:
    archive = built(tmp_path / "dist")
    shutil.copy(archive, archive.with_name("mlkeys-1.0.0.tar.gz"))

    write_sums(archive.parent)

    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=archive.parent, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{path.name}: OK" for path in artefacts(archive.parent)]
    assert len(done.stdout.splitlines()) == 2


def test_a_bill_of_materials_names_artefacts_and_locked_libraries(tmp_path: Path) -> None:
    locked = "# made\nclick==8.5.1 \\\n    --hash=sha256:00\nhvac==2.4.0\ncolorama==0.4.6 ; os_name == 'nt' \\\n"
    made = bill("1.2.3", locked, {"dependencies": ["Click>=8.1"]}, {NAME: b"content"})

    found = {one["name"]: (one["version"], one["scope"]) for one in made["components"]}
    assert found == {
        "click": ("8.5.1", "required"),
        "colorama": ("0.4.6", "optional"),
        "hvac": ("2.4.0", "optional"),
    }
    (file,) = made["metadata"]["component"]["components"]
    assert file["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"content").hexdigest()}]
    assert set(made["dependencies"][0]["dependsOn"]) == {one["bom-ref"] for one in made["components"]}

    (tmp_path / NAME).write_bytes(b"content")
    (tmp_path / SBOM).write_text(json.dumps(made), encoding="utf-8")
    write_sums(tmp_path)
    assert [line.split()[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()] == [NAME, SBOM]


def test_the_bill_of_materials_covers_all_that_the_package_may_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made = bill("1", (ROOT / "requirements/sbom.txt").read_text(encoding="utf-8"), project, {})
    needed = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split("[<>=]", one)[0].replace(".", "-") for one in needed}
    assert names - {one["name"] for one in made["components"]} == set()
