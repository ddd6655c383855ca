# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Key material of the controller for modules that import it. **Private** to the collection.

Where the module runs in this process, it gets the material itself. A module that is sent to a host gets it wrapped: it
then is in no argument, no temporary file and no memory there, and only the server can unwrap it.
"""

from __future__ import annotations

import base64
import os
import re
from typing import Any, Mapping

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import BOOLEANS
from ansible.parsing.vault import is_encrypted_file
from ansible.utils.display import Display
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, ServerUnreachable
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from ansible_collections.mlkeys.transit.plugins.module_utils._material.material import public_pem
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import import_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.locks import exclusive_all
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.importing import (
    ImportRequest,
    import_request,
    wrapped_material,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.base import TransitAction
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.handover import settings_of
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.in_process import can_run_in_process

# A key is smaller, whatever its type is.
_MOST_BYTES = 65536

_MATERIAL = ("src", "content", "encoding", "passphrase")

# In which no encoding of a key has a dot.
_FILE_NAME = re.compile(r"[\w/~@+-][\w./~@+-]{0,200}\.[A-Za-z0-9]{1,5}")

_NUMBER = re.compile(r"-?[0-9]{1,9}")
_BOOLEANS = frozenset(str(word).lower() for word in (*BOOLEANS, True, False))

_PUBLIC = "-----BEGIN PUBLIC KEY-----"

# What stands for the material in check mode, which asks for no wrapping key: the server makes that when it is asked.
_NOT_WRAPPED = "not wrapped in check mode"


class ImportingAction(TransitAction):
    """The action of a module that imports keys."""

    def _check_names(self) -> None:
        """Refuse material in place of the option before it is read as names of options, which base64 may look like.

        Raises:
            InvalidOption: there is some, or an option that the module does not have.
        """
        for key in _listed(self._task.args):
            _check_is_mapping(key.get("import"))
        super()._check_names()

    def _arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The task's options, with the material of the controller's files.

        Raises:
            InvalidOption: a file cannot be read, or holds no material for such a key.
        """
        arguments = super()._arguments(variables)
        backend = _place(arguments, "transit")
        sent = not (self._runs_in_process() and can_run_in_process(self.MODULE))
        keys = arguments.get("keys")
        if isinstance(keys, list):
            placed = [
                self._key(key, backend, arguments, sent=sent) if isinstance(key, Mapping) else key for key in keys
            ]
            return {**arguments, "keys": placed}
        return self._key(arguments, backend, arguments, sent=sent)

    def _run_module(
        self, module: str, arguments: dict[str, Any], variables: dict[str, Any], *, logs_in: bool
    ) -> dict[str, Any]:
        """Run the module while no other task of this machine adds a version of these keys."""
        # Each of two would find that the version is missing, and the server adds whatever it gets as the next one.
        with exclusive_all([] if self._task.check_mode else further_versions(arguments)):
            return super()._run_module(module, arguments, variables, logs_in=logs_in)

    def _key(self, key: Mapping[str, Any], backend: str, arguments: Mapping[str, Any], *, sent: bool) -> dict[str, Any]:
        """The options of one key."""
        given = key.get("import")
        _check_form(given)
        if not isinstance(given, Mapping) or key.get("state") == "absent":
            return dict(key)
        read = self._read(given)
        if not sent or not any(read.get(name) for name in _MATERIAL):
            return {**key, "import": read}
        request = import_request({**key, **_checked(read)})
        if request is None:
            return dict(key)
        place = _place(key, backend)
        own = {name: value for name, value in read.items() if name not in _MATERIAL}
        size = {"key_size": len(request.material.secret)} if key.get("type") == "hmac" else {}
        return {**size, **key, "import": {**own, **self._wrapped(request, place, arguments)}}

    def _read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The option, with the content of a file in place of its path."""
        if not given.get("src"):
            return dict(given)
        others = {name: value for name, value in given.items() if name != "src"}
        if any(others.get(name) for name in ("content", "ciphertext", "public_key")):
            raise InvalidOption("import.src excludes content, ciphertext and public_key.")
        raw = self._content_of(str(given["src"]))
        if others.get("encoding") == "raw":
            return {**others, "content": base64.b64encode(raw).decode("ascii"), "encoding": "base64"}
        try:
            return {**others, "content": raw.decode("ascii")}
        except UnicodeDecodeError:
            problem = InvalidOption(f"import.src {given['src']} is not text. For a file of bytes, set encoding: raw.")
        # Outside of the handler, whose error holds the material.
        raise problem

    def _content_of(self, src: str) -> bytes:
        """A file's content, decrypted if it is a file of Ansible Vault."""
        # Anyone who confuses it with `content` gives the key itself, which no message may repeat.
        named = f" {src}" if _FILE_NAME.fullmatch(src) else ""
        problem = f"must be the path of a file of the controller, and there is no such file{named} that can be read"
        if len(src.splitlines()) > 1:
            raise InvalidOption(f"import.src {problem}.")
        try:
            find: Any = self._find_needle
            path: str = find("files", src)
            if os.path.isfile(path) and os.path.getsize(path) <= _MOST_BYTES:
                if _is_vaulted(path):
                    problem = (
                        f"{src} is encrypted with ansible-vault, and no vault password decrypts it: pass --vault-id or "
                        "--vault-password-file"
                    )
                # The loader's other ways write a file of Ansible Vault to disk, decrypted, or read YAML.
                content: bytes = self._loader._get_file_contents(path)[0]  # noqa: SLF001
                return content
            problem = f"{src} is not a file, or too large to be a key"
        except (AnsibleError, OSError):
            pass
        raise InvalidOption(f"import.src {problem}.")

    def _wrapped(self, request: ImportRequest, backend: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The material as the module sends it on."""
        public = {"public_key": public_pem(request.material.public)} if request.material.public else {}
        if not request.material.secret:
            return public
        if self._task.check_mode:
            return {"ciphertext": _NOT_WRAPPED, **public}
        try:
            return {**wrapped_material(Transit(self._client(arguments), backend), request), **public}
        except ServerUnreachable:
            raise InvalidOption(
                "import: the controller does not reach the server, and so cannot wrap the material, which is not sent "
                "to a host unwrapped. Wrap it where the server is reached and give import.ciphertext, or run the task "
                "on a machine that reaches both."
            ) from None

    def _client(self, arguments: Mapping[str, Any]) -> Client:
        return run_sessions().client(settings_of(arguments), Display().warning)


def further_versions(arguments: Mapping[str, Any]) -> list[str]:
    """Names for the keys that may get a version. A second key of the same name is refused by the server."""
    backend = _place(arguments, "transit")
    further = [key for key in _listed(arguments) if _version(key.get("import")) not in ("None", "1")]
    return [f"import {_place(key, backend).strip('/')}/{key.get('name')}" for key in further]


def _listed(arguments: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The options of each key."""
    keys = arguments.get("keys")
    return [key for key in keys if isinstance(key, Mapping)] if isinstance(keys, list) else [arguments]


def _is_vaulted(path: str) -> bool:
    with open(path, "rb") as file:
        return bool(is_encrypted_file(file))


def _place(options: Mapping[str, Any], default: str) -> str:
    return str(options.get("backend") or options.get("engine_mount_point") or default)


def _version(given: Any) -> str:
    return str(given.get("version")) if isinstance(given, Mapping) else "None"


def _check_is_mapping(given: Any) -> None:
    """
    Raises:
        InvalidOption: the option is something else, such as the material.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InvalidOption("import must be a dictionary with src, content, ciphertext or public_key.")


def _check_form(given: Any) -> None:
    """Refuse what may be material at the wrong place. No message repeats any of it, and no module shows it as given.

    Raises:
        InvalidOption: it is not what the option takes.
    """
    _check_is_mapping(given)
    options: Mapping[str, Any] = given or {}
    _check_words(options)
    if isinstance(options.get("content"), (int, float)):
        raise InvalidOption("import.content must be text, not a number: quote it.")
    public = str(options.get("public_key") or _PUBLIC)
    if _PUBLIC not in public or "PRIVATE" in public:
        raise InvalidOption(f"import.public_key is not a public key in PEM ({_PUBLIC}).")


def _check_words(options: Mapping[str, Any]) -> None:
    """Refuse what is not one of the words that an option takes. Ansible's own message would repeat it.

    Raises:
        InvalidOption: it is something else.
    """
    for name, spec in import_spec()["options"].items():
        value, choices = options.get(name), spec.get("choices")
        if value is None:
            continue
        if choices and value not in choices:
            raise InvalidOption(f"import.{name} must be one of {', '.join(choices)}.")
        if spec["type"] == "bool" and str(value).strip().lower() not in _BOOLEANS:
            raise InvalidOption(f"import.{name} must be true or false.")
        if spec["type"] == "int" and not _NUMBER.fullmatch(str(value).strip()):
            raise InvalidOption(f"import.{name} must be a number.")


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The option as the module would understand it: templates give text for numbers.

    Raises:
        InvalidOption: the module would refuse it.
    """
    understood = ArgumentSpecValidator({"import": import_spec()}).validate({"import": dict(given)})
    if understood.error_messages:
        raise InvalidOption(f"{'; '.join(understood.error_messages).rstrip('.')}.")
    checked: dict[str, Any] = understood.validated_parameters
    return checked
