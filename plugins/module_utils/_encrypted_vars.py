# Copyright: (c) 2026, mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Encrypted vars files: reading one, deciding what happens to each entry, writing it. **Private** to the collection.

Such a file is an ordinary vars file whose values are ciphertext::

    openai_api_key: vault:v3:5Zf...
    _transit:
      format: 1
      backend: transit
      key: ml-api-key
      hmac:
        openai_api_key: vault:v3:Qm1...

The HMAC of ``NAME\\0VALUE`` is the entry's fingerprint. It tells without the right to decrypt whether a plaintext is
the stored one, and the name in it keeps equal values apart. Encryption is randomised, so without a fingerprint there
would be no idempotence.
Each entry is encrypted with its name as context: under a derived key it decrypts under that name alone.

A file is changed where it has to be: the parser tells where each value stands, and only that text is replaced. So
comments, order, quotes and line ends stay as they are. JSON files are written anew.

Nothing here talks to a server or touches a file, and no message repeats a value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, List, Mapping, Sequence, Tuple

from ansible_collections.mlkeys.transit.plugins.module_utils._errors import InvalidOption, LibraryMissing
from ansible_collections.mlkeys.transit.plugins.module_utils._schema import ciphertext_version

METADATA = "_transit"
FORMAT = 1

KEPT = "kept"
ADDED = "added"
UPDATED = "updated"
REWRAPPED = "rewrapped"
REFRESHED = "refreshed"
REMOVED = "removed"

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What YAML takes for something else than a name, in whatever case.
_YAML_WORDS = ("false", "no", "null", "off", "on", "true", "yes")


@dataclass(frozen=True)
class Entry:
    """One stored secret. ``fingerprint`` is empty where the file has none."""

    name: str
    ciphertext: str
    fingerprint: str = ""

    @property
    def version(self) -> int:
        return ciphertext_version(self.ciphertext) or 0


@dataclass(frozen=True)
class Fate:
    """What happens to one entry, and why.

    Attributes:
        before: the stored key version, ``None`` for no entry.
        after: the version it will have, ``None`` for none.
        fingerprint: whether the fingerprint is written anew.
    """

    name: str
    action: str
    reason: str = ""
    before: int | None = None
    after: int | None = None
    fingerprint: bool = False


