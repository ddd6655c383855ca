# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of files with ciphertexts of all kinds, at random: contexts, keys, forms, links, and what cannot be read."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tests.e2e.fleets import HOSTS, KEY, VALUES, Fleet
from tests.support import ciphertext_forms

#: How a file holds a ciphertext, and how it is read out of the file again.
Form = tuple[Callable[[str, str], bytes], Callable[[bytes], str]]


@dataclass(frozen=True)
class Held:
    """A ciphertext that decrypts, and where it is."""

    path: Path
    read: Callable[[bytes], str]
    value: str
    key: str
    context: str
    data: str

    def decrypts(self, fleet: Fleet) -> bool:
        more = {"associated_data": self.data} if self.data else {}
        text = self.read(self.path.read_bytes())
        return fleet.decrypt(text, self.context, self.key, **more) == self.value


def _text(content: bytes) -> str:
    return content.decode().split("'")[1]


def _escaped(text: str) -> str:
    return text.replace("/", "\\/").replace("+", "\\u002b").replace(":", "\\u003a").replace("=", "\\u003d")


def _folded(text: str) -> str:
    return "\n".join(f"  {text[place : place + 40]}" for place in range(0, len(text), 40))


def _unfolded(content: bytes) -> str:
    [value] = yaml.safe_load(content).values()
    return str(value).replace(" ", "")


FORMS: dict[str, Form] = {
    "env": (lambda name, text: f"# x\n{name}='{text}'\n".encode(), _text),
    "large": (lambda name, text: b"#" * 3_000_000 + f"\n{name}='{text}'\n".encode(), _text),
    "json": (
        lambda name, text: f'{{"{name}": "{_escaped(text)}"}}\n'.encode(),
        lambda content: str(next(iter(json.loads(content).values()))),
    ),
    "url": (
        lambda name, text: f"https://x/?{name}={urllib.parse.quote(text, safe='')}\n".encode(),
        lambda content: urllib.parse.unquote(content.decode().strip().rpartition("=")[2]),
    ),
    "base64": (
        lambda name, text: json.dumps({"data": {name: base64.b64encode(text.encode()).decode()}}).encode(),
        lambda content: base64.b64decode(next(iter(json.loads(content)["data"].values()))).decode(),
    ),
    "folded": (lambda name, text: f"{name}: >-\n{_folded(text)}\n".encode(), _unfolded),
    "binary": (
        lambda name, text: b"SQLite format 3\0" + f"{name}='{text}'".encode() + b"\0",
        _text,
    ),
    "utf-16": (
        lambda name, text: f"{name}='{text}'\n".encode("utf-16"),
        lambda content: content.decode("utf-16").split("'")[1],
    ),
    "gzip": (
        lambda name, text: gzip.compress(f"{name}='{text}'\n".encode()),
        lambda content: _text(gzip.decompress(content)),
    ),
}


def _without_name(form: ciphertext_forms.Form) -> Form:
    return lambda _name, text: form.write(text, len(text)).encode(), lambda content: form.read(content.decode())


#: With the forms that have a name of their own for what they hold.
ALL_FORMS: dict[str, Form] = {
    **FORMS,
    **{f"{name}, without a name": _without_name(form) for name, form in ciphertext_forms.FORMS.items()},
}
_FOLDERS = ("", "etc", "etc/deep/er", "linked")


class Tree:
    """What was put on the hosts of a fleet."""

    def __init__(self, fleet: Fleet, seed: int, number: int = 40) -> None:
        self._fleet = fleet
        self._random = random.Random(seed)  # noqa: S311  nothing secret
        for name, derived in (("theirs", False), ("theirs-derived", True)):
            fleet.bao.done("POST", f"{fleet.mount}/keys/{name}", {"derived": derived})
        self.held = [self._hold(place) for place in range(number)]
        self._link()
        self._odd()

    def _hold(self, number: int) -> Held:
        value = f"sk-canary-{number}"
        key, context, data, name = self._owner(number)
        more = {"associated_data": data} if data else {}
        text = self._fleet.encrypt(value, context, key, **more)
        form = self._random.choice(sorted(ALL_FORMS))
        write, read = ALL_FORMS[form]
        path = self._folder().resolve() / f"{number}.{form}"
        path.write_bytes(write(name, text))
        return Held(path, read, value, key, context, data)

    def _owner(self, number: int) -> tuple[str, str, str, str]:
        """Key, context, associated data, and what the file calls it."""
        known = self._random.choice(sorted(VALUES))
        return self._random.choice(
            [
                (KEY, known, "", known.upper()),
                (KEY, known, "", "UNNAMED"),
                (KEY, f"own_{number}", "", f"own_{number}"),
                (KEY, f"OWN-{number}", "", f"OWN-{number}"),
                (KEY, f"tenant-{number}", "", "SESSION"),
                (KEY, known, "tenant", known),
                ("theirs", "", "", known),
                ("theirs-derived", known, "", "X"),
                ("theirs-derived", f"nobody-{number}", "", "X"),
            ]
        )

    def _folder(self) -> Path:
        host = self._fleet.folder / self._random.choice(HOSTS)
        name = self._random.choice(_FOLDERS)
        folder = host / name
        if name == "linked" and not folder.exists():
            target = self._fleet.folder / f"elsewhere-of-{host.name}"
            target.mkdir()
            folder.symlink_to(target)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _link(self) -> None:
        """Other names for some of the files: links, and names as good as the first."""
        for number, one in enumerate(self._random.sample(self.held, 4)):
            path = self._folder().resolve() / f"link-{number}"
            if number % 2:
                path.symlink_to(one.path)
            else:
                path.hardlink_to(one.path)
                self.held.append(replace(one, path=path))

    def _odd(self) -> None:
        for name in self._random.sample(("dangling", "pipe", "loop", "plain.bin", "unreadable"), 3):
            path = self._folder() / name
            if name == "dangling":
                path.symlink_to("nowhere")
            elif name == "pipe":
                os.mkfifo(path)
            elif name == "loop":
                path.symlink_to(path.parent)
            elif name == "unreadable":
                path.symlink_to("/proc/1/mem")
            else:
                path.write_bytes(bytes(range(256)))

    def lost(self) -> list[str]:
        """Where ciphertexts are that do not decrypt any more."""
        return [str(one.path) for one in self.held if not one.decrypts(self._fleet)]
