# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Keys, engines and roles: their attributes, and when each may change.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.

Sources of the rules: the API documentation of `OpenBao <https://openbao.org/api-docs/secret/transit/>`_ and of
`Vault <https://developer.hashicorp.com/vault/api-docs/secret/transit>`_, and the behaviour of running servers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterable, Mapping

if TYPE_CHECKING:
    from fractions import Fraction

AT_CREATION = "at creation only"
ON_ONLY = "may be turned on, never off"
ANY_TIME = "at any time"


@dataclass(frozen=True)
class Attribute:
    """One attribute of a key, a mount or a role, under the API's own name.

    Attributes:
        kind: ``str``, ``bool``, ``int``, ``duration`` (seconds on the wire), ``list`` (of strings) or ``dict``.
        change: one of `AT_CREATION`, `ON_ONLY`, `ANY_TIME`.
        default: the server's value when the creating call does not set one.
        at_creation: whether the creating call accepts it (the others need the configuring call).
        server: the only product that has it, empty when both do.
    """

    name: str
    kind: str
    change: str
    description: str
    default: Any = None
    at_creation: bool = True
    server: str = ""


KEY_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("type", "str", AT_CREATION, "The kind of key.", default="aes256-gcm96"),
    Attribute("derived", "bool", AT_CREATION, "Derive a key of its own for each context.", default=False),
    Attribute(
        "convergent_encryption",
        "bool",
        AT_CREATION,
        "The same plaintext and context give the same ciphertext. Needs derived.",
        default=False,
    ),
    Attribute("key_size", "int", AT_CREATION, "Size of an hmac key in bytes, 32 to 512."),
    Attribute("exportable", "bool", ON_ONLY, "The key material may be exported.", default=False),
    Attribute("allow_plaintext_backup", "bool", ON_ONLY, "The key may be backed up in plaintext.", default=False),
    Attribute(
        "auto_rotate_period",
        "duration",
        ANY_TIME,
        "The server rotates the key after this time. 0 turns that off, otherwise at least one hour.",
        default=0,
    ),
    Attribute("deletion_allowed", "bool", ANY_TIME, "The key may be deleted.", default=False, at_creation=False),
    Attribute(
        "min_decryption_version",
        "int",
        ANY_TIME,
        "The oldest version that may still decrypt.",
        default=1,
        at_creation=False,
    ),
    Attribute(
        "min_encryption_version",
        "int",
        ANY_TIME,
        "The oldest version that may be asked to encrypt. 0 means any that may decrypt.",
        default=0,
        at_creation=False,
    ),
    Attribute("external_key_ref", "str", AT_CREATION, "Reference of an external-key, CONFIG:KEY.", server="OpenBao"),
    Attribute("managed_key_name", "str", AT_CREATION, "Name of the key behind a managed_key.", server="Vault"),
    Attribute("managed_key_id", "str", AT_CREATION, "UUID of the key behind a managed_key.", server="Vault"),
    Attribute("parameter_set", "str", AT_CREATION, "Parameter set of an ml-dsa or slh-dsa key.", server="Vault"),
    Attribute("hybrid_key_type_pqc", "str", AT_CREATION, "Post-quantum part of a hybrid key.", server="Vault"),
    Attribute("hybrid_key_type_ec", "str", AT_CREATION, "Elliptic-curve part of a hybrid key.", server="Vault"),
)

