# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""SOPS files, which `sops` itself decrypts to a pipe."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkeys._errors import MlkeysError
from mlkeys._import.dotenv_source import dotenv_values
from mlkeys._import.values import Comment, Members, Number, Value, walk, without_default_section
from mlkeys._import.yaml_source import yaml_values
from mlkeys._shared._files.reading import opened_to_read
from mlkeys._shared._yaml.limits import yaml_problem
from mlkeys._system import replacing

#: The form of a file that is one value as a whole.
BINARY = "binary"
_NO_KEY = 128
# Those of a value, and those that belong to none.
_Comments = tuple[tuple[Comment, ...], tuple[Comment, ...]]
_SEALED = "ENC["
_COMMENT = re.compile(rb"^[ \t]*[#;] ?ENC\[", re.MULTILINE)
_FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".env": "dotenv", ".ini": "ini"}
# What sops adds to a file of each format. A JSON file is one of YAML, too.
_ADDED = {
    "json": re.compile(r"\A\s*\{(?s:.*)\"sops\"[ \t]*:"),
    "yaml": re.compile(r"^sops:", re.MULTILINE),
    "dotenv": re.compile(r"^sops_\w+=", re.MULTILINE),
    "ini": re.compile(r"^\[sops\]", re.MULTILINE),
}
_ALSO = {("json", "yaml")}
# What sops makes of a file of any other format.
_OF_BINARY = re.compile(r"\A\s*\{\s*\"data\"[ \t]*:[ \t]*\"ENC\[[^\"]*\",\s*\"sops\"[ \t]*:")
_MEANINGS = {
    2: "the file cannot be read",
    4: "it contains a value that JSON has not, such as .inf or .nan; put it between quotes with sops edit",
    51: "its checksum is wrong because it was changed by hand",
    _NO_KEY: "none of its keys is available",
}


def sops_values(path: Path, input_type: str | None, *, comments: bool = False) -> list[Value]:
    """The values of a file of any format. Numbers are written as in JSON.

    Args:
        input_type: `yaml`, `json`, `dotenv`, `ini` or `binary`; None to go by the file's name.
        comments: whether to decrypt the comments, too.

    Raises:
        MlkeysError: sops is not installed, or could not decrypt the file.
    """
    _check_regular(path)
    form = input_type or form_of(path.name)
    _check_form(path, form)
    if form == BINARY:
        return [_whole(_decrypted(path, input_type, BINARY))]
    sealed = _sealed(path, form)
    content = _parsed(_decrypted(path, input_type, "json"), path)
    values = list(map(_checked, walk(_merged(content) if form == "yaml" else content)))
    _check_kind(values, sealed, path)
    if form == "ini":
        values = without_default_section(values)
    values = [replace(value, was_secret=sealed.get(value.path, True)) for value in values]
    if form == "dotenv":
        values = list(map(_as_read, values))
    beside = _comments(path, input_type, form) if comments else {}
    none = ((), ())
    return [
        replace(value, comments=own, apart=apart) for value in values for own, apart in [beside.get(value.path, none)]
    ]


def _checked(value: Value) -> Value:
    """A value, with a problem if sops may have replaced bytes in it that are not text."""
    return replace(value, text="", problem=_REPLACED) if "\ufffd" in value.text else value


_REPLACED = (
    "contains U+FFFD, which sops writes for binary data; if the file was encrypted as such, use --input-type binary"
)


def _check_kind(values: Iterable[Value], sealed: Mapping[tuple[str, ...], bool], path: Path) -> None:
    """
    Raises:
        MlkeysError: it is a Secret of Kubernetes, with values in base64.
    """
    texts = {value.path: value.text for value in values}
    encoded = [names for names in texts if names[0] == "data" and len(names) > 1 and sealed.get(names, True)]
    if texts.get(("kind",)) == "Secret" and ("apiVersion",) in texts and encoded:
        raise MlkeysError(
            f"{path} is a Secret of Kubernetes, whose data: is in base64. Nothing was written. Decode it on the way: "
            f"sops --decrypt {shlex.quote(str(path))} | mlkeys import kubernetes - --to FILE"
        )


def _check_regular(path: Path) -> None:
    """sops would wait for a writer of a named pipe."""
    try:
        opened_to_read(str(path)).close()
    except OSError as error:
        raise MlkeysError(f"{path}: {error.strerror or 'it cannot be read'}.") from None


def form_of(name: str) -> str:
    """The format of a file by its name, as sops has it."""
    return next((form for ending, form in _FORMATS.items() if name.endswith(ending)), BINARY)


def _check_form(path: Path, form: str) -> None:
    """
    Raises:
        MlkeysError: sops has written another format into the file.
    """
    text = _text(path)
    written = written_by_sops(text) or form
    if written != form and (written, form) not in _ALSO and not (form == BINARY and _OF_BINARY.match(text)):
        raise MlkeysError(
            f"{path} was encrypted as {written}, and would be read as {form}: use --input-type {written}."
        )


def written_by_sops(text: str) -> str:
    """The format of a file that sops has encrypted; empty if it is another one."""
    return next((form for form, added in _ADDED.items() if added.search(text)), "") if _SEALED in text else ""


