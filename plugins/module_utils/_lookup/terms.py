# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Terms of the lookup as items of a batch. Pure. **Private** to the collection.

No message repeats a value: an item is named by its position, and by its name where it has one.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, first_of
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import sealed
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item, item_label

# What a signature or a fingerprint is checked against has one of these.
_PROOFS = ("signature", "hmac")
_WORD = re.compile("[a-z_]{1,16}")
_VERSION_ZERO = re.compile("vault:v0+:")
# The server gives no more random bytes at once.
_MOST_BYTES = 131072
# What terms of some operations have in common with the options of the same names.
_SHARED = ("context", "associated_data", "key_version")
# A number that is longer than those of the server makes it refuse the whole request.
_MOST_DIGITS = 18
# What terms of any operation have, and what is asked for elsewhere.
_KNOWN = ("value", "name", *_SHARED, *_PROOFS, "plaintext", "ciphertext", "input")


class Asked(NamedTuple):
    """A term as the lookup understands it.

    Attributes:
        label: its name in messages.
        ask: what to ask the server for, ``None`` where there is a problem.
        problem: why it cannot be right, else empty.
    """

    label: str
    ask: Any = None
    problem: str = ""

    def __repr__(self) -> str:
        # All else may be secret.
        return f"Asked(label={self.label!r})"


@dataclass(frozen=True)
class TermDefaults:
    """What applies to every term that does not set it itself.

    Attributes:
        plaintext: whether the values are plaintext; else they are ciphertext.
        rewrap: whether the values are to rewrap, which the server cannot do with associated data.
        sealed: whether the values may be ciphertexts.
        base64: whether plaintext is base64.
        fields: what a term may have.
        digest: of how many bytes the values are, 0 for any number.
    """

    plaintext: bool
    rewrap: bool = False
    sealed: bool = True
    base64: bool = False
    context: Any = field(default=None, repr=False)
    associated_data: Any = field(default=None, repr=False)
    key_version: Any = 0
    fields: tuple[str, ...] = ("value", "name", *_SHARED)
    digest: int = 0


def asked_from(terms: Sequence[Any], defaults: TermDefaults) -> list[Asked]:
    """The terms, each as an item of a batch, or with the reason why it cannot be right."""
    return [_asked(index, term, defaults) for index, term in enumerate(flat(terms))]


def refuse_problems(asked: Sequence[Asked]) -> None:
    """
    Raises:
        InvalidOption: with the first terms that cannot be right.
    """
    problems = [(one.label, one.problem) for one in asked if one.problem]
    if problems:
        raise InvalidOption(f"{first_of(problems)}.")


def with_context_refused(asked: Sequence[Asked], problem: str) -> list[Asked]:
    """The terms, where each that has a context has this problem."""
    return [
        Asked(one.label, problem=problem) if isinstance(one.ask, Item) and one.ask.context else one for one in asked
    ]


def sizes_from(terms: Sequence[Any], size: int, defaults: TermDefaults) -> list[Asked]:
    """Numbers of bytes, one for each term, or the given one where there is no term."""
    return [_size(index, term, defaults) for index, term in enumerate(flat(terms) if terms else [size])]


def _size(index: int, term: Any, defaults: TermDefaults) -> Asked:
    fields = term if isinstance(term, Mapping) else {"value": term}
    label = item_label(index, str(fields.get("name") or ""))
    problem = _fields_problem(fields, defaults)
    if problem:
        return Asked(label, problem=problem)
    text = "" if isinstance(fields.get("value"), bool) else str(fields.get("value", "")).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 0 < int(text) <= _MOST_BYTES):
        return Asked(label, problem=f"it must be a number of bytes, 1 to {_MOST_BYTES}")
    return Asked(label, int(text))


def data_keys_from(terms: Sequence[Any], defaults: TermDefaults) -> list[Asked]:
    """Data keys to make: one for each term, which is a name or a mapping, or one where there is no term."""
    named = [term if isinstance(term, Mapping) else {"name": term} for term in (flat(terms) if terms else [{}])]
    return [_asked(index, term, defaults) for index, term in enumerate(named)]


