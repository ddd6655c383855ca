# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Export the secret material of a key into a file. **Private** to the collection.

It is only in memory, between the server's answer and the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import prediction_warnings
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name

# What a user has to write for the secret to leave the server.
UNDERSTOOD = "whoever reads the file has the key"

# What material is for, by the server's words.
PURPOSES = ("cmac-key", "encryption-key", "hmac-key", "signing-key")

FORMATS = ("der", "pem", "raw")


@dataclass(frozen=True)
class ExportRequest:
    """A version of a key, and the file that should hold its material: the options of the module, checked.

    Attributes:
        version: 0 for the latest one.
        form: the server's word for an encoding, empty for its default.
        stored: the current text of the file, ``None`` if there is no file.
    """

    backend: str
    name: str
    purpose: str
    version: int = 0
    form: str = ""
    stored: str | None = field(default=None, repr=False)


def export_request(options: Mapping[str, Any], text: str) -> ExportRequest:
    """The request that the options of ``vault_transit_key_export`` make.

    Raises:
        InvalidOption: a key cannot have this name.
    """
    name = checked_name(options["name"])
    form = options.get("format") or ""
    return ExportRequest(options["backend"], name, options["key_type"], options["version"], form, text or None)


def reconcile_export(client: Client, request: ExportRequest, run: RunContext) -> Outcome:
    """Bring the file in step with the key. Also a prediction has to see the material, to compare it."""
    transit = Transit(client, request.backend, predicting=run.dry_run and request.stored is None)
    actual = transit.read_key(request.name, exists=not run.dry_run)
    if actual is None:
        if run.dry_run and request.stored is None:
            return _predicted(request, transit)
        raise transit.missing(request.name)
    version = _checked_version(request, actual)
    material = transit.export_key(request.name, request.purpose, version, request.form)
    if not material:
        reason = f"version {version} has the public key alone, which vault_transit_key_info shows"
        raise ChangeImpossible(f"The key '{request.name}' cannot be exported", [reason])
    text = material if material.endswith("\n") else f"{material}\n"
    changed = text != request.stored
    about = {
        "key": request.name,
        "backend": transit.backend,
        "type": actual["type"],
        "key_type": request.purpose,
        "version": version,
    }
    # What an older text was, only it knows.
    before = None if request.stored is None else {"material": "other"} if changed else about
    return Outcome(changed, before, about, {"export": about}, text=text if changed else None)


def _predicted(request: ExportRequest, transit: Transit) -> Outcome:
    """The prediction for a key that does not exist: an earlier task may be about to create it."""
    name = request.name
    warning = f"The key '{name}' does not exist. Without check mode this fails unless an earlier task creates it."
    return Outcome(
        changed=True,
        after={"key": name, "key_type": request.purpose},
        result={"export": None},
        warnings=(*prediction_warnings(transit), warning),
    )


def _checked_version(request: ExportRequest, actual: Mapping[str, Any]) -> int:
    """The number of the version.

    Raises:
        ChangeImpossible: the server does not give its material away.
    """
    latest, oldest = actual["latest_version"], max(actual.get("min_decryption_version") or 1, 1)
    version = request.version or latest
    reasons = []
    if not actual.get("exportable"):
        reasons.append(
            "it forbids exports. Set exportable: true (vault_transit_key). That cannot be undone: from then on, "
            "anyone who can export it has the key itself, forever"
        )
    if actual.get("soft_deleted"):
        reasons.append("it is soft-deleted. Set soft_deleted: false (vault_transit_key)")
    if not oldest <= version <= latest:
        reasons.append(f"version cannot be {version}: versions {oldest} to {latest} can be exported")
    reasons += _kind_problems(request, str(actual["type"]))
    if reasons:
        raise ChangeImpossible(f"The key '{request.name}' cannot be exported", reasons)
    return int(version)


def _kind_problems(request: ExportRequest, key_type: str) -> list[str]:
    """Why a key of this type has no such material, or not in this format."""
    purposes = _PURPOSES_OF.get(key_type)
    if purposes is None:
        return []
    if request.purpose not in purposes:
        return [f"a key of type {key_type} has no {request.purpose}: it has {' and '.join(purposes)}"]
    is_pair = "signing-key" in purposes and request.purpose != "hmac-key"
    formats = ("raw",) if not is_pair else FORMATS if key_type == "ed25519" else ("der", "pem")
    if not request.form or request.form in formats:
        return []
    return [f"format cannot be {request.form}: the {request.purpose} of this type is exported as {_either(formats)}"]


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


_SYMMETRIC = ("encryption-key", "hmac-key")
_SIGNS = ("hmac-key", "signing-key")

# Of each type that both products have. A server decides about others.
_PURPOSES_OF = {
    "aes128-gcm96": _SYMMETRIC,
    "aes256-gcm96": _SYMMETRIC,
    "chacha20-poly1305": _SYMMETRIC,
    "ecdsa-p256": _SIGNS,
    "ecdsa-p384": _SIGNS,
    "ecdsa-p521": _SIGNS,
    "ed25519": _SIGNS,
    "hmac": ("hmac-key",),
    "rsa-2048": ("encryption-key", "hmac-key", "signing-key"),
    "rsa-3072": ("encryption-key", "hmac-key", "signing-key"),
    "rsa-4096": ("encryption-key", "hmac-key", "signing-key"),
    "xchacha20-poly1305": _SYMMETRIC,
}
