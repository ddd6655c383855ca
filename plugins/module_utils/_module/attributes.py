# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Owner, group, mode and SELinux context of files that modules write. **Private** to the collection.

The options are those of ``ansible.builtin.files`` and mean the same. But they are applied through the file's
descriptor, where Ansible goes by its path, which somebody else may redirect.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Protocol

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.attributes import Attributes
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File, Folder


@dataclass(frozen=True)
class AttributeChange:
    """What the options make of a file's attributes.

    Attributes:
        wanted: those that are asked for and that the file does not have.
        before: the diff's left side, ``after`` its right side. A new file shows none.
        asked: those that are asked for. Another file in its place gets all of them.
    """

    wanted: Attributes
    asked: Attributes
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


class Place(Protocol):
    """A file or a folder, which need not exist."""

    @property
    def path(self) -> str: ...

    @property
    def folder(self) -> Folder: ...

    @property
    def status(self) -> os.stat_result | None: ...

    def label(self) -> str | None: ...


def attribute_change(
    module: AnsibleModule,
    file: Place,
    options: Mapping[str, Any],
    *,
    changed: bool = False,
    new: int = stat.S_IFREG | 0o666,
) -> AttributeChange:
    """Compare what the options ask for with what the file has.

    Args:
        changed: whether the run has changed something before.
        new: kind and mode of a new one, of which the process may take bits away.

    Raises:
        InvalidOption: the options make no sense.
    """
    try:
        return _compared(module, file, options, new)
    except InvalidOption as error:
        error.changed = changed
        raise


def known_accounts(module: AnsibleModule, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The options, in check mode without an owner and a group that an earlier task may create, and those two."""
    unknown: dict[str, str] = {}
    exists: dict[str, Callable[[str], Any]] = {"owner": pwd.getpwnam, "group": grp.getgrnam}
    for name, find in exists.items() if module.check_mode else ():
        given = options[name]
        try:
            if given is not None and not given.isdigit():
                find(given)
        except KeyError:
            unknown[name] = given
    return {name: None if name in unknown else value for name, value in options.items()}, unknown


def _compared(module: AnsibleModule, file: Place, options: Mapping[str, Any], new: int) -> AttributeChange:
    asked = module.load_file_common_arguments({**options, "path": file.path})
    if asked.get("attributes") is not None and not file.folder.is_ours:
        raise InvalidOption(f"{file.path}: attributes cannot be set in a folder that others may write to.")
    given = Attributes(
        _number(asked["owner"], "user", lambda name: pwd.getpwnam(name).pw_uid),
        _number(asked["group"], "group", lambda name: grp.getgrnam(name).gr_gid),
        _mode(module, asked["mode"], file.status, new),
        _label(module, asked["secontext"], file),
    )
    if file.status is None:
        return AttributeChange(given, given)
    had = Attributes(file.status.st_uid, file.status.st_gid, stat.S_IMODE(file.status.st_mode), file.label())
    names = [name for name in _SHOWN if getattr(given, name) not in (None, getattr(had, name))]
    return AttributeChange(
        Attributes(**{name: getattr(given, name) for name in names}),
        given,
        {_SHOWN[name][0]: _SHOWN[name][1](getattr(had, name)) for name in names},
        {_SHOWN[name][0]: _SHOWN[name][1](getattr(given, name)) for name in names},
    )


# What they are called in a diff, and how they are written there, as by Ansible itself.
_SHOWN: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "label": ("secontext", lambda label: (label or "").split(":", 3)),
    "uid": ("owner", int),
    "gid": ("group", int),
    "mode": ("mode", "0{:03o}".format),
}


def set_flags(module: AnsibleModule, file: File, options: Mapping[str, Any], *, changed: bool) -> bool:
    """Apply the option ``attributes``, for which there is a program only, and return whether anything has changed.

    In a folder of others `attribute_change` has refused it.
    """
    if options.get("attributes") is None:
        return changed
    return bool(module.set_attributes_if_different(file.path, options["attributes"], changed))


def _number(asked: Any, what: str, by_name: Callable[[str], int]) -> int | None:
    if asked is None:
        return None
    with contextlib.suppress(ValueError):
        return int(asked)
    with contextlib.suppress(KeyError):
        return by_name(str(asked))
    raise InvalidOption(f"There is no {what} '{asked}' on this machine.")


def _mode(module: AnsibleModule, asked: Any, status: os.stat_result | None, new: int) -> int | None:
    if asked is None:
        return None
    try:
        mode = asked if isinstance(asked, int) else int(asked, 8)
    except ValueError:
        mode = _symbolic_mode(module, str(asked), status, new)
    if mode != stat.S_IMODE(mode):
        raise InvalidOption(f"mode: {asked} holds more than permissions.")
    return mode


def _symbolic_mode(module: AnsibleModule, asked: str, status: os.stat_result | None, new: int) -> int:
    if status is None:
        # What the letters add to or take from is the mode that a new one has by default.
        umask = os.umask(0)
        os.umask(umask)
        status = os.stat_result((new & ~umask, *(0,) * 9))
    with contextlib.suppress(ValueError):
        # Ansible has no public name for it.
        return int(module._symbolic_mode_to_octal(status, asked))  # noqa: SLF001
    raise InvalidOption(f"mode: '{asked}' is neither an octal number nor a symbolic mode such as u=rw,g=r.")


def _label(module: AnsibleModule, asked: list[str | None], file: Place) -> str | None:
    """The SELinux context that the file should have, ``None`` where there is none or nothing asks for one."""
    if not module.selinux_enabled() or module.is_special_selinux_path(file.path)[0]:
        return None
    had = file.label()
    parts = had.split(":", 3) if had else list(module.selinux_default_context(file.path))
    merged = [given or part for given, part in zip([*asked, *[None] * len(parts)], parts)]
    return ":".join(merged) if all(merged) else None
