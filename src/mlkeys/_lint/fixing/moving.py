# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which of the secrets in a text can become references to a variable, and the text with these references."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from mlkeys._lint.findings import Finding
from mlkeys._lint.fixing.expressions import reason_in_template, reason_in_value
from mlkeys._lint.fixing.file_kinds import (
    ANSIBLE,
    COMPOSE,
    DOTENV,
    ENVIRONMENT,
    INVENTORY,
    LITELLM,
    OF_ANSIBLE,
    TEMPLATE,
    is_as_it_is,
    is_of_ansible,
    kind_of,
)
from mlkeys._lint.fixing.inventories import needs_quotes, reason_in_inventory
from mlkeys._lint.fixing.loading import Loading
from mlkeys._lint.scalars import Scalar, quote_for, scalar_at, scalars_in
from mlkeys._lint.secrets import Found, found_in
from mlkeys._providers.key_patterns import PRIVATE_KEY, Form, Patterns
from mlkeys._shared._yaml.words import is_reserved
from mlkeys._shared.names import VARIABLE_NAME
from mlkeys._shared.vars_files import METADATA

_YAML = (ANSIBLE, LITELLM, COMPOSE)
_NOT_REPLACED = ("!unsafe", "!vault", "!vault-encrypted")

_PROMPTS = "vars_prompt"

