# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The modules that find and replace ciphertexts on a host, which needs nothing but Python. **Private**."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from typing import Any, BinaryIO, Dict, Iterator, Mapping, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import (
    DANGLING,
    FAILED,
    LARGE,
    MISSING,
    NOT_SEARCHED,
    Bookmark,
    FileResult,
    Unread,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import (
    Replacements,
    RewriteError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import (
    Rewritten,
    Spots,
    rewrite,
    splice,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import scan_file
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.walk import Places, Walk, walk
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._module.flushing import Flusher
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import ending
from ansible_collections.mlkeys.transit.plugins.module_utils._module.obstacles import Obstacles, unwritable
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import reached, write_error
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import (
    ChangedMeanwhile,
    File,
    NewFile,
    is_temporary,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import as_utf8

INFO = "vault_transit_ciphertext_info"
REWRAP = "vault_transit_rewrap"

# This many ciphertexts at a time keep the memory of a run small, however many there are. With twice as many the
# allocator of Python no longer finds room for a part where the one before it was: memory grows with each part.
AT_ONCE = 10000

# A file that others rewrite at the same time is tried again this many times.
_ATTEMPTS = 5

# The states of a ciphertext in results.
STATES = ("current", "behind", "too old", "foreign", "unknown")


def _search_spec() -> Spec:
    """The options that set where to search."""
    return {
        "paths": {"type": "list", "elements": "str", "required": True},
        "optional_paths": {"type": "list", "elements": "str", "default": []},
        "patterns": {"type": "list", "elements": "str", "default": ["*"]},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "max_bytes": {"type": "int"},
    }


def _origin_spec() -> Spec:
    """The options that set whose ciphertexts they are."""
    return {
        **backend_spec(),
        "key": {"type": "str", "no_log": False},
        "contexts": {"type": "list", "elements": "str", "default": []},
        "vars_files": {"type": "list", "elements": "str", "default": []},
        "documents": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "kv_mount": {"type": "str", "default": "secret"},
                "kv_path": {"type": "str", "required": True},
            },
        },
        "key_version": {"type": "int", "default": 0, "no_log": False},
        "other_backends": {"type": "list", "elements": "str", "default": []},
    }


def info_spec() -> Spec:
    """The options of ``vault_transit_ciphertext_info``."""
    return {
        **connection_spec(),
        **_search_spec(),
        **_origin_spec(),
        "keys": {
            "type": "list",
            "elements": "dict",
            "no_log": False,
            "options": {"name": {"type": "str", "required": True}, "backend": {"type": "str"}},
        },
        "report_documents": {"type": "bool", "default": False},
        "states": {"type": "list", "elements": "str", "choices": list(STATES)},
        "after": {"type": "json"},
    }


def rewrap_spec() -> Spec:
    """The options of ``vault_transit_rewrap``."""
    return {
        **connection_spec(),
        **_search_spec(),
        **_origin_spec(),
        "limit": {"type": "int"},
        "replace": {"type": "list", "elements": "str", "default": []},
        "replacements": {"type": "dict", "default": {}},
        "strict": {"type": "bool", "default": False},
        "texts": {"type": "json", "default": "{}"},
        "fingerprints": {"type": "json", "default": "{}"},
        "parts": {"type": "json", "default": "{}"},
    }


State = Dict[str, Any]


def _end(module: AnsibleModule, **result: Any) -> None:
    """End with a result that Ansible leaves as it is.

    Ansible replaces what looks like one of its secrets in results, and a short one may be part of a ciphertext. These
    modules use none: what they are given of connection and authentication is left out of the result.
    """
    module.no_log_values.clear()
    given = {name: module.params[name] for name in _search_spec()}
    module.exit_json(invocation={"module_args": given}, **result)


@ending
def run_search(module: AnsibleModule) -> None:
    """Report the ciphertexts in files, a part of them at a time."""
    # Ansible's folder for this run, which holds the arguments. The public attribute makes one if there is none.
    own = getattr(module, "_tmpdir", None)
    places = _walked(module.params, [own] if own else [])
    found = _part(places, json.loads(module.params["after"] or "{}"), module.params["max_bytes"])
    _end(module, changed=False, **found)


def _walked(options: Mapping[str, Any], own: Sequence[str]) -> Walk:
    """
    Args:
        own: folders of the run itself.

    Raises:
        InvalidOption: a path that is not a pattern does not exist.
    """
    paths = [os.path.expanduser(path) for path in options["paths"]]
    further = [os.path.expanduser(path) for path in options["optional_paths"]]
    places = [*paths, *filter(_may_exist, further)]
    found = walk(Places(places, options["patterns"] or ("*",), options["exclude"] or (), own))
    missing = [one.path for one in found.unread if one.kind in (MISSING, DANGLING) and one.path in paths]
    if missing:
        raise InvalidOption(f"paths: {', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist.")
    return found


def _may_exist(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # The search names it.
        return True
    return True


def _part(places: Walk, after: Mapping[str, Any], largest: int | None) -> dict[str, Any]:
    """The ciphertexts in the files from a place on, and the place where to go on if more are left.

    They are one JSON text: Ansible inspects each value of results and arguments, which would take longer than the
    search itself.

    Args:
        after: ``path``, the last file of the part before, and where its search ended.
    """
    paths = [path for path in places.files if not is_temporary(os.path.basename(path))]
    found: list[tuple[str, list[tuple[Any, ...]]]] = []
    number = 0
    digests: dict[str, str] = {}
    unread = [] if after else list(_unread(places))
    last: State = {}
    obstacles = Obstacles(places)
    for seen, path in enumerate(paths):
        if after and (path < after["path"] or (path == after["path"] and not after["bookmark"])):
            continue
        if number >= AT_ONCE:
            return {**_rows(found, digests, unread), "seen": seen, "files": len(paths), "after": json.dumps(last)}
        went_on = after if after and path == after["path"] else {}
        state = _state(path)
        result = _named(_searched(path, went_on, state, largest, AT_ONCE - number))
        if result.found:
            found.append((result.path, _found(result, obstacles.of(path))))
            number += len(result.found)
        if result.digest:
            digests[path] = result.digest
        if result.unread is not None:
            unread.append(result.unread)
        last = {"path": path, "bookmark": result.bookmark and result.bookmark.as_result(), "state": state}
        if result.bookmark is not None:
            return {**_rows(found, digests, unread), "seen": seen, "files": len(paths), "after": json.dumps(last)}
    # Not `skipped`: a result with that name is a task that Ansible skipped.
    left_out = dict(places.skipped)
    return {**_rows(found, digests, unread), "seen": len(paths), "files": len(paths), "left_out": left_out}


def _searched(path: str, after: Mapping[str, Any], state: Sequence[int], largest: int | None, most: int) -> FileResult:
    if after and list(state) != list(after["state"]):
        return FileResult(path, (), Unread(path, "it changed while it was read", FAILED))
    if largest is not None and state and state[0] > largest:
        return FileResult(path, (), Unread(path, f"larger than max_bytes ({largest})", LARGE))
    return scan_file(path, most=most, bookmark=Bookmark.from_result(after["bookmark"]) if after else None)


def _state(path: str) -> list[int]:
    """What changes with a file's content."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return [status.st_size, status.st_mtime_ns, status.st_ino]
    return []


def _unread(places: Walk) -> Iterator[Unread]:
    """What could not be read on the way to the files, but for what a run on another host has just put in place."""
    for one in places.unread:
        if not is_temporary(os.path.basename(one.path)):
            yield replace(one, path=as_utf8(one.path))


def _named(result: FileResult) -> FileResult:
    """The same, without ciphertexts that no result can name, since the name of the file is not text."""
    name = as_utf8(result.path)
    if name == result.path:
        return result
    unread = result.unread and replace(result.unread, path=name)
    if result.found:
        unread = Unread(name, "its name is not UTF-8, and it holds ciphertexts", FAILED)
    return FileResult(name, (), unread, result.bookmark)


def _found(result: FileResult, obstacle: str) -> list[tuple[Any, ...]]:
    """What `found_in` of the action reads. Rows without names take half the time.

    Args:
        obstacle: why nothing in the file can be replaced, empty if it can.
    """
    if obstacle:
        return [(*one._replace(problem=one.problem or obstacle), -1) for one in result.found]
    offsets = result.offsets or (-1,) * len(result.found)
    return [(*one, offset) for one, offset in zip(result.found, offsets)]


def _rows(found: Sequence[Any], digests: Mapping[str, str], unread: Sequence[Unread]) -> dict[str, Any]:
    return {
        "ciphertexts": json.dumps(found),
        "digests": json.dumps(digests),
        "unread": [one.as_result() for one in unread if one.kind not in NOT_SEARCHED],
        "not_searched": [one.as_result() for one in unread if one.kind in NOT_SEARCHED],
    }


@ending
def run_replacing(module: AnsibleModule) -> None:
    """Replace ciphertexts by others in the files at the option ``paths``. Each file is replaced in one step.

    The option ``parts`` has for a path where the part of the file begins and ends to which the ciphertexts belong, or
    where the ciphertexts are.
    """
    replaced: dict[str, int] = {}
    problems: dict[str, str] = {}
    moved: dict[str, Any] = {}
    texts = Replacements({})
    parts: dict[str, Any] = json.loads(module.params["parts"])
    paths: list[str] = module.params["paths"]
    try:
        texts = Replacements(json.loads(module.params["texts"]), json.loads(module.params["fingerprints"]))
    except RewriteError as error:
        problems = dict.fromkeys(paths, error.args[0])
        paths = []
    with Flusher() as flusher:
        for path in paths:
            part = parts.get(path) or {}
            try:
                done = _replaced(path, texts, part, flusher, dry_run=module.check_mode)
            except RewriteError as error:
                problems[path] = error.args[0]
                continue
            if done.total:
                replaced[path] = done.total
            if done.end is not None:
                place = done.end if done.total and not module.check_mode else Bookmark.from_result(part["end"])
                moved[path] = {"path": path, "bookmark": place.as_result(), "state": _state(path)}
        _flush(flusher)
    _end(module, changed=bool(replaced), replaced=replaced, problems=problems, moved=json.dumps(moved))


def _flush(flusher: Flusher) -> None:
    try:
        flusher.flush()
    except OSError as error:
        raise write_error(str(error.filename), error, changed=True) from None


def _replaced(path: str, texts: Replacements, part: Mapping[str, Any], flusher: Flusher, *, dry_run: bool) -> Rewritten:
    """Replace ciphertexts in one file.

    Raises:
        RewriteError: it cannot be rewritten, and is as it was. Others can.
    """
    # Another run, or another host with the same file system, may be first. This one finds what is left to do.
    reason = "it keeps being changed by somebody else"
    for _attempt in range(_ATTEMPTS):
        try:
            return _replaced_once(path, texts, part, flusher, dry_run=dry_run)
        except ChangedMeanwhile:
            continue
        except OSError as error:
            reason = unwritable(error)
            break
    raise RewriteError(reason)


def _replaced_once(
    path: str, texts: Replacements, part: Mapping[str, Any], flusher: Flusher, *, dry_run: bool
) -> Rewritten:
    with contextlib.ExitStack() as opened:
        file = reached(opened, path, dry_run=dry_run)
        done = _rewritten(file, texts, part, dry_run=dry_run)
        if done.total and not dry_run:
            flusher.add(file.folder)
        return done


def _rewritten(file: File, texts: Replacements, part: Mapping[str, Any], *, dry_run: bool) -> Rewritten:
    with file.stream() as source:
        if dry_run:
            with open(os.devnull, "wb") as nowhere:
                return _written(source, nowhere, texts, part)
        with NewFile(file.folder) as new:
            with new.stream() as target:
                done = _written(source, target, texts, part)
            if done.total:
                new.take(file)
                # Its folder is flushed when all files of the folder are in place.
                new.place(file, flush=False)
            return done


def _written(source: BinaryIO, target: BinaryIO, texts: Replacements, part: Mapping[str, Any]) -> Rewritten:
    """Write a copy with other ciphertexts, at the places where they were found or wherever they are now."""
    done = splice(source, target, texts, Spots.from_result(part["spots"])) if part.get("spots") else None
    if done is not None:
        return done
    source.seek(0)
    begin, end = (Bookmark.from_result(part[name]) if part.get(name) else None for name in ("begin", "end"))
    return rewrite(source, target, texts, begin=begin, end=end)
