# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Data as a file that programs read: how each value is quoted, whatever writes the file. Pure.

There are three writers. Ansible knows each value. A template of the Python package knows the text around the values
that Ansible inserts later. An agent on a host decrypts: `agent_code` is template code that quotes the plaintext.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional

from ._yaml.words import is_plain_key
from .names import VARIABLE_NAME

SHAPES = ("docker_env", "dotenv", "environment_file", "json", "shell", "toml", "yaml")

Leaf = Callable[[Any], Optional[str]]
"""Returns the text that replaces a value, quotes included; ``None`` to write the value itself."""

Literal = Callable[[str], str]
"""Escapes text in the language of the template that is made."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

# Line breaks and the like, which some readers treat as the end of a line, drop or refuse.
_UNSEEN = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff]")

# Code points that will never be characters. systemd refuses them as invalid.
_NONCHARACTERS = re.compile(
    f"[\ufdd0-\ufdef{''.join(chr(end + 0xFFFE) + chr(end + 0xFFFF) for end in range(0, 0x110000, 0x10000))}]"
)


# Variables in which loaders, shells, interpreters and tools find code to run, or the places of it.
_STEERING = re.compile(
    r"(?:LD|DYLD)_\w+|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|OPENSSL_(?:CONF|MODULES|ENGINES)"
    r"|PATH|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|CDPATH|ZDOTDIR|SHELL|EDITOR|VISUAL|PAGER|BROWSER"
    r"|PYTHON(?:PATH|HOME|STARTUP|USERBASE|EXECUTABLE|INSPECT|BREAKPOINT|WARNINGS|PLATLIBDIR|PYCACHEPREFIX)"
    r"|PERL5?(?:LIB|OPT|DB)|RUBY(?:OPT|LIB)|GEM_(?:PATH|HOME)|BUNDLE_GEMFILE|NODE_(?:OPTIONS|PATH)|LUA_\w+"
    r"|_?JAVA_(?:TOOL_)?OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|PHPRC|PHP_INI_SCAN_DIR|DOTNET_STARTUP_HOOKS"
    r"|(?:CORECLR|COR)_(?:ENABLE_)?PROFIL\w+|R_(?:PROFILE|ENVIRON)\w*|R_LIBS\w*"
    r"|GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|PAGER|(?:SEQUENCE_)?EDITOR|ASKPASS|EXEC_PATH|EXTERNAL_DIFF|PROXY_COMMAND)"
    r"|GIT_(?:CONFIG\w*|TEMPLATE_DIR|(?:COMMON_)?DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES)"
    r"|GIT_(?:ATTR_SOURCE|ALLOW_PROTOCOL|TRACE\w*)|S(?:SH|UDO)_ASKPASS|SSH_ASKPASS_REQUIRE|SUDO_EDITOR"
    # Ansible has hundreds, and collections add theirs.
    r"|ANSIBLE_(?!(?:\w+_)?(?:PASS|PASSWORD|PASSPHRASE|TOKEN|SECRET|SECRET_ID|ROLE_ID|API_KEY|ACCESS_KEY|JWT)\Z)\w+"
    r"|TAR_OPTIONS|(?:RSYNC|CVS)_RSH|RSYNC_CONNECT_PROG|SVN_SSH|SVN_EDITOR|HG(?:RCPATH|EDITOR|MERGE)"
    r"|WGETRC|CURL_HOME|ZIPOPT|UNZIP(?:OPT)?|GZIP|XZ_(?:OPT|DEFAULTS)|SCREENRC|TF_CLI_\w+|HELM_PLUGINS|KUBE_EDITOR"
    r"|ERL_(?:[AZ]?FLAGS|\w+_FLAGS|LIBS|INETRC)|ELIXIR_ERL_OPTIONS|JULIA_(?:LOAD_PATH|DEPOT_PATH|PROJECT|EDITOR)"
    r"|GUILE_(?:LOAD|LOAD_COMPILED|EXTENSIONS|SYSTEM|SYSTEM_COMPILED)_PATH|BUN_(?:OPTIONS|INSTALL\w*)|DENO_DIR|UWSGI_\w+"
    r"|HOME|TMPDIR|XDG_\w+|INPUTRC|TERMINFO(?:_DIRS)?|LESS(?:OPEN|CLOSE|EDIT|KEY\w*)?|MANPAGER|SYSTEMD_(?:EDITOR|PAGER)"
    r"|G?VIMINIT|EXINIT|VIMRUNTIME|MYVIMRC|VIM|NVIM_\w+|PSQLRC|PSQL_(?:EDITOR|PAGER)|PGSERVICEFILE|PGSYSCONFDIR"
    r"|PYTEST_(?:ADDOPTS|PLUGINS)|GUNICORN_CMD_ARGS|DJANGO_SETTINGS_MODULE|FLASK_APP|MPLBACKEND|IPYTHONDIR"
    r"|JUPYTER_(?:PATH|CONFIG_\w+)|PIP_(?:INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|CONFIG_FILE|TRUSTED_HOST|CONSTRAINT|PYTHON)"
    r"|UV_(?:DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|CONFIG_FILE|PYTHON)|PERL_(?:MM|MB)_OPT"
    r"|(?:GNU)?MAKEFLAGS|MFLAGS|MAKEFILES|CC|CXX|(?:C|CPP|CXX|LD)FLAGS|COMPILER_PATH|GCC_EXEC_PREFIX"
    r"|RUSTC?(?:_WRAPPER|_WORKSPACE_WRAPPER|FLAGS)?|RUSTDOC(?:FLAGS)?|CARGO(?:_HOME|_ENCODED_RUSTFLAGS|_ALIAS_\w+)?"
    r"|CARGO_(?:BUILD|TARGET)_\w+|GO(?:FLAGS|PROXY|PATH|ROOT|ENV|TOOLCHAIN|SUMDB|NOSUMDB|INSECURE)"
    r"|(?:MAVEN|GRADLE|ANT|SBT|JVM|JAVA|CATALINA)_OPTS|MAVEN_ARGS|JAVA_HOME|(?:NPM_CONFIG|npm_config)_\w+"
    r"|GTK_(?:MODULES|PATH|EXE_PREFIX|IM_MODULE_FILE)|GDK_PIXBUF_MODULE\w*|GIO_(?:EXTRA_MODULES|MODULE_DIR)|QT_\w*PLUGIN\w*"
    r"|KUBECONFIG|DOCKER_(?:HOST|CONFIG)|AWS_(?:CONFIG_FILE|SHARED_CREDENTIALS_FILE)|COMPOSER_HOME|TCLLIBPATH"
)


def steering_problem(name: str) -> str:
    """Why a variable of this name holds no secret, empty where it may.

    Anyone who may store a secret would otherwise decide what code runs with all of them.
    """
    if not _STEERING.fullmatch(name):
        return ""
    return f"{name} decides what code a program runs, so it cannot hold a secret"


class UnsupportedValue(ValueError):
    """The shape cannot hold the data. The text shows names, but no values."""


class _Quotes(NamedTuple):
    """One way to quote a text.

    Attributes:
        replaced: pairs of a text and its replacement, applied in this order.
        unsupported: characters that it cannot hold.
    """

    mark: str
    replaced: tuple[tuple[str, str], ...] = ()
    unsupported: str = ""

    def around(self, text: str) -> str:
        for old, new in self.replaced:
            text = text.replace(old, new)
        return f"{self.mark}{text}{self.mark}"


# The first that can hold the text is used. Single quotes come first: most readers read their content literally.
_QUOTES: dict[str, tuple[_Quotes, ...]] = {
    # By the rules of Docker, which takes a line as it is.
    "docker_env": (_Quotes("", unsupported="\r\n"),),
    # By the rules of python-dotenv, which expands ${NAME:-DEFAULT} in all kinds of quotes. So a default is the way to
    # write a "$" before a brace, and a backslash that does not begin an escape.
    "dotenv": (
        _Quotes("'", (("${", "${:-$}{"),), unsupported="'\\\r"),
        _Quotes('"', (("${", "${:-$}{"), ("\\", "${:-\\\\}"), ('"', '\\"'), ("\r", "\\r"), ("\n", "\\n"))),
    ),
    # By the rules of systemd. A shell reads both the same way.
    "environment_file": (
        _Quotes("'", unsupported="'"),
        _Quotes('"', (("\\", "\\\\"), ('"', '\\"'), ("`", "\\`"), ("$", "\\$"))),
    ),
    "shell": (_Quotes("'", (("'", "'\\''"),)),),
}

# Needs no quotes in any reader: docker's "--env-file" takes everything after the "=" as the value, quotes too. But zsh
# replaces "=ls" by the path of ls, at the beginning and after a ":". Also a regular expression of Go.
_BARE_VALUE = "(?:[A-Za-z0-9_./@%+,-]=*|:)*"
_BARE_SHAPES = ("dotenv", "environment_file")

# Docker reads no longer lines.
_LONGEST_OF_DOCKER = 60_000

# These have JSON's escapes. Each is code of an agent's template, in which `$v` is the text.
_AGENT_ESCAPES = {
    "json": "{{ toJSON $v }}",
    "toml": '{{ toJSON $v | replaceAll "\\u007f" "\\\\u007f" }}',
    # Go's own quotes, in plain ASCII: YAML has all of their escapes.
    "yaml": '{{ printf "%+q" $v }}',
}


def _itself(_value: Any) -> str | None:
    return None


def rendered(shape: str, data: Any, leaf: Leaf = _itself, literal: Literal = str) -> str:
    """The text of a file, or of a template for it.

    Raises:
        UnsupportedValue: the shape cannot hold the data.
    """
    return _WRITERS[shape](data, _Writer(shape, leaf, literal))


def quoted(shape: str, value: Any) -> str:
    """A single value as it stands in a file of this shape: a text, a number, a boolean, or null where the shape has it.

    Raises:
        UnsupportedValue: the shape has no way to write it.
    """
    if isinstance(value, str):
        return _quoted_text(shape, str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and math.isfinite(value):
        # YAML reads "1e+22" as a string. All read "1.0e+22" as a number.
        return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))
    if value is None and shape in ("json", "yaml"):
        return "null"
    raise UnsupportedValue(f"{_kind(value)} cannot be written to a file of the shape {shape}")


def _quoted_text(shape: str, text: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise UnsupportedValue("the value contains a lone surrogate, which is not text")
    if shape not in _QUOTES:
        return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))
    if "\0" in text:
        raise UnsupportedValue("an environment variable cannot hold the character NUL")
    if shape == "environment_file" and _NONCHARACTERS.search(text):
        raise UnsupportedValue("systemd refuses text with code points that are not characters")
    if shape == "docker_env" and (set(text) & set("\r\n") or len(text.encode("utf-8")) > _LONGEST_OF_DOCKER):
        raise UnsupportedValue("a file for docker --env-file cannot hold a line break, nor 60,000 bytes in a line")
    if shape in _BARE_SHAPES and re.fullmatch(_BARE_VALUE, text):
        return text
    *others, last = _QUOTES[shape]
    quotes = next((one for one in others if not set(one.unsupported) & set(text)), last)
    return quotes.around(text)


def agent_code(shape: str) -> str:
    """Code of an agent's template that writes the text ``$v`` with quotes."""
    if shape not in _QUOTES:
        return _AGENT_ESCAPES[shape]
    *others, last = _QUOTES[shape]
    code = _agent_replacing(last)
    if shape == "docker_env":
        # The only way to end a template. The text is part of the agent's error, and the secret is not.
        refused = agent_text("a secret has a line break, which a file for docker --env-file cannot hold")
        code = f'{{{{ if regexMatch "[\\r\\n]" $v }}}}{{{{ parseInt {refused} }}}}{{{{ else }}}}{code}{{{{ end }}}}'
    for quotes in reversed(others):
        unsupported = agent_text(f"[{re.escape(quotes.unsupported)}]")
        code = f"{{{{ if regexMatch {unsupported} $v }}}}{code}{{{{ else }}}}{_agent_replacing(quotes)}{{{{ end }}}}"
    if shape in _BARE_SHAPES:
        bare = agent_text(f"^{_BARE_VALUE}$")
        code = f"{{{{ if regexMatch {bare} $v }}}}{{{{ $v }}}}{{{{ else }}}}{code}{{{{ end }}}}"
    return code


