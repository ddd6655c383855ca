# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One encrypted vars file with its engine: run the module on it, and look at what came of it without it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.support.runs import Ledger, outcome
from tests.support.modules import ModuleResult, run_module
from tests.support.server import Bao

KEY = "ml-api-key"
SECRETS = {"openai_api_key": "sk-first-secret", "anthropic_api_key": "sk-ant-second-secret"}
# Action and reason of an entry to which nothing happens.
KEPT = ("kept", "")
# The same for one that is not among the secrets of a task.
UNDECLARED = ("kept", "not declared")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class VarsFile:
    bao: Bao
    mount: str
    path: Path

    def make_key(self, name: str = KEY, **body: object) -> None:
        self.bao.done("POST", f"{self.mount}/keys/{name}", body)

    def rotate(self, name: str = KEY) -> None:
        self.bao.done("POST", f"{self.mount}/keys/{name}/rotate", {})

    def configure(self, name: str = KEY, **body: object) -> None:
        self.bao.done("POST", f"{self.mount}/keys/{name}/config", body)

    def keys(self) -> list[str]:
        status, body = self.bao.request("LIST", f"{self.mount}/keys")
        return list(body["data"]["keys"]) if status == 200 else []

    def run(
        self, secrets: Mapping[str, object] | str | None = None, *, check: bool = False, **params: Any
    ) -> ModuleResult:
        arguments = {
            **self.bao.login,
            "path": str(self.path),
            "backend": self.mount,
            "key": KEY,
            "secrets": secrets or {},
            **params,
        }
        result = run_module("vault_transit_vars", arguments, check=check)
        shown = json.dumps(result)
        assert "Traceback" not in shown
        for value in secrets.values() if isinstance(secrets, Mapping) else [secrets]:
            # By this word of theirs the values that may not show are known.
            assert "secret" not in str(value) or str(value) not in shown, "a secret shows in the result"
        return result

    def converge(self, secrets: Mapping[str, object] | None = None, **params: Any) -> ModuleResult:
        """Predict, do it, do it again: the prediction is what happens and writes nothing, and then nothing is left."""
        before = self.state()
        predicted = self.run(secrets, check=True, **params)
        assert not predicted.failed, predicted.msg
        assert self.state() == before, "check mode wrote"
        done = self.run(secrets, **params)
        assert not done.failed, done.msg
        assert outcome(predicted) == outcome(done)
        after = self.state()
        assert done.changed is (before != after)
        again = self.run(secrets, **params)
        assert (again.failed, again.changed) == (False, False), again
        assert self.state() == after
        return done

    def refused(self, secrets: Mapping[str, object] | None = None, **params: Any) -> str:
        """What a run says that fails, and that it leaves the file and the keys as they were."""
        before, keys = self.state(), self.keys()
        result = self.run(secrets, **params)
        assert result.failed, result
        assert not result.changed
        assert self.state() == before
        assert self.keys() == keys
        assert "\n" not in result.msg
        assert "exception" not in result
        return result.msg

    def state(self) -> tuple[bytes, int, int] | None:
        """All that an unchanged file keeps: its bytes, when they were written, its mode."""
        if not self.path.exists():
            return None
        status = self.path.stat()
        return self.path.read_bytes(), status.st_mtime_ns, status.st_mode

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def variables(self) -> dict[str, Any]:
        """What Ansible reads from the file."""
        content: dict[str, Any] = yaml.load(self.text(), Loader=yaml.CSafeLoader)
        return content

    def ciphertexts(self) -> dict[str, str]:
        return {name: value for name, value in self.variables().items() if name != "_transit"}

    def fingerprints(self) -> dict[str, str]:
        """The HMACs, without the digests of the ciphertexts that they are for."""
        return {name: text.split()[0] for name, text in self.variables()["_transit"]["hmac"].items()}

    def digests(self) -> dict[str, str]:
        """Of the ciphertexts that the fingerprints are for, empty where they do not say."""
        return {name: text.partition(" ")[2] for name, text in self.variables()["_transit"]["hmac"].items()}

    def put(self, name: str, value: str, *, hmac: bool = False) -> None:
        """Change one line, as a merge does: the ciphertext of an entry, or what is stored as its hmac."""
        indent = " +" if hmac else ""
        text, count = re.subn(rf"(?m)^({indent}{name}: )vault:.*$", rf"\g<1>{value}", self.text())
        assert count == 1
        self.path.write_text(text, encoding="utf-8")

    def plaintexts(self, key: str = KEY) -> dict[str, str]:
        """What the server decrypts the entries to, each under its own name."""
        return {name: self.decrypt(name, text, key) for name, text in self.ciphertexts().items()}

    def decrypt(self, context: str, ciphertext: str, key: str = KEY) -> str:
        body = {"ciphertext": ciphertext, "context": encoded(context)}
        answer = self.bao.done("POST", f"{self.mount}/decrypt/{key}", body)
        return base64.b64decode(answer["data"]["plaintext"]).decode()

    def versions(self) -> dict[str, int]:
        return {name: int(text.split(":")[1][1:]) for name, text in self.ciphertexts().items()}

    def requests(self, ledger: Ledger) -> list[str]:
        """The operations asked of the engine since then; lists are those of `keys` here."""
        return [
            path.split("/")[1]
            for operation, path in ledger.requests
            if path.startswith(self.mount + "/") and operation != "list"
        ]


def actions(result: ModuleResult) -> dict[str, tuple[str, str]]:
    """What a run says of each entry: action and reason."""
    return {entry["name"]: (entry["action"], entry["reason"]) for entry in result["entries"]}