@dataclass(frozen=True)
class VarsFile:
    """A parsed file. ``plain`` is what in it is not encrypted, by name."""

    path: str
    text: str = field(default="", repr=False)
    backend: str = ""
    key: str = ""
    fingerprint_key: str = ""
    entries: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    plain: Mapping[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def is_json(self) -> bool:
        return self.path.endswith(".json")


def fingerprint_input(name: str, value: bytes) -> bytes:
    """What the fingerprint of an entry is the HMAC of."""
    return name.encode("utf-8") + b"\0" + value


def name_problems(names: Sequence[str]) -> list[str]:
    """What is wrong with names that are to become variables."""
    return [
        f"'{name}' is not a name for a variable: letters, digits and '_', not beginning with a digit"
        for name in names
        if not _VARIABLE_NAME.fullmatch(name)
    ] + [
        f"'{name}' is reserved for {'the file' if name == METADATA else 'YAML'} itself"
        for name in names
        if name == METADATA or name.lower() in _YAML_WORDS
    ]


def parse(text: str, path: str) -> VarsFile:
    """The file's content; an empty one for no text.

    Raises:
        InvalidOption: it is no vars file of this kind, or holds something that is not encrypted.
    """
    file = VarsFile(path, text)
    file = interpret(_json_content(file) if file.is_json else _yaml_content(_yaml_root(file), path), path, text)
    if file.plain:
        raise InvalidOption(plain_names_problem(file.plain, path))
    return file


def interpret(content: Any, path: str, text: str = "") -> VarsFile:
    """What a loaded file holds. Values that are not encrypted are set apart.

    Raises:
        InvalidOption: it is no vars file of this kind.
    """
    if not isinstance(content, dict):
        raise _no_mapping(path)
    metadata = content.get(METADATA, {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get("hmac", {}), dict):
        raise InvalidOption(f"{path}: {METADATA} must be a mapping with format, backend, key and hmac.")
    if str(metadata.get("format", FORMAT)) != str(FORMAT):
        raise InvalidOption(f"{path} has another format than {FORMAT}, the only one that this version knows.")
    hmacs = metadata.get("hmac", {})
    damaged = [name for name, value in hmacs.items() if not _is_ciphertext(value)]
    if damaged:
        raise InvalidOption(f"{path}: the hmac of {_listed(damaged)} is damaged. Take that line out of the file.")
    secrets = {name: value for name, value in content.items() if name != METADATA and _is_entry(name, value)}
    return VarsFile(
        path,
        text,
        backend=str(metadata.get("backend") or ""),
        key=str(metadata.get("key") or ""),
        fingerprint_key=str(metadata.get("fingerprint_key") or ""),
        entries={name: Entry(name, value.strip(), hmacs.get(name, "").strip()) for name, value in secrets.items()},
        plain={name: value for name, value in content.items() if name != METADATA and name not in secrets},
    )


def plain_names_problem(names: Iterable[Any], path: str) -> str:
    """What to say of a file that holds something that is not encrypted."""
    return (
        f"{path}: the value of {_listed(names)} is not ciphertext (vault:vN:...). If it is a plaintext secret, others "
        "may have read it: replace it at its provider, take it out of the file, and give the new one as one of the "
        "secrets."
    )


def _listed(names: Iterable[Any]) -> str:
    """Names to show. What is none for a variable may be anything, so it is not shown."""
    return ", ".join(name if _is_name(name) else "an entry without a variable's name" for name in names)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and _VARIABLE_NAME.fullmatch(name) is not None


def _is_ciphertext(value: Any) -> bool:
    return isinstance(value, str) and ciphertext_version(value.strip()) is not None


def _is_entry(name: Any, value: Any) -> bool:
    return _is_name(name) and _is_ciphertext(value)


def check_ownership(file: VarsFile, backend: str, key: str, fingerprint_key: str, path: str) -> None:
    """Refuse a file that was written with another key.

    Raises:
        InvalidOption: engine, key or fingerprint key differ from those in the file.
    """
    wanted = (("backend", file.backend, backend), ("key", file.key, key))
    differing = [f"{name} '{stored}', not '{asked}'" for name, stored, asked in wanted if stored and stored != asked]
    if (file.key or file.fingerprint_key) and (file.fingerprint_key or file.key) != fingerprint_key:
        differing.append(f"fingerprint_key '{file.fingerprint_key or file.key}', not '{fingerprint_key}'")
    if differing:
        raise InvalidOption(
            f"{path} was written with {' and '.join(differing)}. Give what the file says, or move the file away and "
            "give all secrets to have them encrypted anew."
        )


def decide(
    entries: Mapping[str, Entry],
    same: Mapping[str, str | None],
    *,
    version: int,
    fingerprint_version: int,
    purge: bool,
) -> list[Fate]:
    """What happens to each entry, in the order of the file, new ones after it sorted by name.

    Args:
        entries: what the file holds.
        same: for each given secret that is stored, ``None`` when its value is the stored one, else why it has to be
            written; for each that is not stored, the reason as well.
        version: the key version that entries shall not be behind.
        fingerprint_version: the same for fingerprints of given secrets.
        purge: whether entries that were not given go away.
    """
    fates = []
    for entry in entries.values():
        if entry.name in same:
            fates.append(_fate_of_given(entry, same[entry.name], version, fingerprint_version))
        elif purge:
            fates.append(Fate(entry.name, REMOVED, "not among secrets", before=entry.version))
        else:
            fates.append(_fate_of_stored(entry, version))
    fates += [
        Fate(name, ADDED, reason or "", after=version, fingerprint=True)
        for name, reason in sorted(same.items())
        if name not in entries
    ]
    return fates


def _fate_of_given(entry: Entry, reason: str | None, version: int, fingerprint_version: int) -> Fate:
    if reason is not None:
        return Fate(entry.name, UPDATED, reason, entry.version, version, fingerprint=True)
    stale = (ciphertext_version(entry.fingerprint) or 0) < fingerprint_version
    fate = _fate_of_stored(entry, version)
    if fate.action == KEPT and stale:
        return Fate(
            entry.name, REFRESHED, "fingerprint of an older version", entry.version, entry.version, fingerprint=True
        )
    return Fate(fate.name, fate.action, fate.reason, fate.before, fate.after, stale)


def _fate_of_stored(entry: Entry, version: int) -> Fate:
    if entry.version < version:
        return Fate(entry.name, REWRAPPED, f"behind version {version}", entry.version, version)
    return Fate(entry.name, KEPT, before=entry.version, after=entry.version)


def summary(fates: Sequence[Fate], *, after: bool) -> dict[str, str]:
    """One side of the diff: names, versions and reasons."""
    shown = {}
    for fate in fates:
        version = fate.after if after else fate.before
        if version is not None:
            reason = f" ({fate.action}: {fate.reason})" if after and fate.action != KEPT else ""
            shown[fate.name] = f"v{version}{reason}"
    return shown


def update(
    file: VarsFile,
    *,
    backend: str,
    key: str,
    fingerprint_key: str,
    ciphertexts: Mapping[str, str],
    fingerprints: Mapping[str, str],
    removed: Sequence[str],
) -> str:
    """The file's new text: new values in their old places, new entries after the last one, all else as it was.

    Raises:
        InvalidOption: it is written in a way that cannot be changed in place.
    """
    facts = {"format": FORMAT, "backend": backend, "key": key}
    if fingerprint_key != key:
        facts["fingerprint_key"] = fingerprint_key
    changes = _Changes(facts, ciphertexts, fingerprints, removed)
    return _updated_json(file, changes) if file.is_json else _updated_yaml(file, changes)


@dataclass(frozen=True)
class _Changes:
    facts: Mapping[str, Any]
    ciphertexts: Mapping[str, str] = field(repr=False)
    fingerprints: Mapping[str, str] = field(repr=False)
    removed: Sequence[str]

    def applied(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What the file holds when they are made, ``_transit`` at its end if it had none."""
        result: dict[str, Any] = {**content, **self.ciphertexts}
        metadata: dict[str, Any] = {**result.pop(METADATA, {}), **self.facts}
        metadata["hmac"] = {**metadata.pop("hmac", {}), **self.fingerprints}
        for name in self.removed:
            del result[name]
            metadata["hmac"].pop(name, None)
        return {**result, METADATA: metadata}


# The name itself is not shown: in a file that is no vars file it may be anything.
_BAD_NAME = "is none for a variable, or is there twice. Correct it, or move the file away."


def _no_mapping(path: str) -> InvalidOption:
    return InvalidOption(f"{path} is not a vars file: it must hold a mapping of names to ciphertexts.")


# JSON


class _Members(List[Tuple[str, Any]]):
    """What an object holds, before a member that is there twice gets lost."""


def _json_content(file: VarsFile) -> dict[str, Any]:
    line = 1
    try:
        content = json.loads(file.text if file.text.strip() else "{}", object_pairs_hook=_Members)
        if isinstance(content, _Members):
            return _from_members(content, file.path)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
    except RecursionError:
        pass
    else:
        raise _no_mapping(file.path)
    raise InvalidOption(f"{file.path} is not JSON (line {line}).")


def _from_members(members: _Members, path: str) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for index, (name, value) in enumerate(members):
        if not _is_name(name) or name in content:
            raise InvalidOption(f"{path}: a name, the {index + 1}. of its object, {_BAD_NAME}")
        content[name] = _from_members(value, path) if isinstance(value, _Members) else value
    return content


def _updated_json(file: VarsFile, changes: _Changes) -> str:
    return json.dumps(changes.applied(_json_content(file)), indent=2, ensure_ascii=False) + "\n"


# YAML

# The file's, that of _transit, that of hmac. What lies deeper cannot be right.
_MAPPINGS = 3


@dataclass(frozen=True)
class _Node:
    """A value and where its text stands. ``pairs`` are those of a mapping; neither text nor pairs: something else."""

    start: int
    end: int
    line: int
    column: int
    text: str | None = field(default=None, repr=False)
    pairs: Sequence[tuple[_Node, _Node]] | None = field(default=None, repr=False)
    flow: bool = False


def _yaml_root(file: VarsFile) -> _Node | None:
    """The mapping that the file is, ``None`` where it holds nothing (but comments)."""
    yaml = _yaml()
    # The fast loader counts a byte order mark wrongly.
    loader = yaml.SafeLoader if file.text.startswith("\ufeff") else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    where = ""
    try:
        # Events, as the library's own way to nodes recurses as deep as the file does.
        events = yaml.parse(file.text, Loader=loader)
        starts = (event for event in events if isinstance(event, yaml.DocumentStartEvent))
        roots = [_node(yaml, events, next(events), _MAPPINGS) for dummy in starts]
    except yaml.MarkedYAMLError as error:
        # The library's own text quotes the line, which may be a secret.
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1})" if mark else ""
    except yaml.YAMLError:
        pass
    else:
        return _only_mapping(roots, file.path)
    raise InvalidOption(f"{file.path} is not YAML{where}.")


def _only_mapping(roots: Sequence[_Node], path: str) -> _Node | None:
    if len(roots) > 1:
        raise InvalidOption(f"{path} holds more than one YAML document.")
    if not roots or (roots[0].text == "" and roots[0].start == roots[0].end):
        return None
    if roots[0].pairs is None:
        raise _no_mapping(path)
    return roots[0]


def _node(yaml: Any, events: Iterator[Any], event: Any, mappings: int) -> _Node:
    """The node that begins with ``event``; the rest of it is taken off ``events``."""
    text, pairs, last = None, None, event
    if isinstance(event, yaml.ScalarEvent):
        text = event.value if event.tag in (None, "!", "tag:yaml.org,2002:str") else None
    elif isinstance(event, yaml.MappingStartEvent) and mappings:
        pairs = []
        for last in events:
            if isinstance(last, yaml.MappingEndEvent):
                break
            name = _node(yaml, events, last, mappings - 1)
            pairs.append((name, _node(yaml, events, next(events), mappings - 1)))
    elif isinstance(event, yaml.CollectionStartEvent):
        depth = 1
        while depth:
            last = next(events)
            depth += isinstance(last, yaml.CollectionStartEvent) - isinstance(last, yaml.CollectionEndEvent)
    start = event.start_mark
    flow = bool(getattr(event, "flow_style", False))
    return _Node(start.index, last.end_mark.index, start.line + 1, start.column, text, pairs, flow)


def _yaml_content(node: _Node | None, path: str) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in (node.pairs or ()) if node else ():
        if name.text is None or not _is_name(name.text) or name.text in content:
            raise InvalidOption(f"{path}: the name in line {name.line} {_BAD_NAME}")
        content[name.text] = value.text if value.pairs is None else _yaml_content(value, path)
    return content


def _updated_yaml(file: VarsFile, changes: _Changes) -> str:
    root = _yaml_root(file)
    wanted = changes.applied(_yaml_content(root, file.path))
    text = file.text
    if root is None:
        text = text or "---\n"
        edits = [(len(text), len(text), _on_its_own_line(text, len(text), _block(wanted, "")))]
    elif root.flow:
        start = _before_spaces(text, root.start)
        edits = [(start, root.end, _on_its_own_line(text, start, _block(wanted, "")).rstrip("\n"))]
    else:
        edits = _edits(text, root, wanted)
    newline = "\r\n" if "\r\n" in text else "\n"
    result = _spliced(text, [(start, end, new.replace("\n", newline)) for start, end, new in edits])
    try:
        done = parse(result, file.path).entries == interpret(wanted, file.path).entries
    except InvalidOption:
        done = False
    if done:
        return result
    raise InvalidOption(
        f"{file.path} is written in a way that cannot be changed in place. Write each entry in a line of its own, "
        "NAME: VALUE."
    )


Edit = Tuple[int, int, str]


def _spliced(text: str, edits: Sequence[Edit]) -> str:
    parts, position = [], 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += [text[position:start], new]
        position = end
    return "".join([*parts, text[position:]])


def _edits(text: str, node: _Node, wanted: Mapping[str, Any]) -> list[Edit]:
    """What makes a mapping in block style hold what is wanted."""
    edits: list[Edit] = []
    indent = " " * node.column
    for name, value in node.pairs or ():
        new = wanted.get(str(name.text))
        if name.text not in wanted:
            edits.append((_line_start(text, name.start), _line_end(text, _content_end(text, value)), ""))
        elif isinstance(new, Mapping):
            edits += _inner_edits(text, name, value, new, indent + "  ")
        elif _differs(value, new):
            edits.append((value.start, _content_end(text, value), _in_place_of(text, value, str(new))))
    stored = {name.text for name, dummy in node.pairs or ()}
    added = {name: value for name, value in wanted.items() if name not in stored}
    if added:
        position = _position_for_new(text, node)
        edits.append((position, position, _on_its_own_line(text, position, _block(added, indent))))
    return edits


def _inner_edits(text: str, name: _Node, node: _Node, wanted: Mapping[str, Any], indent: str) -> list[Edit]:
    """The same for a mapping inside of it. One in flow style comes out in block style when it changes."""
    if not _differs(node, wanted):
        return []
    if wanted and node.pairs and not node.flow:
        return _edits(text, node, wanted)
    block = "\n" + _block(wanted, indent).rstrip("\n") if wanted else " {}"
    return [(name.end, _content_end(text, node), ":" + block)]


def _differs(node: _Node, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        inner = {name.text: value for name, value in node.pairs or ()}
        return inner.keys() != wanted.keys() or any(_differs(inner[name], value) for name, value in wanted.items())
    return wanted is not None and str(wanted).strip() != str(node.text).strip()


def _position_for_new(text: str, node: _Node) -> int:
    """After the last entry, or before ``_transit`` where there is none."""
    entries = [value for name, value in node.pairs or () if name.text != METADATA]
    if entries:
        return _line_end(text, _content_end(text, entries[-1]))
    return _line_start(text, node.start)


def _block(content: Mapping[str, Any], indent: str) -> str:
    lines = ""
    for name, value in content.items():
        if isinstance(value, Mapping):
            lines += f"{indent}{name}:\n{_block(value, indent + '  ')}" if value else f"{indent}{name}: {{}}\n"
        else:
            lines += f"{indent}{name}: {value}\n"
    return lines


def _in_place_of(text: str, node: _Node, new: str) -> str:
    """The new value in the quotes of the old one."""
    quote = text[node.start]
    return quote + new + quote if quote in "'\"" else new


def _on_its_own_line(text: str, position: int, new: str) -> str:
    return new if position == _line_start(text, position) else "\n" + new


def _content_end(text: str, node: _Node) -> int:
    """Where its own text ends: the parser counts blank lines and comments after it as well."""
    if node.pairs and not node.flow:
        return _content_end(text, node.pairs[-1][1])
    return node.start + len(text[node.start : node.end].rstrip())


def _before_spaces(text: str, position: int) -> int:
    while text[position - 1 : position] == " ":
        position -= 1
    return position


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


def _line_end(text: str, position: int) -> int:
    return text.find("\n", position) + 1 or len(text)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        missing = True
    else:
        missing = False
    if missing:
        raise LibraryMissing("PyYAML")
    return yaml
