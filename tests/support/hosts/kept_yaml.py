# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of Python in the environments of tests: keeps what Ansible reads from YAML of its own.

Each of its processes reads its settings, its table of renamed modules and the documentation of some thirty plugins,
which is a fifth of the time of a short one. This keeps them next to the bytecode, and nothing that users write.
"""

from __future__ import annotations

import _frozen_importlib_external
import _imp
import contextlib
import marshal
import os
import sys
from typing import Any

_FOLDER = f"{os.path.dirname(__file__)}/kept-bytecode"  # noqa: PTH120  pathlib is slow
_functions: dict[str, Any] = vars(_frozen_importlib_external)
_VERSION = _functions["_RAW_MAGIC_NUMBER"]


class _OfYaml:
    """Finds the package `yaml`, and changes its function `load`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "yaml":
            return None
        sys.meta_path.remove(self)
        spec: Any = _functions["PathFinder"].find_spec(name, path, target)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                module.load = _keeping(module.load)

            spec.loader.exec_module = exec_module
        return spec


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
    file = f"{_FOLDER}/{_imp.source_hash(_VERSION, key).hex()}{len(key):x}.yaml"
    with contextlib.suppress(OSError, EOFError, ValueError), open(file, "rb") as kept:  # noqa: PTH123
        return form.loads(kept.read())
    made = make()
    with contextlib.suppress(OSError, ValueError):
        data = form.dumps(made)
        new = f"{file}.{os.urandom(8).hex()}"
        with open(new, "wb") as kept:  # noqa: PTH123
            kept.write(data)
        os.replace(new, file)  # noqa: PTH105
    return made


sys.meta_path.insert(0, _OfYaml())
