# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The rules in files of users, in the format of gitleaks.

What is not understood is refused: it would find nothing. What gitleaks does and this does not is named.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mlkeys._providers.allowances import allowances_in, tables_in
from mlkeys._providers.go_expressions import for_python
from mlkeys._providers.key_patterns import Form, form_of, ident_of

#: Gives the text of a file that another one extends.
Read = Callable[[str], str]
#: Takes a sentence about a part of a file that has no effect here.
Warn = Callable[[str], object]

_TABLES = {"title", "description", "extend", "rules", "allowlist", "allowlists", "minVersion"}
_OF_RULES = {
    *("id", "description", "regex", "path", "entropy", "secretGroup", "keywords", "tags", "allowlist", "allowlists"),
    *("required", "skipReport"),
    *("marks", "near", "sign", "glue", "prefixes", "anywhere", "inside", "row", "random"),
    *("provider", "source", "date", "variable"),
}
_OF_EXTENDS = {"path", "useDefault", "disabledRules", "url"}
# A file that extends itself has no end.
_DEEPEST = 5


def forms_in(text: str, read: Read, warn: Warn) -> list[Form]:
    """The forms of the text of a file, and of those that it extends.

    Raises:
        ValueError: it is not TOML, or as for `forms_of`.
    """
    return forms_of(_loaded(text), read, warn)


def forms_of(content: Mapping[str, Any], read: Read, warn: Warn) -> list[Form]:
    """The forms of a loaded file.

    Raises:
        ValueError: it has no rules, one is incomplete or has an unknown part, or its expression is not one of Python's.
    """
    whole = _extended(content, read, _DEEPEST)
    general = list(allowances_in(whole))
    found = [_checked(rule, general) for rule in whole["rules"] if _is_for_contents(rule)]
    for sentence in dict.fromkeys(_without_effect(whole)):
        warn(sentence)
    if not found:
        raise ValueError("it has no rules for the contents of files: [[rules]] with an id and a regex")
    return found


def _without_effect(whole: Mapping[str, Any]) -> Iterator[str]:
    """What gitleaks does with a file and this does not."""
    if whole["extend"].get("useDefault"):
        yield "extend.useDefault has no effect, nor has disabledRules for these rules: the rules of mlkeys always count"
    if any(one.get("commits") for one in tables_in(whole)):
        yield "commits of an allowlist has no effect"
    for rule in whole["rules"]:
        ident = ident_of(rule)
        if not rule.get("regex"):
            yield f"rule {ident} has no effect: it is only about the names of files"
        if rule.get("required"):
            yield f"required of rule {ident} has no effect: the rule finds what it matches without the others, too"
        if any(one.get("commits") for one in tables_in(rule)):
            yield f"commits of an allowlist of rule {ident} has no effect"


def _loaded(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _extended(content: Mapping[str, Any], read: Read, depth: int) -> dict[str, Any]:
    """A file with the rules and allowlists of the file that it extends."""
    _known(content, _TABLES, "it")
    rules = _rules(content)
    for rule in rules:
        _known(rule, _OF_RULES, f"rule {ident_of(rule)}")
    extend = content.get("extend", {})
    if not isinstance(extend, Mapping):
        raise ValueError("extend must be a table")
    _known(extend, _OF_EXTENDS, "extend")
    if extend.get("url"):
        raise ValueError("extend.url is not supported: download the file, and extend it by its path")
    # The rules that gitleaks has by default are not those of this package, which are searched for in any case.
    if not extend.get("path"):
        return {**content, "rules": rules, "extend": extend}
    if not depth:
        raise ValueError("it extends too many files, one from another")
    base = _extended(_loaded(read(str(extend["path"]))), read, depth - 1)
    disabled = extend.get("disabledRules", [])
    merged = {ident_of(rule): rule for rule in base["rules"] if ident_of(rule) not in disabled}
    for rule in rules:
        merged[ident_of(rule)] = _merged(merged.get(ident_of(rule), {}), rule)
    return {**content, "rules": [*merged.values()], "allowlists": [*_allowlists(base), *_allowlists(content)],
            "allowlist": {}, "extend": {**base["extend"], **extend}}  # fmt: skip


def _merged(base: Mapping[str, Any], rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """A rule that changes one of the file that it extends."""
    if not base:
        return rule
    lists = [*_allowlists(base), *_allowlists(rule)]
    keywords = [*base.get("keywords", []), *rule.get("keywords", [])]
    return {**base, **rule, "keywords": keywords, "allowlist": {}, "allowlists": lists}


def _allowlists(table: Mapping[str, Any]) -> list[Any]:
    given = table.get("allowlists", [])
    own = table.get("allowlist")
    return [*(given if isinstance(given, list) else [given]), *([own] if own else [])]


def _known(table: Mapping[str, Any], names: set[str], what: str) -> None:
    for name in table:
        if name not in names:
            raise ValueError(f"{what} has an unknown part: {name}")


def _rules(content: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    rules = content.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("rules must be tables: [[rules]]")
    return rules


def _is_for_contents(rule: Mapping[str, Any]) -> bool:
    """Whether it is about more than the names of files.

    Raises:
        ValueError: it is about nothing.
    """
    if rule.get("regex"):
        return not rule.get("skipReport")
    if rule.get("path"):
        return False
    raise ValueError(f"rule {ident_of(rule)} has no regex")


def _checked(rule: Mapping[str, Any], general: Sequence[tuple[Mapping[str, Any], Any]]) -> Form:
    ident = ident_of(rule)
    own = [allowance for _table, allowance in allowances_in(rule)]
    own += [allowance for table, allowance in general if ident in table.get("targetRules", [ident])]
    form = form_of(rule, for_python(str(rule["regex"])), tuple(own), ident)
    try:
        form.is_signed("")
        list(form.spans(""))
        re.compile("|".join(form.marks))
    except (re.error, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"the expression of rule {ident} cannot be read: {error}") from None
    if form.group > form.groups:
        raise ValueError(f"rule {ident} has the secretGroup {form.group}, but its regex has {form.groups} groups")
    return form
