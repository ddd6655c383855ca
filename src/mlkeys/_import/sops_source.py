# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files of SOPS, decrypted by `sops` itself over a pipe."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._import.values import Members, Number, Value, walk, without_default_section

_NO_KEY = 128
_MEANINGS = {
    2: "it cannot be read",
    51: "its checksum is wrong: somebody changed it by hand",
    _NO_KEY: "none of its keys is here, or may be used",
}


def sops_values(path: Path, input_type: str | None) -> list[Value]:
    """The values of a file, whatever its format, as text and numbers are in JSON.

    Args:
        input_type: `yaml`, `json`, `dotenv`, `ini` or `binary`; by the file's name when not given.

    Raises:
        MlkeysError: sops is not there, or could not decrypt.
    """
    kind = ["--input-type", input_type] if input_type else []
    # --decrypt is what all versions know.
    command = ["sops", "--decrypt", *kind, "--output-type", "json", str(path.absolute())]
    problem = ""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        problem = f"sops cannot be run: {error.strerror}. Install it from github.com/getsops/sops"
    else:
        if done.returncode:
            problem = _meaning(path, done.returncode, done.stderr)
    if problem:
        raise MlkeysError(problem)
    values = list(walk(_parsed(done.stdout, path)))
    return without_default_section(values) if path.suffix == ".ini" or input_type == "ini" else values


def _meaning(path: Path, status: int, stderr: bytes) -> str:
    """Why sops failed. What it says is shown only where it speaks of keys: of other failures it may show a value."""
    words = stderr.decode(errors="replace")
    if status == _NO_KEY:
        return f"{path}: {_MEANINGS[status]}. sops says:\n{words.strip()}"
    if "sops metadata not found" in words:
        return f"{path} is not encrypted with SOPS."
    return f"{path}: sops could not decrypt it (status {status}): {_MEANINGS.get(status, 'try sops --decrypt on it')}."


def _parsed(output: bytes, path: Path) -> Members:
    try:
        content = json.loads(output, object_pairs_hook=Members, parse_int=Number, parse_float=Number)
    except ValueError:
        content = None
    if isinstance(content, Members):
        return content
    raise MlkeysError(f"{path} must hold a mapping of names to values.")
