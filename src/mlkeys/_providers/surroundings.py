# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What stands around a secret that has no recognisable form of its own: its provider's name, and the name of a key."""

from __future__ import annotations

#: How far before a secret its provider's name may begin, in characters, and how far before a name a secret may begin.
FARTHEST, FARTHEST_BEHIND = 290, 140

_COLOUR = r"(?:\x1b|\\e|\\033|\\x1[bB]|\\u001[bB]|\^\[)\[[0-9;]{0,12}m"
# Of a text in a program. Some languages have letters before it.
_LETTERS_OF_TEXTS = r"(?:[@$]|[bBfFrRuU]{1,2}#{0,3})"
_QUOTE = rf"{_LETTERS_OF_TEXTS}?[\"'`]{{1,3}}"
# Anything within a paragraph.
_NEARBY = r"(?:(?!\n[ \t\r]*\n)[\s\S]){0,80}?"
_LINE = r"\r?\n[ \t]*[^\s][^\n]{0,120}"
_KEY = (
    r"(?i:key|token|secret|login|client|bearer|(?<=[_.-])pat|(?<=[a-z_-])(?:key|token)s)(?:_?[0-9]|_?(?i:b64|base64))?"
    r"(?![A-Za-z])"
)
# The names of keys that have no provider in them.
_ONLY_KEY = r"(?i:(?:(?:x|xi)-)?(?:api|auth|access)?[-_. ]?(?:key|token)|authorization)"
# A text of YAML on the lines below its name.
_BLOCK = r"(?:[>|][-+0-9]{0,2}[ \t]{0,4}(?:#[^\n]{0,120})?\r?\n[ \t]{0,40})"
_IS = rf"[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}{_BLOCK}?[\"']?"
_PLACE = rf"[\"']?(?i:value|default){_IS}"
_TYPE = r"[ \t]{0,4}:[ \t]{0,4}[&A-Za-z'][A-Za-z0-9_.,<>|&?'\[\] \t]{0,40}?"
# With the value as the first argument, or behind the name of an argument.
_CALL = (
    r"(?:[A-Za-z_][A-Za-z0-9_.:]{0,40}\(\s{0,40}(?:[^\n\"'`()]{0,80},\s{0,40})?"
    r"(?:[A-Za-z_][A-Za-z0-9_]{0,30}[ \t]{0,2}=[ \t]{0,2}(?:lambda:[ \t]{0,2})?)?)"
)
_ACCESSORS = r"[ \t]{0,4}\{[ \t]{0,4}get;[^}\n]{0,30}\}"
# A value that counts where another one is missing, as in shells and Compose.
_INSTEAD = r"(?:\$\{[A-Za-z_][A-Za-z0-9_]{0,60}:?[-=][\"']?)"
_OTHERWISE = (
    # os.getenv("NAME") or "KEY", env.NAME ?? "KEY", env["NAME"] if set else "KEY"
    rf"[^\n]{{0,60}}?[ \t)\]](?:or|else|\|\||\?\?|\?:)\s{{1,40}}{_QUOTE}",
    # .unwrap_or("KEY"), .orElse("KEY"), | default("KEY"), | default "KEY"
    (
        r"[^\n]{0,60}?[.|][ \t]?(?i:(?:[a-z_]{0,12}or_?)?(?:else|default)[a-z_]{0,10}|unwrap_or|or)"
        rf"(?:\([^\n\"'`]{{0,20}}|[ \t]){_QUOTE}"
    ),
)
_ASSIGNED = (
    rf"[^\nA-Za-z0-9]{{1,8}}(?:(?<=[ \t(=,:\[{{]){_LETTERS_OF_TEXTS}[\"'`]{{1,3}})?",
    (
        r"[\"']?,?(?:[ \t]{0,40}\r?\n(?:[ \t]{0,40}#[^\n]{0,120}\r?\n){0,3})?[ \t]{0,40}[\"']?"
        rf"(?i:value){_IS}"
    ),
    rf"[^\nA-Za-z0-9]{{0,8}}{_INSTEAD}",
    *_OTHERWISE,
    rf"(?:[^\nA-Za-z0-9]{{0,8}}{_COLOUR}){{1,3}}[^\nA-Za-z0-9]{{0,8}}",
    # The value is on the next line, after a sign that says so.
    r"[^\nA-Za-z0-9]{0,16}[>|(\[{\\,=+-][ \t]{0,4}\r?\n[ \t]{0,40}[\"'`]?",
    # The value is alone on the next line, as YAML allows.
    r"[\"']?:[ \t]{0,4}\r?\n[ \t]{0,40}(?:- )?[\"']?",
    # A name with a type, a property of C#, a value in a call.
    rf"(?:{_TYPE}|{_ACCESSORS})?[ \t]{{0,20}}:?=[ \t]{{0,20}}{_CALL}?{_QUOTE}",
    # An argument of argparse, a variable of Terraform and of GitLab.
    rf"[\"'][^\n]{{0,80}}(?:{_LINE}){{0,4}}?(?:,|\r?\n)[ \t]{{0,40}}{_PLACE}",
    rf"[\"']?:[ \t]*(?:{_LINE}){{0,3}}?\r?\n[ \t]+{_PLACE}",
    # A property list, and XML.
    r"</(?:key|name)>\s{0,40}<(?:string|value)>",
    r"[ \t]is:?[ \t]{1,4}[\"'`]?",
)
_ONLY_ASSIGNED = (
    rf"[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}{_BLOCK}?(?:{_QUOTE})?{_INSTEAD}?(?:(?i:bearer|token)[ \t]{{1,4}})?"
)
_BULLET = r"(?:(?:-H|--header)[ =])?[-*{ ]{0,3}"
_CLIENT = r"(?:(?i:key|client|credential|init|completion)[A-Za-z]{0,20}(?:[Vv]?[0-9])?|::new)"
_BEFORE = (
    rf"{_NEARBY}{_KEY}(?:{'|'.join(_ASSIGNED)})",
    # Further lines, of which the last one begins with the name of a key.
    rf"[^\n]{{0,120}}(?:{_LINE}){{0,7}}?\r?\n[ \t]{{0,40}}{_BULLET}[\"']?{_ONLY_KEY}{_ONLY_ASSIGNED}",
    # The entry of a host in .netrc.
    r"[^\n]{0,40}\s{1,20}(?:login[ \t]+\S{1,40}\s{1,20})?password[ \t]{1,20}",
    # What makes a client in a program.
    rf"{_NEARBY}{_CLIENT}\(\s{{0,20}}(?:[\"'][^\"'\n]{{0,100}}[\"'],\s{{0,20}}){{0,2}}{_QUOTE}",
)
_BETWEEN = (
    r"(?![A-Za-z0-9_])[^\n]{0,60}?(?:\r?\n[ \t]*(?!- )(?=\S)[^\n]{0,40}?)?"
    r"(?i:model|provider|name|url|base|endpoint|https?:|client|(?<![a-z])host[\"']?[ \t]{0,4}:)[^\n]{0,30}?"
)