def _agent_replacing(quotes: _Quotes) -> str:
    steps = [f"replaceAll {agent_text(old)} {agent_text(new)}" for old, new in quotes.replaced]
    return f"{quotes.mark}{{{{ {' | '.join(['$v', *steps])} }}}}{quotes.mark}"


def agent_text(text: str) -> str:
    """A string literal inside an agent's code."""
    return json.dumps(text, ensure_ascii=False)


_AGENT_OPENING = re.compile(r"\{(?=\{|\Z)")


def agent_literal(text: str) -> str:
    """Text outside of an agent's code."""
    return _AGENT_OPENING.sub('{{ "{" }}', text)


class _Writer(NamedTuple):
    shape: str
    leaf: Leaf
    literal: Literal

    def key(self, name: str) -> str:
        return self.literal(_quoted_text(self.shape, name))

    def value(self, value: Any) -> str | None:
        """The text for a scalar, or for a value that is replaced; ``None`` for other lists and mappings."""
        found = self.leaf(value)
        if found is not None:
            return found
        if isinstance(value, (Mapping, list, tuple)):
            return None
        return self.literal(quoted(self.shape, value))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


def _variables(data: Any, writer: _Writer) -> str:
    lines = []
    for name, value in _mapping(writer.shape, data).items():
        if not VARIABLE_NAME.fullmatch(name):
            raise UnsupportedValue(f"{name!r} is not a valid name of an environment variable")
        if isinstance(value, Mapping) and writer.leaf(value) is not None and (problem := steering_problem(name)):
            raise UnsupportedValue(problem)
        written = writer.value(value) if value is not None else None
        if written is None:
            raise UnsupportedValue(
                f"{name} is {_kind(value)}: an environment variable is a string, a number or a boolean"
            )
        lines.append(f"{'export ' if writer.shape == 'shell' else ''}{name}={written}\n")
    return "".join(lines)