def _asked(index: int, term: Any, defaults: TermDefaults) -> Asked:
    fields = term if isinstance(term, Mapping) else {"value": term}
    label = item_label(index, str(fields.get("name") or ""))
    problem = _term_problem(fields, defaults)
    if problem:
        return Asked(label, problem=problem)
    try:
        return Asked(label, _item(fields, defaults))
    except ValueError as error:
        return Asked(label, problem=str(error))


def flat(terms: Sequence[Any]) -> list[Any]:
    """The terms, with those in lists, and in lists of lists, in the place of their list."""
    found: list[Any] = []
    for term in terms:
        found.extend(flat(term) if isinstance(term, (list, tuple)) else [term])
    return found


def _fields_problem(fields: Mapping[str, Any], defaults: TermDefaults) -> str:
    empty = [name for name in _SHARED if fields.get(name) in (None, "", 0)]
    unknown = [str(name) for name in fields if name not in defaults.fields and name not in empty]
    if not unknown:
        return ""
    if unknown[0] in _SHARED:
        return f"{unknown[0]} has no effect with this operation: leave it out"
    # Any other name may be a value in the wrong place.
    is_word = _WORD.fullmatch(unknown[0]) is not None
    likely = is_word and (unknown[0] in _KNOWN or did_you_mean(unknown[0], defaults.fields) != "")
    named = f"'{unknown[0]}'" if likely else "one of its fields"
    return f"{named} is not known in a term, only {', '.join(defaults.fields)} are"


def _term_problem(fields: Mapping[str, Any], defaults: TermDefaults) -> str:
    problem = _fields_problem(fields, defaults)
    if problem:
        return problem
    if "value" in defaults.fields and not _is_text(fields.get("value")):
        return "its value must be text"
    for proof in _PROOFS:
        if proof in defaults.fields and fields.get(proof) is not None and not _is_text(fields[proof]):
            return f"its {proof} must be text"
        if proof in defaults.fields and not (_is_text(fields.get(proof)) and fields[proof].strip()):
            return f"its {proof} is missing: a term of this operation has value and {proof}"
        # The server says that it is too old.
        if proof in defaults.fields and _VERSION_ZERO.match(fields[proof].strip()):
            return f"its {proof} is of version 0, and the versions of a key begin with 1"
    verb = "" if defaults.sealed else sealed(str(fields["value"]))
    if verb:
        return f"its value {verb} a ciphertext (vault:vN:...). To encrypt it nevertheless, set allow_ciphertext=true"
    if defaults.rewrap and fields.get("associated_data", defaults.associated_data):
        return "the server cannot rewrap what is bound to associated data: decrypt and encrypt it"
    return ""


def _item(fields: Mapping[str, Any], defaults: TermDefaults) -> Item:
    value = str(fields.get("value") or "")
    if defaults.plaintext and defaults.base64:
        content = decode_base64(value)
    else:
        # Blanks around a ciphertext mean nothing, and the server refuses them.
        content = (value if defaults.plaintext else value.strip()).encode("utf-8")
    if defaults.digest not in (0, len(content)):
        raise ValueError("it is not a digest of hash_algorithm, which prehashed says that it is")
    return Item(
        content,
        str(fields.get("name") or ""),
        # To the server, an empty one is none. Beside others it would refuse the whole request.
        context=_bytes("context", fields.get("context", defaults.context)) or None,
        associated_data=_bytes("associated_data", fields.get("associated_data", defaults.associated_data)),
        key_version=_version(fields.get("key_version", defaults.key_version)),
        hmac=str(fields.get("hmac") or "").strip(),
        signature=str(fields.get("signature") or "").strip(),
    )


def _version(value: Any) -> int:
    text = str(value or 0).strip()
    if not (text.isascii() and text.isdigit()):
        raise ValueError("its key_version must be a number, 0 for the latest")
    if len(text) > _MOST_DIGITS:
        raise ValueError("its key_version does not exist (yet): 0 is the latest")
    return int(text)


def _is_text(value: Any) -> bool:
    # What was not UTF-8 arrives with lone surrogates, which cannot be sent.
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _bytes(name: str, value: Any) -> bytes | None:
    if value is None:
        return None
    if not _is_text(value):
        raise ValueError(f"its {name} must be text")
    return str(value).encode("utf-8")


def decode_base64(text: str) -> bytes:
    """Strict base64.

    Raises:
        ValueError: the text is not base64. The message does not repeat it.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not valid base64") from None
