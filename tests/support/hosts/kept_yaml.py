# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of Python in the environments of tests: keeps what Ansible reads from YAML of its own.

Each of its processes reads its settings, its table of renamed modules and the documentation of some thirty plugins,
which is a fifth of the time of a short one. This keeps them next to the bytecode, and nothing that users write.
"""

from __future__ import annotations

import marshal
from typing import Any

kept: Any = __import__("kept")


def _change(module: Any) -> None:
    module.load = _keeping(module.load)


def _keeping(load: Any) -> Any:
    def load_once(stream: Any, Loader: Any) -> Any:  # noqa: N803  the name that callers use
        kind = Loader.__name__
        if kind == "CBaseLoader" and isinstance(stream, bytes):
            return _kept(stream, marshal, lambda: load(stream, Loader))
        if kind == "CSafeLoader" and str(getattr(stream, "name", "")).endswith("ansible/config/base.yml'"):
            text = stream.read()
            return _kept(text, marshal, lambda: load(text, Loader))
        if kind == "AnsibleLoader" and type(stream).__name__ == "_AnsibleTaggedStr" and _is_documentation(stream):
            import pickle

            from ansible.release import __version__

            return _kept(pickle.dumps((__version__, stream)), pickle, lambda: load(stream, Loader))
        return load(stream, Loader)

    return load_once


def _is_documentation(text: Any) -> bool:
    """Whether it is a text in a file of Python, of which Ansible notes the path with the text."""
    from ansible._internal._datatag._tags import Origin

    origin = Origin.get_tag(text)
    return origin is not None and str(origin.path).endswith(".py")


def _kept(key: bytes, form: Any, make: Any) -> Any:
    file = kept.file_of(key, "yaml")
    made = kept.read(file, form)
    if made is None:
        made = make()
        kept.write(file, made, form)
    return made


kept.after_import("yaml", _change)