def _json(data: Any, writer: _Writer) -> str:
    return "\n".join(_json_lines(data, writer, "")) + "\n"


def _json_lines(data: Any, writer: _Writer, indent: str) -> Iterator[str]:
    written = writer.value(data)
    if written is not None:
        yield written
    elif data:
        is_object = isinstance(data, Mapping)
        yield "{" if is_object else "["
        entries = list(data.items()) if is_object else [(None, value) for value in data]
        for number, (name, value) in enumerate(entries):
            head = f"{writer.key(str(name))}: " if is_object else ""
            first, *rest = _json_lines(value, writer, indent + "  ")
            lines = [f"{indent}  {head}{first}", *rest]
            if number + 1 < len(entries):
                lines[-1] += ","
            yield from lines
        yield f"{indent}{'}' if is_object else ']'}"
    else:
        yield "{}" if isinstance(data, Mapping) else "[]"


def _yaml(data: Any, writer: _Writer) -> str:
    return "\n".join(_yaml_lines(data, writer, "")) + "\n"


def _yaml_lines(data: Any, writer: _Writer, indent: str) -> Iterator[str]:
    written = writer.value(data)
    if written is not None:
        yield indent + written
    elif isinstance(data, Mapping) and data:
        for name, value in data.items():
            head = f"{indent}{_yaml_key(str(name), writer)}:"
            first, *rest = _yaml_lines(value, writer, indent + "  ")
            if _is_filled(value, writer):
                yield head
                yield from (first, *rest)
            else:
                yield f"{head} {first[len(indent) + 2 :]}"
    elif data:
        for value in data:
            first, *rest = _yaml_lines(value, writer, indent + "  ")
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest
    else:
        yield indent + ("{}" if isinstance(data, Mapping) else "[]")


