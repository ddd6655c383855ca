# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The environment that Ansible runs in: made for each run, so that the settings of your shell change no result.

Callbacks, formats, strategies and logs of the shell would change what a run reports, and what it leaves on disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

#: Settings that say how to find and reach hosts, the server, the collection and encrypted files.
_KEPT = re.compile(
    r"ANSIBLE_(?:"
    r"HASHI_VAULT_\w+|COLLECTIONS_PATHS?|COLLECTIONS_SCAN_SYS_PATH|HOME|LOCAL_TEMP|REMOTE_TE?MP|ROLES_PATH|GALAXY_\w+"
    r"|VAULT_\w+|PRIVATE_KEY_FILE|REMOTE_USER|REMOTE_PORT|ASK_PASS|ASK_VAULT_PASS|TRANSPORT|TIMEOUT|FORKS|PIPELINING"
    r"|HOST_KEY_CHECKING|(?:SSH|SCP|SFTP|PARAMIKO|LIBSSH|CONNECTION|PERSISTENT|LOCAL|SU|SUDO|BECOME)_\w+|BECOME"
    r"|PYTHON_INTERPRETER|INTERPRETER_\w+|LOCALHOST_WARNING|USE_PERSISTENT_CONNECTIONS|SYSTEM_TMPDIRS|EXECUTABLE"
    r")"
)
#: What else an inventory of people needs: its own configuration, plugins and rules.
_KEPT_FOR_PEOPLE = re.compile(
    r"ANSIBLE_(?:"
    r"CONFIG|HASH_BEHAVIOU?R|VARS_ENABLED|VARS_PLUGIN_STAGE|RUN_VARS_PLUGINS|PRECEDENCE|JINJA2_\w+|INVENTORY_\w+"
    r"|(?:ACTION|BECOME|CACHE|CLICONF|CONNECTION|DOC_FRAGMENT|FILTER|HTTPAPI|INVENTORY|LOOKUP|NETCONF|TERMINAL|TEST"
    r"|VARS)_PLUGINS|LIBRARY|MODULE_UTILS|YAML_FILENAME_EXT"
    r")"
)
_MADE = {
    "ANSIBLE_CALLBACKS_ENABLED": "mlkeys.transit.report,mlkeys.transit.session",
    # Callbacks in the folders of the user and of the machine may need no enabling, and get all results. This has none.
    "ANSIBLE_CALLBACK_PLUGINS": os.devnull,
    "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
    "ANSIBLE_STRATEGY": "ansible.builtin.linear",
    "ANSIBLE_STRATEGY_PLUGINS": os.devnull,
    "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.memory",
    # An empty path would be the working directory.
    "ANSIBLE_LOG_PATH": os.devnull,
    "ANSIBLE_RETRY_FILES_ENABLED": "0",
    "ANSIBLE_KEEP_REMOTE_FILES": "0",
    "ANSIBLE_ENABLE_TASK_DEBUGGER": "0",
    "ANSIBLE_DEBUG": "0",
    "ANSIBLE_VERBOSITY": "0",
    "ANSIBLE_NOCOWS": "1",
}
#: An inventory that cannot be read would be left out with a warning, and its hosts looked at by nobody.
_COMPLETE = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}
#: Of our own playbooks, tasks that changed nothing say nothing: an account or a table follows. Ansible then shows the
#: name of a task together with its result, which would hide what a deployment waits for.
_BRIEF = {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0", "ANSIBLE_DISPLAY_OK_HOSTS": "0"}


def environment(environ: Mapping[str, str], *, coloured: bool, generated: bool, brief: bool = False) -> dict[str, str]:
    """The environment of a run.

    Args:
        environ: the variables of this process, and those that the run gets besides.
        coloured: whether the output goes to a terminal.
        generated: whether the project is generated: its own configuration counts, and no other.
        brief: whether to show only the tasks that change something or fail.
    """

    def wanted(name: str) -> bool:
        if name.startswith("JUNIT_"):
            return False
        if not name.startswith("ANSIBLE_"):
            return True
        kept_for_people = not generated and _KEPT_FOR_PEOPLE.fullmatch(name) is not None
        return kept_for_people or _KEPT.fullmatch(name) is not None

    kept = {name: value for name, value in environ.items() if wanted(name)}
    # Ansible writes to a pipe, but its output may end on a terminal.
    colour = "ANSIBLE_FORCE_COLOR" if coloured and not environ.get("NO_COLOR") else "ANSIBLE_NOCOLOR"
    # Your shell may ask for more: that changes no result.
    shown = {name: environ.get(name, value) for name, value in _BRIEF.items()} if brief else {}
    return {**_COMPLETE, **kept, **_MADE, **shown, colour: "1"}
