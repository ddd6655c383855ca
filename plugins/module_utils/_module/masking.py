# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""End a module, with secrets masked by their option. **Private** to the collection.

Ansible masks the values of secret options wherever they occur in a result. A token ``root`` or a secret ``1`` would
turn names, versions and ciphertexts into asterisks. So such values are masked where the options are shown, and nowhere
else.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Callable, Iterable, Iterator, Mapping, NoReturn, TypeVar, cast

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.warnings import get_deprecation_messages, get_warning_messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    LibraryMissing,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login

Run = TypeVar("Run", bound=Callable[..., None])

MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

# A shorter value occurs in other texts by chance.
SHORTEST = 8
# So do these, which are not secrets at all, but may be given as one.
COMMON = frozenset(("password", "passw0rd", "changeme", "localhost", "username", "plaintext", "ciphertext"))

# With so many secrets, Ansible may search for all of them.
_FEW = 20


def worth_masking(values: Iterable[str]) -> set[str]:
    """Those of the secrets that no other text has by chance."""
    return {value for value in values if len(value) >= SHORTEST and value.lower() not in COMMON}


def masked(options: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Options as they may be shown."""
    facts = dict(spec)
    for option in spec.values():
        facts.update(dict.fromkeys(option.get("aliases") or (), option))
    return {name: _masked(name, value, facts.get(name, {})) for name, value in options.items()}


def _masked(name: str, value: Any, option: Mapping[str, Any]) -> Any:
    if value is None or value in ("", {}, []):
        return value
    if _is_secret(option):
        return MASK
    if name in ("url", "proxies"):
        return _without_logins(value)
    inner = option.get("options")
    if inner and isinstance(value, Mapping):
        return masked(value, inner)
    if inner:
        return [_masked(name, one, option) for one in value] if isinstance(value, list) else MASK
    return value


def _is_secret(option: Mapping[str, Any]) -> bool:
    return option.get("no_log") is True


def _without_logins(value: Any) -> Any:
    if isinstance(value, str):
        return ",".join(without_login(url) for url in value.split(","))
    if isinstance(value, Mapping):
        return {name: _without_logins(url) for name, url in value.items()}
    return [_without_logins(url) for url in value] if isinstance(value, (list, tuple)) else value


class Module(AnsibleModule):
    """A module of the collection, that masks whenever it ends: for options that Ansible refuses as well."""

    def _log_invocation(self) -> None:
        # Ansible searches each option that it logs for each secret. Its method has no types.
        log: Callable[[], None] = super()._log_invocation
        logged = {
            name: value for name, value in self.params.items() if not _is_secret(self.argument_spec.get(name, {}))
        }
        secrets = self.no_log_values
        self.no_log_values = _searched(secrets, logged)
        log()
        self.no_log_values = secrets

    def exit_json(self, **result: Any) -> NoReturn:
        _mask(self, result)
        super().exit_json(**result)

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        _mask(self, {**result, "msg": msg})
        super().fail_json(msg, **result)


def succeed(module: AnsibleModule, **result: Any) -> NoReturn:
    # Ansible adds what it sees at `path`, where somebody else may have removed the file since.
    with contextlib.suppress(FileNotFoundError):
        module.exit_json(**result)
    module.fail_json(msg="Somebody else moved or removed the file as soon as it was written.", changed=True)


def ending(run: Run) -> Run:
    """Make a module's run end the module with the message of the error that it raises.

    To what ends a module in a handler, Ansible adds the traceback of what is handled, from ansible-core 2.19 on with
    the text of the error. So this one handler is left first.
    """

    @functools.wraps(run)
    def ended(module: AnsibleModule, *arguments: Any) -> None:
        failure: TransitError | None = None
        try:
            run(module, *arguments)
        except TransitError as error:
            failure = error
        if failure is not None:
            _fail(module, failure)

    return cast("Run", ended)


def _fail(module: AnsibleModule, failure: TransitError) -> NoReturn:
    if isinstance(failure, LibraryMissing):
        module.fail_json(f"{missing_required_lib(failure.library)}.{failure.remedy}")
    refused: dict[str, Any] = {"refused": True} if isinstance(failure, ChangeImpossible) else {}
    module.fail_json(failure.message, changed=failure.changed, **refused)


def _mask(module: AnsibleModule, result: Mapping[str, Any]) -> None:
    # Ansible shows the options from here, as far as it shows them at all.
    module.params = masked(module.params, module.argument_spec)
    shown = [result, module.params, get_warning_messages(), get_deprecation_messages()]
    module.no_log_values = _searched(worth_masking(module.no_log_values), shown)


def _searched(secrets: set[str], shown: Any) -> set[str]:
    """The secrets that Ansible has to search for in what is shown."""
    if len(secrets) <= _FEW:
        return secrets
    short = {secret for secret in secrets if len(secret) < SHORTEST}
    return short | occurring(secrets - short, shown)


def occurring(secrets: Iterable[str], shown: Any) -> set[str]:
    """Those of the secrets that occur in what is shown, and perhaps more.

    Ansible searches every text for every secret: a minute for ten thousand of each.
    """
    # Keys have their randomness at the end.
    by_end: dict[str, list[str]] = {}
    for secret in secrets:
        by_end.setdefault(secret[-SHORTEST:], []).append(secret)
    found: set[str] = set()
    for text in {text for text in _texts(shown) if len(text) >= SHORTEST}:
        for place in range(len(text) - SHORTEST + 1):
            found.update(by_end.pop(text[place : place + SHORTEST], ()))
    return found


def _texts(shown: Any) -> Iterator[str]:
    todo = [shown]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            todo += one.keys()
            todo += one.values()
        elif isinstance(one, (list, tuple, set)):
            todo += one
        elif isinstance(one, bytes):
            yield one.decode("utf-8", "surrogateescape")
        elif one is not None:
            yield str(one)
