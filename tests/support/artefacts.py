# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Make release artefacts reproducible: every checkout of a commit builds the same bytes.

hatchling does that for the package. `ansible-galaxy collection build` does not: its archives depend on the times of
files, the time of the build, and the order in which the file system lists a folder.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import itertools
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

SUMS = "SHA256SUMS"


class Differs(Exception):
    """Two builds differ."""


def normalise(archive: Path, moment: int) -> None:
    """Rewrite the archive of a collection, so that it depends only on the files in it."""
    with tarfile.open(archive) as tar:
        members = {member.name: (member, _content(tar, member)) for member in tar}
    listed = json.loads(members["FILES.json"][1])
    listed["files"].sort(key=lambda entry: entry["name"])
    manifest = json.loads(members["MANIFEST.json"][1])
    contents = {"FILES.json": _as_json(listed)}
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(contents["FILES.json"]).hexdigest()
    contents["MANIFEST.json"] = _as_json(manifest)
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=moment) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, (member, content) in sorted(members.items()):
            data = contents.get(name, content)
            # Times with subsecond precision are in separate headers.
            member.mtime, member.size, member.pax_headers = moment, len(data), {}
            tar.addfile(member, io.BytesIO(data))


def compare(one: Path, other: Path) -> None:
    """Check that two folders hold the same artefacts.

    Raises:
        Differs: The folders differ. The message names the first different member.
    """
    names = [artefact.name for artefact in artefacts(one)]
    if names != (others := [artefact.name for artefact in artefacts(other)]):
        raise Differs(f"One build contains {names}, the other {others}.")
    for name in names:
        if (one / name).read_bytes() == (other / name).read_bytes():
            continue
        pairs = itertools.zip_longest(_members(one / name), _members(other / name))
        odd = next((a or b for a, b in pairs if a != b), None)
        where = f"at {odd[0]}" if odd else "in packing, but not in their members"
        raise Differs(f"Two builds of {name} differ {where}.")


def artefacts(folder: Path) -> list[Path]:
    """Return the source archives and wheels in a folder."""
    return sorted(path for path in folder.iterdir() if path.name.endswith((".tar.gz", ".whl")))


def write_sums(folder: Path) -> None:
    """Write the checksums of all artefacts into the folder, and of the bill of materials, for `sha256sum --check`."""
    paths = sorted([*artefacts(folder), *folder.glob("*.cdx.json")])
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _as_json(data: object) -> bytes:
    return json.dumps(data, indent=1).encode()


def _members(archive: Path) -> Iterator[tuple[str, object]]:
    """Yield the name of each member, with everything to compare."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                yield info.filename, (info.date_time, info.external_attr, wheel.read(info))
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            yield member.name, (member.get_info(), _content(tar, member))


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = tar.extractfile(member) if member.isfile() else None
    return opened.read() if opened else b""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("normalise")
    command.add_argument("archive", type=Path)
    command.add_argument("moment", type=int)
    command.set_defaults(does=lambda given: normalise(given.archive, given.moment))
    command = commands.add_parser("compare")
    command.add_argument("one", type=Path)
    command.add_argument("other", type=Path)
    command.set_defaults(does=lambda given: compare(given.one, given.other))
    command = commands.add_parser("sums")
    command.add_argument("folder", type=Path)
    command.set_defaults(does=lambda given: write_sums(given.folder))
    given = parser.parse_args()
    try:
        given.does(given)
    except Differs as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