# A line of an .env file whose value is a secret and nothing else, before and behind it.
_VARIABLE = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Z_][A-Z0-9_]*)[ \t]*=[ \t]*([\"']?)\Z")
_VARIABLE_ENDS = re.compile(r"([\"']?)[ \t]*(?:#.*)?\r?\Z")

_MANIFEST = re.compile(r"^[ \t]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?(?:Secret|List)\b", re.MULTILINE)
_IMPORT = "move it with mlkeys import"
_IN_PROGRAMS = "let the program read an environment variable, and start it with mlkeys run"
#: What to do instead, by the ending of a file.
_ADVICE = {
    ".json": "JSON has no references; let the program read it at its start, from mlkeys run or mlkeys.runtime",
    ".ipynb": f"delete it from the notebook, whose outputs may contain it, too; {_IN_PROGRAMS}",
    ".py": f"{_IN_PROGRAMS}, or use mlkeys.runtime",
    **dict.fromkeys((".js", ".ts", ".go", ".rb", ".java", ".rs", ".sh", ".bash", ".ps1"), _IN_PROGRAMS),
    **dict.fromkeys(
        (".yml", ".yaml", ".toml", ".ini", ".cfg", ".conf", ".properties"),
        "let the program read an environment variable, or make the file a template of Ansible (.j2)",
    ),
    **dict.fromkeys((".tf", ".tfvars"), "use a variable that is marked as sensitive, and set it by mlkeys run"),
}

# What stands before a value: its name, and how it is assigned.
_ASSIGNED = re.compile(
    r"([A-Za-z_][\w-]*)[\"']?[ \t]*(?:=|:(?=[ \t\"']))[ \t]*(?:[!&]\S+[ \t]+)*[\"']?(?:(?i:bearer|token)[ \t]+)?\Z"
)
_VALUE_BEGINS = re.compile(r"(?::|(?:^|[ \t])-)[ \t]+\Z")
_GENERIC = {
    *("api_key", "apikey", "api_token", "auth", "authorization", "bearer", "credential", "default", "environment"),
    *("key", "master_key", "msg", "password", "secret", "token", "value"),
}
_UNSUITABLE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Move:
    """A secret that becomes the value of a variable, and the words that refer to it in its place.

    Attributes:
        quoted: where the value begins and ends that has to get quotation marks, and which ones.
    """

    variable: str
    secret: str = field(repr=False)
    line: int
    start: int
    end: int
    reference: str
    quoted: tuple[int, int, str] | None = None


@dataclass(frozen=True)
class Moves:
    """What can be moved out of a text, the line and the reason of what cannot, and what to know about what can."""

    done: tuple[Move, ...]
    left: tuple[tuple[int, str], ...]
    about: str = ""

    def text(self, before: str) -> str:
        """The text with references."""
        edits = {(move.start, move.end, move.reference) for move in self.done}
        for start, end, mark in {move.quoted for move in self.done if move.quoted}:
            edits |= {(start, start, mark), (end, end, mark)}
        for start, end, words in sorted(edits, reverse=True):
            before = before[:start] + words + before[end:]
        return before


def moves_in(
    text: str,
    path: str,
    patterns: Patterns,
    known: Mapping[str, str],
    taken: Container[str],
    allowed: Container[Finding],
    loading: Loading | None = None,
    reserved: Container[str] = (),
) -> Moves:
    """
    Args:
        known: the secrets that variables already stand for.
        taken: names that stand for another secret in the file that they move to.
        allowed: the findings that are to stay.
        loading: what is known about the file that they move to.
        reserved: names that are used for something else, which no secret may get that can have another.
    """
    kind = kind_of(text, path)
    loaded = loading if loading and is_of_ansible(kind) else Loading()
    names = {secret: variable for variable, secret in known.items() if is_of_ansible(kind) == _is_prefixed(variable)}
    done: list[Move] = []
    left: list[tuple[int, str]] = []
    for one, found, scalar in _placed(text, path, kind, patterns):
        if one in allowed or any(move.start <= found.start < move.end for move in done):
            continue
        reason = _reason(text, path, kind, found, scalar) or loaded.reason
        if not reason and kind == DOTENV and loading and loading.named_by:
            reason = _GIVEN.format(file=loading.named_by)
        own = _own_name(text, kind, found, scalar)
        if not reason and own:
            reason = _taken(own, found.secret, {**known, **variables(done)}, taken)
            reason = reason or (_again(text, own) if kind == DOTENV else "")
            names[found.secret] = own
        if reason:
            left.append((one.line, reason))
            continue
        if found.secret not in names:
            used = {*known, *names.values()}
            names[found.secret] = _free(_name(text, kind, found), (used, taken, reserved))
        done.append(_move(text, kind, one, found, scalar, names[found.secret]))
    return Moves(tuple(sorted(done, key=lambda move: move.start)), tuple(sorted(left)), loaded.about)


_GIVEN = (
    "{file} names this file in env_file:, by which a service gets no variable of mlkeys run; list the variable under "
    "environment: there"
)

# No place in a file of YAML.
_NOT_YAML = Scalar(-1, -1, "")


def _placed(text: str, path: str, kind: str, patterns: Patterns) -> Iterator[tuple[Finding, Found, Scalar | None]]:
    """The secrets and the YAML texts that contain them; None for a comment. LiteLLM only replaces such texts."""
    scalars = scalars_in(text) if kind in _YAML else None
    for one, found in found_in(text, path, patterns):
        if scalars is None:
            yield one, found, _NOT_YAML
            continue
        scalar = scalar_at(scalars, found.start, found.end)
        if scalar is not None and kind == LITELLM and scalar.value == text[scalar.start : scalar.end]:
            yield one, replace(found, secret=scalar.value, start=scalar.start, end=scalar.end), scalar
        elif scalar is not None and kind == ANSIBLE and found.form.kind == PRIVATE_KEY and _is_a_key(scalar.value):
            start, end = scalar.whole
            yield one, replace(found, secret=scalar.value, start=start, end=end), scalar
        else:
            yield one, found, scalar


def _is_a_key(value: str) -> bool:
    """Whether a text is a private key and nothing else, of which a finding is only the beginning."""
    begins, ends = value.strip().startswith("-----BEGIN "), value.strip().endswith("-----")
    return begins and ends and value.count("-----BEGIN ") == 1


def _is_prefixed(variable: str) -> bool:
    return variable.startswith(OF_ANSIBLE)


def _taken(variable: str, secret: str, known: Mapping[str, str], taken: Container[str]) -> str:
    """Why a variable of an .env file cannot be stored under its own name, by which `mlkeys run` sets it again."""
    if variable in taken or known.get(variable, secret) != secret:
        return f"there is another secret {variable}; rename one of them"
    return f"{variable} is reserved in vars files; rename it" if variable == METADATA or is_reserved(variable) else ""


def _again(text: str, variable: str) -> str:
    """Why a variable stays that several lines of an .env file assign: a line that is left would hide the new value."""
    name = variable.upper()
    lines = re.findall(rf"^[ \t]*(?:export[ \t]+)?[\"']?{re.escape(name)}[\"']?[ \t]*=", text, re.MULTILINE)
    return f"{name} is assigned several times; keep one of the lines" if len(lines) > 1 else ""


def _reason(text: str, path: str, kind: str, found: Found, scalar: Scalar | None) -> str:
    """Why a secret stays, and what to do; empty if it can be moved."""
    before, behind = _line(text, found)
    if found.form.kind == PRIVATE_KEY and (scalar is None or found.secret != scalar.value):
        return "a private key has several lines; use mlkeys import file"
    if not kind and path.endswith((".yml", ".yaml", ".json")) and _MANIFEST.search(text):
        return f"a manifest of Kubernetes has no references; {_IMPORT} kubernetes"
    if found.encoded:
        return "it is encoded"
    if not kind and is_as_it_is(path.split("/")[:-1], path.rpartition("/")[2]):
        return "Ansible replaces nothing in this file; make it a template (templates/, .j2)"
    if not kind:
        ending = path[path.rfind(".") :] if "." in path.rpartition("/")[2] else ""
        return _ADVICE.get(ending, "this kind of file has no known reference to a variable")
    if kind == DOTENV:
        return _reason_of_variable(before, behind)
    if kind == TEMPLATE:
        return reason_in_template(text, found.start)
    if kind == INVENTORY:
        return reason_in_inventory(text, found.start, before, behind)
    return _reason_in_yaml(text, kind, found, scalar) if kind in _YAML and scalar is not None else ""


def _reason_in_yaml(text: str, kind: str, found: Found, scalar: Scalar) -> str:
    if scalar is _NOT_YAML:
        return "the file is not YAML"
    if scalar.is_name:
        return "it is in the name of a value"
    if kind == ANSIBLE and scalar.tag in _NOT_REPLACED:
        return "Ansible replaces nothing in this value"
    if kind == ANSIBLE and _PROMPTS in scalar.path:
        return "Ansible asks for it before it loads variables; write the name of a variable under vars: by hand"
    if kind == ANSIBLE and (reason := reason_in_value(text, scalar, found.start)):
        return reason
    if kind == LITELLM and scalar.is_item:
        return "LiteLLM replaces nothing in lists"
    if kind == LITELLM and scalar.value != found.secret:
        return "LiteLLM replaces whole values only"
    if _needs_quotes(kind, found, scalar) and not quote_for(text, scalar):
        return "its value is not quoted, but contains quotation marks"
    return ""


def _needs_quotes(kind: str, found: Found, scalar: Scalar) -> bool:
    """Whether a brace is a part of YAML there: at the beginning of a plain text, and anywhere between braces."""
    braces = kind in (ANSIBLE, COMPOSE)
    return braces and not scalar.style and (scalar.flow or (kind == ANSIBLE and scalar.start == found.start))


def _reason_of_variable(before: str, behind: str) -> str:
    if before.lstrip().startswith("#"):
        return "it is in a comment; delete the line"
    begins, ends = _VARIABLE.match(before), _VARIABLE_ENDS.match(behind)
    if begins is None or ends is None or begins.group(2) != ends.group(1):
        return f"it is not the whole value of a variable in capitals; {_IMPORT} dotenv"
    return ""


def _line(text: str, found: Found) -> tuple[str, str]:
    """What is before and behind a secret on its line."""
    end = text.find("\n", found.end)
    return text[text.rfind("\n", 0, found.start) + 1 : found.start], text[found.end : end if end >= 0 else len(text)]


def _move(text: str, kind: str, one: Finding, found: Found, scalar: Scalar | None, variable: str) -> Move:
    before, behind = _line(text, found)
    if kind == DOTENV:
        # A comment on the line stays.
        ends = _VARIABLE_ENDS.match(behind)
        end = found.end + (len(ends.group(1)) if ends else 0)
        reference = f"# {variable.upper()} is set by mlkeys run"
        return Move(variable, found.secret, one.line, found.start - len(before), end, reference)
    quoted = None
    if kind == COMPOSE:
        reference = f"${{{variable.upper()}}}"
    elif kind == LITELLM:
        reference = f"os.environ/{variable.upper()}"
    else:
        reference = f"{{{{ {variable} }}}}"
        # A comment that becomes a value gets one.
        value_of_comment = kind == ANSIBLE and scalar is None and _VALUE_BEGINS.search(before)
        is_word = kind == INVENTORY and needs_quotes(text, found.start, before)
        if value_of_comment or is_word or found.form.kind == PRIVATE_KEY:
            reference = f'"{reference}"'
    if scalar is not None and found.form.kind != PRIVATE_KEY and _needs_quotes(kind, found, scalar):
        quoted = (scalar.start, scalar.end, quote_for(text, scalar))
    return Move(variable, found.secret, one.line, found.start, found.end, reference, quoted)


def _own_name(text: str, kind: str, found: Found, scalar: Scalar | None) -> str:
    """The name that a secret has to keep; empty if it may have another one."""
    variable = _VARIABLE.match(_line(text, found)[0]) if kind == DOTENV else None
    if variable:
        return variable.group(1).lower()
    # LiteLLM prefers a variable of its environment to the value that its file has for the same name.
    is_variable = kind == LITELLM and scalar is not None and scalar.path == (ENVIRONMENT,)
    return scalar.key.lower() if is_variable and scalar is not None and VARIABLE_NAME.fullmatch(scalar.key) else ""


def _name(text: str, kind: str, found: Found) -> str:
    assigned = _ASSIGNED.search(_line(text, found)[0])
    own = _UNSUITABLE.sub("_", assigned.group(1).lower()).strip("_") if assigned else ""
    name = own if own and own not in _GENERIC else _name_of_kind(found.form, own, found.secret)
    if is_of_ansible(kind):
        # In a vars file, a variable that refers to one of the same name has no value.
        return f"{OF_ANSIBLE}{name}"
    return f"key_{name}" if name[:1].isdigit() or is_reserved(name) else name


def _name_of_kind(form: Form, own: str, secret: str) -> str:
    """The name that is usual for a kind of secret, or for a longer text with one."""
    issuer = _UNSUITABLE.sub("_", form.provider.lower()).strip("_")
    usual = form.variable or (f"{issuer}_api_key" if issuer not in ("", "several") else "api_key")
    # Such as a header.
    return f"{usual}_{own or 'value'}" if secret.strip().partition(" ")[2] else usual


def _free(name: str, used: Sequence[Container[str]]) -> str:
    def is_used(one: str) -> bool:
        return any(one in names for names in used)

    numbered = (f"{name}_{number}" for number in count(2))
    return name if not is_used(name) else next(one for one in numbered if not is_used(one))


def variables(moves: Sequence[Move]) -> dict[str, str]:
    """The secrets by variable."""
    return {move.variable: move.secret for move in moves}