MOUNT_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("description", "str", ANY_TIME, "What the mount is for.", default=""),
    Attribute("default_lease_ttl", "duration", ANY_TIME, "Default lease. 0 means the server's default.", default=0),
    Attribute("max_lease_ttl", "duration", ANY_TIME, "Longest lease. 0 means the server's default.", default=0),
    Attribute(
        "listing_visibility", "str", ANY_TIME, "Whether the user interface lists the mount without a token.", default=""
    ),
    Attribute(
        "audit_non_hmac_request_keys",
        "list",
        ANY_TIME,
        "Request fields that the audit log shows in the clear.",
        default=(),
    ),
    Attribute(
        "audit_non_hmac_response_keys",
        "list",
        ANY_TIME,
        "Response fields that the audit log shows in the clear.",
        default=(),
    ),
    Attribute(
        "passthrough_request_headers", "list", ANY_TIME, "Request headers handed through to the engine.", default=()
    ),
    Attribute("allowed_response_headers", "list", ANY_TIME, "Response headers that the engine may set.", default=()),
    Attribute("plugin_version", "str", ANY_TIME, "Version of the engine's plugin.", default=""),
    Attribute("options", "dict", AT_CREATION, "Options of the mount.", default=()),
    Attribute("local", "bool", AT_CREATION, "Keep the mount out of replication.", default=False),
    Attribute("seal_wrap", "bool", AT_CREATION, "Wrap the mount's storage with the seal.", default=False),
    Attribute(
        "external_entropy_access",
        "bool",
        AT_CREATION,
        "Let the mount use the server's external entropy source.",
        default=False,
    ),
    Attribute("force_no_cache", "bool", AT_CREATION, "Turn off caching for the mount.", default=False),
)

APPROLE_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("token_policies", "list", ANY_TIME, "Names of policies.", default=()),
    Attribute("token_ttl", "duration", ANY_TIME, "How long a token lives. 0 means the server's default.", default=0),
    Attribute("token_max_ttl", "duration", ANY_TIME, "How long a token can be renewed.", default=0),
    Attribute("token_explicit_max_ttl", "duration", ANY_TIME, "How long a token can live at most.", default=0),
    Attribute("token_period", "duration", ANY_TIME, "Period of a token that can be renewed for ever.", default=0),
    Attribute("token_num_uses", "int", ANY_TIME, "How often a token can be used. 0 means any number.", default=0),
    Attribute("token_bound_cidrs", "list", ANY_TIME, "Networks that a token works from.", default=()),
    Attribute("token_no_default_policy", "bool", ANY_TIME, "Leave the policy default out.", default=False),
    Attribute("token_type", "str", ANY_TIME, "Kind of token: default, service or batch.", default="default"),
    Attribute("bind_secret_id", "bool", ANY_TIME, "A login needs a secret ID.", default=True),
    Attribute("secret_id_ttl", "duration", ANY_TIME, "How long a secret ID lives. 0 means for ever.", default=0),
    Attribute("secret_id_num_uses", "int", ANY_TIME, "How often a secret ID can be used. 0: any number.", default=0),
    Attribute("secret_id_bound_cidrs", "list", ANY_TIME, "Networks that a login works from.", default=()),
    Attribute("local_secret_ids", "bool", AT_CREATION, "Keep secret IDs out of replication.", default=False),
)

# A duration is a signed 64-bit number of nanoseconds on the server.
MAX_DURATION_SECONDS = (2**63 - 1) // 10**9

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
# Names between slashes in a path of the server. Neither can lead elsewhere ('..') or end the path ('?', '#', '%').
_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~@+=,:-]+"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
# Vault and OpenBao keep these mounts for themselves.
_OWN_MOUNTS = ("audit", "auth", "cubbyhole", "identity", "sys")
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,17}):[A-Za-z0-9+/]+={0,2}")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(w|d|h|ms|m|s)")
_SECONDS = {"w": "604800", "d": "86400", "h": "3600", "m": "60", "s": "1", "ms": "1/1000"}


_MINUTE, _HOUR, _DAY = 60, 3600, 86400

_WIRE = {"duration": int, "bool": bool, "int": int, "str": str, "list": list, "dict": dict}


def malformed(attributes: Iterable[Attribute], values: Mapping[str, Any]) -> str:
    """The first attribute whose value is not of its kind as the server sends it, empty when there is none."""
    for attribute in attributes:
        value = values.get(attribute.name)
        if value is not None and not isinstance(value, _WIRE[attribute.kind]):
            return attribute.name
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            return attribute.name
    return ""


