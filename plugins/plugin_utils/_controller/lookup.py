# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect Ansible's lookups and vars plugins: options in, results or one AnsibleError out. **Private**."""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any, Callable, List, Mapping, Sequence, TypeVar, Union

from ansible.errors import AnsibleError
from ansible.module_utils.basic import missing_required_lib
from ansible.utils.display import Display
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.answers import Beside
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    LibraryMissing,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS, settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.operations import Operations
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.sealed import Sealed, decrypted_each
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import entries_beside
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.whole_files import Decrypt

display = Display()

Result = TypeVar("Result")
_Ask = Callable[[Client, Sequence[Sealed], Sequence[Sealed]], List[Union[bytes, str]]]


def connection_options(get_option: Callable[[str], Any]) -> dict[str, Any]:
    """A plugin's options for connection and authentication."""
    return {option.name: get_option(option.name) for option in OPTIONS}


def server_asked(options: Mapping[str, Any]) -> str:
    """Which server is asked, as a sentence; nothing where the settings name none."""
    try:
        connection = settings_from(options, os.environ).connection
    except InvalidOption:
        return ""
    return messages.asked(connection.addresses, connection.namespace)


def connected(options: Mapping[str, Any]) -> Client:
    """A client of the run's session.

    Raises:
        TransitError: there is none.
    """
    return run_sessions().client(settings_from(options, os.environ), display.warning)


def run(options: Mapping[str, Any], work: Callable[[Client], Result]) -> Result:
    """The result of ``work``, with a client of the run's session.

    Raises:
        AnsibleError: anything failed. Its message holds no value.
    """
    return plainly(lambda: work(connected(options)))


def decrypting(options: Mapping[str, Any], *, keep: bool = True, base: str = "") -> Decrypt:
    """Decrypts entries, each of them once in a run if its logins are shared. Invalid options are its errors.

    Args:
        keep: whether the answers are kept in memory, for whatever asks the same.
        base: the folder of the playbook, whose other files of the same key go into the same request.
    """

    def decrypt(wanted: Sequence[Sealed]) -> list[bytes | str]:
        if not keep:
            return decrypted_each(connected(options), wanted)
        beside = functools.partial(entries_beside, base, *wanted[0][:2]) if base else tuple
        return _asked_once(options, decrypted_each, wanted, beside)

    return decrypt


def decrypting_items(options: Mapping[str, Any]) -> Callable[[str, str, Sequence[Item]], Sequence[bytes | str]]:
    """The same for items of a key, given the engine and the key. Reasons are those of single values."""

    def decrypt(backend: str, key: str, items: Sequence[Item]) -> Sequence[bytes | str]:
        return _asked_once(options, opened_each, [Sealed(backend, key, item) for item in items])

    return decrypt


def _asked_once(
    options: Mapping[str, Any], ask: _Ask, wanted: Sequence[Sealed], beside: Beside = tuple
) -> list[bytes | str]:
    """What the server answers, which is asked once for each in a run that shares its logins."""
    return run_sessions().answers(settings_from(options, os.environ), display.warning, ask, wanted, beside)


def opened_each(client: Client, wanted: Sequence[Sealed], _beside: Sequence[Sealed] = ()) -> list[bytes | str]:
    """What items of one key decrypt to, in one request."""
    backend, key, _item = wanted[0]
    answers = Operations(client, backend).many("decrypt", key, [one.item for one in wanted], {})
    return [answer.problem or answer.value for answer in answers]


def plainly(work: Callable[[], Result]) -> Result:
    """The result of ``work``.

    Raises:
        AnsibleError: anything failed. Its message holds no value.
    """
    try:
        return work()
    except LibraryMissing as error:
        raise AnsibleError(f"{missing_required_lib(error.library)}.{error.remedy}") from None
    except TransitError as error:
        raise AnsibleError(error.message) from None


def report(message: str, term_errors: str) -> None:
    """Report terms that failed, which the user allows: as a warning, or in the log alone."""
    if term_errors == "warn":
        display.warning(message)
    else:
        display.display(message, log_only=True)


# The functions of ansible-core that call a lookup: before 2.19, and since.
_CALLERS = ("_lookup", "_invoke_lookup")


def errors_given() -> str:
    """What a template says with Ansible's own ``errors`` about the lookup whose ``run`` calls this; else ``strict``.

    Ansible does not pass it on: it would answer one term that fails with nothing at all. So it is read where Ansible
    keeps it. Where it is not found, Ansible's own treatment remains.
    """
    frame = inspect.currentframe()
    for _back in range(2):
        frame = frame.f_back if frame is not None else None
    if frame is None or frame.f_code.co_name not in _CALLERS:
        return "strict"
    found = frame.f_locals.get("errors")
    return found if found in ("ignore", "warn") else "strict"