def _is_filled(value: Any, writer: _Writer) -> bool:
    return writer.value(value) is None and bool(value)


def _yaml_key(name: str, writer: _Writer) -> str:
    if is_plain_key(name):
        return name
    return writer.key(name)


def _toml(data: Any, writer: _Writer) -> str:
    return "\n".join(_toml_table(_mapping("toml", data), writer, ())) + "\n"


def _toml_table(data: Mapping[str, Any], writer: _Writer, path: tuple[str, ...]) -> Iterator[str]:
    tables = {name: value for name, value in data.items() if isinstance(value, Mapping) and writer.value(value) is None}
    if path and (len(tables) < len(data) or not data):
        yield f"[{'.'.join(_toml_key(part, writer) for part in path)}]"
    for name, value in data.items():
        if name not in tables:
            yield f"{_toml_key(name, writer)} = {_toml_value(name, value, writer)}"
    for number, (name, value) in enumerate(tables.items()):
        if number or len(tables) < len(data):
            yield ""
        yield from _toml_table(_mapping("toml", value), writer, (*path, name))


def _toml_key(name: str, writer: _Writer) -> str:
    return name if _BARE_KEY.fullmatch(name) else writer.key(name)


def _toml_value(name: str, value: Any, writer: _Writer) -> str:
    written = None if value is None else writer.value(value)
    if written is not None:
        return written
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_value(name, inner, writer) for inner in value)}]"
    raise UnsupportedValue(f"{name}: TOML cannot hold {'null' if value is None else 'a table in a list'}")


def _mapping(shape: str, data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise UnsupportedValue(f"{shape} needs a dictionary whose names are strings")
    return data


_WRITERS: Mapping[str, Callable[[Any, _Writer], str]] = {
    "docker_env": _variables,
    "dotenv": _variables,
    "environment_file": _variables,
    "json": _json,
    "shell": _variables,
    "toml": _toml,
    "yaml": _yaml,
}
