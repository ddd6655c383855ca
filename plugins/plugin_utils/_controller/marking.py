# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mark texts that Ansible may evaluate as templates, or has encrypted. **Private** to the collection."""

from __future__ import annotations

import functools
import json
from typing import Any, Mapping

from ansible import template as ansible_template
from ansible.errors import AnsibleError

# New in ansible-core 2.19.
_trust = getattr(ansible_template, "trust_as_template", None)


def marked(text: str, template: bool) -> Any:
    """The text, marked as a template or as plain text.

    Since ansible-core 2.19 a text is a template only if it is marked, before that unless it is marked.
    """
    if _trust is not None:
        return _trust(text) if template else text
    from ansible.utils.unsafe_proxy import wrap_var

    return text if template else wrap_var(text)


def undefined(hint: str) -> Any:
    """A variable that is undefined, with the hint as the error of whatever uses it."""
    if _trust is None:
        return _undefined_object()(hint, exc=AnsibleError)
    # As a string of JSON, the hint is a literal of Jinja, whatever it contains.
    return marked("{{ undef(hint=" + json.dumps(hint) + ") }}", template=True)


@functools.lru_cache(maxsize=None)
def _undefined_object() -> Any:
    """The class of variables that are undefined, before ansible-core 2.19.

    There, ``vars`` returns what a variable holds, and ``hostvars`` returns a template whose variables are undefined:
    both would be the text of a template. This is not text. Whatever uses it fails with an error that ``hostvars`` does
    not treat as an undefined variable, also in a template of another variable. ``default`` and ``is defined`` know it
    by its class.
    """
    features = {
        # What makes a text of it, such as JSON, fails with its error. So does a value of ansible-vault.
        "__ENCRYPTED__": True,
        # Ansible shows a dictionary as text so.
        "__repr__": _as_text,
        "__deepcopy__": _itself,
        "__reduce__": _made_again,
    }
    return type("Undecrypted", (ansible_template.AnsibleUndefined,), features)


def _as_text(variable: Any) -> str:
    return str(variable)


def _itself(variable: Any, _memo: Any) -> Any:
    return variable


def _made_again(variable: Any) -> tuple[Any, ...]:
    return undefined, (variable._undefined_hint,)  # noqa: SLF001  Jinja documents it


def as_in_any_file(value: Any) -> Any:
    """A value of a vars file with all of its texts marked as templates, as Ansible marks what it reads itself."""
    if isinstance(value, str):
        return marked(value, template=True)
    if isinstance(value, dict):
        return {name: as_in_any_file(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_in_any_file(inner) for inner in value]
    return value


def as_no_template(value: Any) -> Any:
    """A value none of whose texts is a template, whatever it contains."""
    if isinstance(value, str):
        return marked(value, template=False)
    if isinstance(value, dict):
        return {name: as_no_template(inner) for name, inner in value.items()}
    return [as_no_template(inner) for inner in value] if isinstance(value, list) else value


def decrypted(value: Any) -> Any:
    """The same value with ansible-vault's encrypted values as text.

    Ansible before 2.19 passes objects that decrypt themselves but are not text.
    """
    if isinstance(value, Mapping):
        return {name: decrypted(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [decrypted(inner) for inner in value]
    return str(value) if getattr(value, "__ENCRYPTED__", False) else value
