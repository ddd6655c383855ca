# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The physical limit: the same requests over one open connection, with only the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

# The maximum number of ciphertexts in one request: OpenBao limits a request to 1,000 strings.
BATCH = 499

_IDLE_SECONDS = 60


class Raw:
    """One keep-alive connection."""

    def __init__(self, address: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc)
        self._used = time.monotonic()
        self._headers = {"X-Vault-Token": token, "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the data of the response."""
        # The server closes a connection that was not used for some minutes.
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._connection.close()
        self._connection.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        self._used = time.monotonic()
        if response.status >= 300:
            raise AssertionError(f"{method} {path}: HTTP {response.status}")
        return json.loads(content)["data"] if content else None

    def encrypt(self, key: str, values: Sequence[str]) -> list[str]:
        items = [{"plaintext": base64.b64encode(value.encode()).decode()} for value in values]
        return [result["ciphertext"] for result in self._batches(f"transit/encrypt/{key}", items)]

    def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
        items = [{"ciphertext": ciphertext} for ciphertext in ciphertexts]
        results = self._batches(f"transit/decrypt/{key}", items)
        return [base64.b64decode(result["plaintext"]).decode() for result in results]

    def rewrap(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
        items = [{"ciphertext": ciphertext} for ciphertext in ciphertexts]
        return [result["ciphertext"] for result in self._batches(f"transit/rewrap/{key}", items)]

    def read_keys(self, names: Iterable[str]) -> None:
        for name in names:
            self.call("GET", f"transit/keys/{name}")

    def create_keys(self, names: Iterable[str]) -> None:
        for name in names:
            self.call("POST", f"transit/keys/{name}", {})

    def _batches(self, path: str, items: Sequence[dict[str, str]]) -> list[Any]:
        results: list[Any] = []
        for begin in range(0, len(items), BATCH):
            results += self.call("POST", path, {"batch_input": items[begin : begin + BATCH]})["batch_results"]
        return results
