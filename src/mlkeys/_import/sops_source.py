# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""SOPS files, which `sops` itself decrypts to a pipe."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from mlkeys._errors import MlkeysError
from mlkeys._import.values import Members, Number, Value, walk, without_default_section

_NO_KEY = 128
_MEANINGS = {
    2: "the file cannot be read",
    51: "its checksum is wrong because it was changed by hand",
    _NO_KEY: "none of its keys is available",
}


def sops_values(path: Path, input_type: str | None) -> list[Value]:
    """The values of a file of any format. Numbers are written as in JSON.

    Args:
        input_type: `yaml`, `json`, `dotenv`, `ini` or `binary`; None to go by the file's name.

    Raises:
        MlkeysError: sops is not installed, or could not decrypt the file.
    """
    kind = ["--input-type", input_type] if input_type else []
    # All versions have --decrypt.
    command = ["sops", "--decrypt", *kind, "--output-type", "json", str(path.absolute())]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise MlkeysError(f"sops cannot be run: {error.strerror}. Install it from github.com/getsops/sops") from None
    if done.returncode:
        raise MlkeysError(_meaning(path, done.returncode, done.stderr))
    values = list(walk(_parsed(done.stdout, path)))
    return without_default_section(values) if path.suffix == ".ini" or input_type == "ini" else values


def _meaning(path: Path, status: int, stderr: bytes) -> str:
    """Why sops failed. Its own message is shown only about keys: about other errors it may contain a value."""
    words = stderr.decode(errors="replace")
    if status == _NO_KEY:
        return f"{path}: {_MEANINGS[status]}. The message of sops:\n{words.strip()}"
    if "sops metadata not found" in words:
        return f"{path} is not encrypted with SOPS."
    return f"{path}: sops failed with status {status}: {_MEANINGS.get(status, f'run sops --decrypt {path}')}."


def _parsed(output: bytes, path: Path) -> Members:
    try:
        content = json.loads(output, object_pairs_hook=Members, parse_int=Number, parse_float=Number)
    except ValueError:
        content = None
    if isinstance(content, Members):
        return content
    raise MlkeysError(f"{path} must contain a mapping of names to values.")
