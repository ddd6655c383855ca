# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Take an encrypted backup of a key, and restore it. **Private** to the collection.

The key material is only in memory, between the server's answer and its encryption, or decryption and the request.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._backup.file import (
    BackupFile,
    Facts,
    Header,
    facts_of_backup,
    facts_of_key,
    file_text,
    label_to_keep,
    read_file,
    reason_not_to_restore,
    reason_to_take,
    timestamp,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._backup.requests import BackupRequest, RestoreRequest
from ansible_collections.mlkeys.transit.plugins.module_utils._backup.sealing import Recipients, opened
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    ServerError,
    ServerUnreachable,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome, Steps
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import prediction_warnings, send_once
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.timestamps import creation_times


def reconcile_backup(client: Client, request: BackupRequest, run: RunContext) -> Outcome:
    """Bring a backup file in step with its key."""
    name, recipients = request.name, request.recipients
    stored = read_file(request.text, request.path).header if request.text else None
    transit = Transit(client, request.backend, predicting=run.dry_run and stored is None)
    actual = transit.read_key(name, exists=not run.dry_run)
    if actual is None:
        if run.dry_run and stored is None:
            return _predicted(name, transit, recipients)
        raise transit.missing(name)
    wanted = Header(name, transit.backend, str(actual["type"]), _facts(actual), recipients=recipients.names)
    reason = reason_to_take(request.path, stored, wanted, force=request.force)
    if not reason:
        return _backup_outcome(wanted, stored, "", None)
    _check_allowed(name, actual)
    # A problem with the recipients shows here, before the key leaves the server.
    recipients.seal(b"")
    # Trimmed versions may be all that some old copy of a file can still be read with.
    beside = "" if request.force else label_to_keep(stored, wanted)
    if run.dry_run:
        return replace(_backup_outcome(wanted, stored, reason, None), beside=beside)
    taken = replace(wanted, taken=timestamp(run.now))
    return replace(_backup_outcome(wanted, stored, reason, _take(transit, taken, recipients)), beside=beside)


def _predicted(name: str, transit: Transit, recipients: Recipients) -> Outcome:
    """The prediction for a key that does not exist: an earlier task may be about to create it."""
    recipients.seal(b"")
    warning = f"The key '{name}' does not exist. Without check mode this fails unless an earlier task creates it."
    result = {"backup": None, "reason": "there is none yet"}
    return Outcome(
        changed=True,
        before=None,
        after={"recipients": list(recipients.names)},
        result=result,
        warnings=(*prediction_warnings(transit), warning),
    )


def _take(transit: Transit, header: Header, recipients: Recipients) -> str:
    """The text of the file. Its header describes what came: the key may have been rotated since it was read."""
    backup = transit.backup_key(header.key)
    known = None
    with contextlib.suppress(ValueError):
        known = facts_of_backup(backup)
    if known is None or known[0] != header.key:
        raise ServerError(
            f"The server's backup of the key '{header.key}' cannot be read, so it could not be restored. "
            "Nothing was written."
        )
    return file_text(replace(header, facts=known[1]), recipients.seal(backup.encode("ascii")))


def _check_allowed(name: str, actual: Mapping[str, Any]) -> None:
    missing = [option for option in ("exportable", "allow_plaintext_backup") if not actual.get(option)]
    if missing:
        reason = (
            f"it forbids backups. Set {' and '.join(f'{option}: true' for option in missing)} (vault_transit_key). "
            "This cannot be undone: anyone who can read its backup or export it then has the key itself, forever"
        )
        raise ChangeImpossible(f"The key '{name}' cannot be backed up", [reason])


def _backup_outcome(wanted: Header, stored: Header | None, reason: str, text: str | None) -> Outcome:
    after = _summary(wanted)
    result = {"backup": {"key": wanted.key, "backend": wanted.backend, "type": wanted.type, **after}, "reason": reason}
    before = _summary(stored) if stored else None
    return Outcome(bool(reason), before, after, result, text=text)


def _summary(header: Header) -> dict[str, Any]:
    return {**header.facts.counts, "recipients": list(header.recipients)}


def _facts(actual: Mapping[str, Any]) -> Facts:
    return facts_of_key(actual, creation_times(actual))


def reconcile_restore(client: Client, request: RestoreRequest, run: RunContext) -> Outcome:
    """Make a key out of a backup file."""
    file = read_file(request.text, request.path)
    header, force = file.header, request.force
    name = checked_name(request.name or header.key)
    backup = _opened(file, request)
    transit = Transit(client, request.backend, predicting=run.dry_run)
    if force and not transit.find_active():
        # A standby may not have heard of the newest versions, which would then be destroyed unseen.
        raise ServerUnreachable(
            "The active node does not answer at the address that it gives, and no other node knows for certain which "
            "versions force would destroy. Nothing was changed. Give its address as url, or try again when it answers."
        )
    actual = transit.read_key(name)
    before = _facts(actual) if actual else None
    nothing = reason_not_to_restore(name, header.facts, before, force=force, destroy=request.destroy_versions)
    if not nothing and not run.dry_run:
        _restore(transit, name, backup, header.facts, force=force and actual is not None)
    facts = before if nothing and before else header.facts
    key = {"name": name, "backend": transit.backend, "type": header.type, **facts.counts}
    return Outcome(
        not nothing,
        before.counts if before else None,
        facts.counts,
        {"key": key, "reason": f"nothing to do: {nothing}" if nothing else ""},
        prediction_warnings(transit),
    )


def _opened(file: BackupFile, request: RestoreRequest) -> str:
    """The backup, which is the one that the header describes."""
    path, header = request.path, file.header
    content = opened(file.sealed, request.keyring, path)
    backup, known = "", None
    with contextlib.suppress(ValueError):
        backup = content.decode("ascii")
        known = facts_of_backup(backup)
    if known is None:
        raise InvalidOption(f"{path} is damaged: its encrypted content is not a backup of a key. Nothing was changed.")
    if known != (header.key, header.facts):
        raise InvalidOption(
            f"{path}: its header does not describe the backup in it, which is of the key '{known[0]}' up to version "
            f"{known[1].latest_version}. Somebody has changed one of them. Nothing was changed."
        )
    return backup


def _restore(transit: Transit, name: str, backup: str, wanted: Facts, *, force: bool) -> None:
    def is_done(actual: Mapping[str, Any]) -> bool:
        facts = _facts(actual)
        return facts.counts == wanted.counts and not facts.missing_in(wanted)

    steps = Steps()
    steps.run(
        "the key was restored",
        lambda: send_once(
            transit,
            name,
            lambda: transit.restore_key(name, backup, force=force).data,
            is_done,
            "restored",
            # By now somebody else may have made another key of this name.
            repeatable=not force,
        ),
    )
    actual = steps.run("", lambda: transit.read_key(name, exists=True))
    if actual is None or not is_done(actual):
        strange = ServerError(f"The key '{name}' differs from its backup. Read it (vault_transit_key_info).")
        raise strange.after(steps.done[:1])