def parse_duration(value: str | int) -> int:
    """The seconds of a duration such as ``30d``, ``720h``, ``1h30m``, ``3600s`` or ``3600``.

    Raises:
        ValueError: it is not a duration, not a whole number of seconds, negative, or more than the server can hold.
    """
    text = str(value).strip()
    seconds = exact_seconds(text)
    if seconds != int(seconds):
        raise ValueError(f"'{text}' is not a whole number of seconds")
    if seconds > MAX_DURATION_SECONDS:
        raise ValueError(f"'{text}' is out of range: at most {MAX_DURATION_SECONDS} seconds")
    return int(seconds)


def exact_seconds(text: str) -> int | Fraction:
    """The seconds of a duration, which may be shorter than one: ``500ms``.

    Raises:
        ValueError: it is not a duration.
    """
    return int(text) if re.fullmatch(r"[0-9]+", text) else _sum_of_parts(text)


def _sum_of_parts(text: str) -> Fraction:
    # Most programs and modules have no such text. Importing it takes longer than to read a small program.
    from fractions import Fraction

    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"'{text}' is not a duration: write for instance 30d, 720h, 1h30m or a number of seconds")
    # A float would round, and overflow where the number is only out of range.
    return sum((Fraction(number) * Fraction(_SECONDS[unit]) for number, unit in parts), Fraction(0))


def age_text(seconds: int | None) -> str:
    """A number of seconds in the largest unit that fits, such as ``90 d``; empty for an unknown age."""
    if seconds is None:
        return ""
    for length, unit in ((_DAY, "d"), (_HOUR, "h")):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds // _MINUTE} min"


def is_name(text: str) -> bool:
    """Whether a key or a role may have this name. The server answers another one with a bare 404."""
    return _NAME.fullmatch(text) is not None


# The server takes longer names, and seconds for each request with one.
_MOST_CHARACTERS = 512


def _too_long(text: str) -> str:
    return f"'{text[:40]}…' has {len(text)} characters, and at most {_MOST_CHARACTERS} are used"


def name_problem(name: str) -> str | None:
    """What is wrong with a key's name, ``None`` when nothing is."""
    if len(name) > _MOST_CHARACTERS:
        return _too_long(name)
    if is_name(name):
        return None
    return (
        f"'{name}' is not a key name: letters, digits, '_', '-' and '.', "
        "beginning and ending with a letter, digit or '_'"
    )


def path_problem(path: str) -> str | None:
    """What is wrong with a path on the server (a mount, a document of a KV engine), ``None`` when nothing is."""
    if len(path) > _MOST_CHARACTERS:
        return _too_long(path)
    if _PATH.fullmatch(path):
        return None
    return (
        f"'{path}' is not a path on the server: names of letters, digits and '_.~@+=,:-', separated by '/', "
        "none of them '.' or '..'"
    )


def mount_problem(path: str) -> str | None:
    """What is wrong with the path of a mounted engine, ``None`` when nothing is."""
    if len(path) > _MOST_CHARACTERS:
        return _too_long(path)
    first, *others = path.split("/")
    if first in _OWN_MOUNTS or "sys" in others:
        return f"'{path}' cannot be an engine's path: the server keeps '{', '.join(_OWN_MOUNTS)}' for itself"
    return path_problem(path)


# The entry of an encrypted vars file that describes the file itself.
METADATA = "_transit"

# How the names of encrypted vars files end.
VARS_FILE_SUFFIXES = (".transit.yml", ".transit.yaml", ".transit.json")


def ciphertext_version(text: str) -> int | None:
    """The key version of a ciphertext or HMAC (``vault:vN:…``), ``None`` when the text does not have that form."""
    match = _CIPHERTEXT.fullmatch(text)
    return int(match.group(1)) if match else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known word, or nothing."""
    # Only for messages.
    import difflib

    known = list(known)
    # Letters of the other case are far away from each other there.
    near = [one for one in known if one.lower() == word.lower()]
    near = near or difflib.get_close_matches(word, known, n=5, cutoff=0.5)
    compared = difflib.SequenceMatcher(b=word)
    likeness = {}
    for one in sorted(near):
        compared.set_seq1(one)
        likeness[one] = compared.ratio()
    # Of equals the first: who writes sha256 means sha2-256, not sha3-256.
    return f" Did you mean '{max(likeness, key=lambda one: likeness[one])}'?" if near else ""
