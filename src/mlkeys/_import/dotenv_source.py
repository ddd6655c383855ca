# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`.env` files."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._import.comments import commented_lines
from mlkeys._import.names import of_variable
from mlkeys._import.values import NOTHING, TEXT, WITH_NUL, Value

if TYPE_CHECKING:
    from dotenv.parser import Binding

#: References that secret managers and gateways replace, such as op://vault/item/field or vault:path#field,
#: and values that are encrypted already.
STORED = (
    r"\A\s*(?:op|vault|bao|bws|doppler|infisical|akv|awssm|gcpsm|secretref|keyring|ref\+[a-z0-9]+)://"
    r"|\A\s*vault:\S|\A\s*secretref:|\A\s*arn:aws[a-z-]*:(?:secretsmanager|ssm):"
    r"|\A\s*projects/[^/\s]+/secrets/|\A\s*os\.environ/"
    r"|\A\s*@Microsoft\.KeyVault\(|\A\s*(?:sm://|aws-sm:|ssm:/)|\A\s*op\s+read\s"
    # What SOPS, dotenvx, Ansible Vault, age and PGP encrypted; Transit's begins like a reference.
    r"|\A\s*(?:ENC\[|encrypted:|\$ANSIBLE_VAULT;|-----BEGIN (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----)"
    # As `op inject` and templates have them.
    r"|\{\{[^{}]*\}\}"
)
_OF_SHELLS = r"\$[(A-Za-z_]|`[^`]+`"
#: Shells and readers of such files also replace ${NAME}, $NAME, $(command) and `command`.
REFERENCE = re.compile(rf"\$\{{|{_OF_SHELLS}|{STORED}")
#: Readers of such files replace ${NAME} even between apostrophes, where shells replace nothing.
REFERENCE_ANYWHERE = re.compile(rf"\$\{{|{STORED}")
#: Where readers replace nothing: what stands for something else as a whole, and templates.
STANDS_FOR = re.compile(
    rf"{STORED}|\{{%.*?%\}}|\A\s*(?:\$[A-Z_][A-Z0-9_]*|\$\{{[A-Za-z_]\w*[^{{}}]*\}}|\$\(.*\)|`[^`]+`)\s*\Z", re.DOTALL
)
_REPLACED = re.compile(_OF_SHELLS)
_LITERAL = re.compile(r"[^=]*=[ \t]*'")
# Behind quotes, and behind a blank.
_BEHIND = re.compile(
    r"""[^=]*=[ \t]*(?:(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*")[ \t]*(\#.*)?|[^'"\s#].*?(?:\s+(\#.*))?|\s*(?:\#.*)?)"""
)

# What begins such a file, behind comments.
_FIRST = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_.]*[ \t]*=")
_NOT_ASSIGNED = "is not an assignment (NAME=value), or quotation marks do not enclose its whole value"


def is_dotenv(text: str) -> bool:
    """Whether a text looks like such a file."""
    return _FIRST.match(text) is not None


def dotenv_values(text: str, _path: str, *, in_shell: bool = False) -> list[Value]:
    """The variables of a `.env` file. Of a name that is assigned several times, the last value counts.

    Args:
        in_shell: whether what a shell replaces is a reference, in values that are not between apostrophes.

    Raises:
        MlkeysError: python-dotenv is not installed.
    """
    if importlib.util.find_spec("dotenv") is None:
        raise MlkeysError("python-dotenv is not installed beside mlkeys: pip install 'mlkeys[ansible]'")
    from dotenv.parser import parse_stream

    bindings = [binding for binding in parse_stream(io.StringIO(text)) if binding.error or binding.key is not None]
    last = {binding.key: binding for binding in bindings}
    values = [
        Value((f"line_{_line(binding)}",), "", line=_line(binding), problem=_NOT_ASSIGNED)
        if binding.error
        else of_variable(
            Value(
                (),
                binding.value or "",
                NOTHING if binding.value is None else TEXT,
                _line(binding),
                replaced=binding is not last[binding.key],
                reference=in_shell and _is_replaced(binding),
                problem=WITH_NUL if "\0" in (binding.value or "") else "",
            ),
            str(binding.key),
        )
        for binding in bindings
    ]
    inside = {line for binding in bindings for line in _more_lines(binding)}
    return commented_lines(values, text, inside, {_line(one): _comment(one) for one in bindings if not one.error})


def _comment(binding: Binding) -> str:
    """The comment behind a value; empty for none."""
    found = _BEHIND.fullmatch(binding.original.string.strip())
    return (found[1] or found[2] or "").lstrip("#").strip() if found else ""


def _is_replaced(binding: Binding) -> bool:
    """Whether a shell would replace a part of the value."""
    return _REPLACED.search(binding.value or "") is not None and not _LITERAL.match(binding.original.string)


def _more_lines(binding: Binding) -> Iterable[int]:
    """The lines that a value continues on."""
    line = _line(binding)
    return range(line + 1, line + 1 + binding.original.string.strip().count("\n"))


def _line(binding: Binding) -> int:
    """The line of the assignment itself. python-dotenv counts the blank lines above it as part of it."""
    original = binding.original
    blank = len(original.string) - len(original.string.lstrip())
    return original.line + original.string[:blank].count("\n")