def _text(path: Path) -> str:
    """The text of a file; empty if it is not text, or cannot be read."""
    try:
        return replacing.bytes_of(path).decode()
    except (OSError, UnicodeDecodeError):
        return ""


def _whole(data: bytes) -> Value:
    """A file of any other format, byte for byte, under the name that it has in sops."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return Value(("data",), "", problem="contains binary data, and variables are text")
    return Value(("data",), text)


def has_comments(path: Path) -> bool:
    """Whether a file has comments, which sops encrypts, too."""
    try:
        return _COMMENT.search(replacing.bytes_of(path)) is not None
    except OSError:
        return False


def _decrypted(path: Path, input_type: str | None, output_type: str) -> bytes:
    kind = ["--input-type", input_type] if input_type else []
    # All versions have --decrypt.
    command = ["sops", "--decrypt", *kind, "--output-type", output_type, str(path.absolute())]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise MlkeysError(f"sops cannot be run: {error.strerror}. Install it from github.com/getsops/sops") from None
    if done.returncode:
        raise MlkeysError(_meaning(path, done.returncode, done.stderr))
    return done.stdout


def _comments(path: Path, input_type: str | None, form: str) -> dict[tuple[str, ...], _Comments]:
    """The comments of a file by value. JSON has none."""
    if form not in ("yaml", "dotenv"):
        return {}
    text = _decrypted(path, input_type, form).decode()
    if form == "dotenv":
        found = dotenv_values(text, str(path))
    else:
        found = yaml_values(text, str(path), lambda *_: None, encrypted=True)
    return {value.path: (value.comments, value.apart) for value in found}


def _sealed(path: Path, form: str) -> dict[tuple[str, ...], bool]:
    """Which values are encrypted in the file, by path, as far as its format shows it. Empty values never are.

    Raises:
        MlkeysError: the file has several YAML documents, of which sops gives the first one only.
    """
    text = _text(path)
    if form == "dotenv":
        pairs = [line.partition("=") for line in text.splitlines()]
        return {(name.strip(),): value.startswith(_SEALED) for name, _, value in pairs if value}
    if form == "ini":
        return _sealed_in_sections(text)
    if form == "json":
        return _marked(walk(_parsed(text.encode(), path)))
    if form != "yaml":
        return {}
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        if yaml_problem(text.encode(), lambda: yaml.parse(text, Loader=loader)):
            return {}
        documents = sum(isinstance(one, yaml.DocumentStartEvent) for one in yaml.parse(text, Loader=loader))
    except yaml.YAMLError:
        return {}
    if documents > 1:
        raise MlkeysError(
            f"{path} has {documents} YAML documents, and sops gives only the first one as JSON. "
            "Nothing was written. Split it into files with one document each."
        )
    return _marked(yaml_values(text, str(path), lambda inner, _path, _line: inner, encrypted=True))


def _sealed_in_sections(text: str) -> dict[tuple[str, ...], bool]:
    sealed: dict[tuple[str, ...], bool] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and line[0] not in ";#":
            name, _, value = line.partition("=")
            names = (section, name.strip()) if section else (name.strip(),)
            sealed[names] = value.strip().startswith(_SEALED)
    return sealed


def _merged(content: Any) -> Any:
    """Mappings with what they merge (`<<`), which sops gives as a member of that name. Their own members count."""
    if not isinstance(content, list):
        return content
    if not isinstance(content, Members):
        return [_merged(inner) for inner in content]
    own = [(name, _merged(inner)) for name, inner in content if name != "<<"]
    names = {name for name, _ in own}
    merged: dict[str, Any] = {}
    for inner in (_merged(inner) for name, inner in content if name == "<<"):
        parts = [inner] if isinstance(inner, Members) else inner if isinstance(inner, list) else []
        for one in parts:
            merged = {**dict(one), **merged}
    return Members([*((name, inner) for name, inner in merged.items() if name not in names), *own])


def _marked(values: Iterable[Value]) -> dict[tuple[str, ...], bool]:
    return {value.path: value.text.startswith(_SEALED) for value in values if value.text}


def _as_read(value: Value) -> Value:
    """A value of a .env file as its readers take it. For sops, all before the sign is the name, the rest the value."""
    name = _EXPORTED.sub("", value.path[0])
    text = _unquoted(value.text)
    problem = value.problem or (_COMMENTED if text == value.text and _BEHIND.search(text) else "")
    return replace(value, path=(name, *value.path[1:]), text="" if problem else text, problem=problem)


_EXPORTED = re.compile(r"\Aexport[ \t]+")
_BEHIND = re.compile(r"\A[^'\"][^\n]*?\s#|\A#")
_COMMENTED = (
    "ends with a comment for readers of .env files, and contains it for sops; put the value between quotes there"
)


def _unquoted(text: str) -> str:
    """A value as readers of .env files take it: sops keeps the quotes around it."""
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"":
        return text
    found = dotenv_values(f"X={text}\n", "")[0]
    # What such readers refuse stays as it is.
    return text if found.problem else found.text


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
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, Members):
        return content
    raise MlkeysError(f"{path} must contain a mapping of names to values.")