def after(near: str, value: str) -> str:
    """An expression for a value after a name and the name of a key."""
    return f"(?i:{near}){BEHIND_A_NAME}{value}"


#: From a name to a secret.
BEHIND_A_NAME = f"(?:{'|'.join(_BEFORE)})"
#: Something of it. What has nothing of it is not worth a search.
IN_BETWEEN = ("key", "token", "secret", "login", "client", "bearer", "password", "credential", "authorization", "init",
              "completion", "new", "_pat", "-pat", ".pat")  # fmt: skip
#: The end of what is before a secret whose provider is named behind it.
ITS_KEY = rf"(?:(?<![A-Za-z0-9_-]){_ONLY_KEY}{_ONLY_ASSIGNED})\Z"
#: From such a secret to a name.
BEFORE_A_NAME = _BETWEEN
#: The two for a value that has its name behind it in an object of JSON.
ITS_VALUE = r"[\"']value[\"'][ \t]*:[ \t]*[\"']\Z"
BEFORE_ITS_NAME = r"[\"'],?\s{0,40}[\"'](?:name|key)[\"'][ \t]*:[ \t]*[\"'][A-Za-z0-9_-]{0,20}"
#: From one secret of a list to the next.
NEXT_OF_LIST = r"[\"'`],\s{0,40}[\"'`]"
#: From a name to a secret in the next column.
NEXT_COLUMN = r"[\"']?[,;\t][\"']?"
#: The same in Markdown and other tables with lines between the columns, of which some are not for keys.
NEXT_CELL = r"[^|\n]{0,30}\|(?:[^|\n]{0,40}\|){0,3}[ \t]{0,40}[\"'`]?"
#: In the first line of a table: what the secrets are called.
HEADING = r"(?<![a-z])(?:api[-_ ]?)?(?:keys?|token|secret)(?![a-z])"
#: From a name to the secret that a client of this name gets.
OWN_CLIENT = r"(?i:ai)?\(\s{0,20}[\"'`]"
#: From a name to its value, in a mapping of secrets.
ITS_ENTRY = r"[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?"
#: From the name of such a mapping to one of its names.
OF_SECRETS = (
    r"(?<![A-Za-z])(?i:api[-_ ]?keys?|keys|tokens|secrets|credentials|stringdata)[\"']?[ \t]{0,4}[:=][ \t]{0,4}[{\[]?"
    r"(?:\s{0,40}(?:- )?[\"']?[A-Za-z0-9_.-]{1,40}[\"']?[ \t]{0,8}[:=][ \t]{0,8}[^\s{}]{1,200}){0,12}"
    r"\s{0,40}(?:- )?[\"']?\Z"
)
#: How much before a name is enough for that of its mapping.
FARTHEST_MAPPING = 600
