# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider of OpenID Connect on loopback, at which everybody who comes logs in as one person."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.integration.support.clouds import Answering, Signer
from tests.integration.support.relay import serving

CLIENT, SECRET = "mlkeys", "oidc-client-canary-2d"

# Follows an address as a browser does. It is called with it.
BROWSER = """#!/bin/sh
exec {python} -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' "$1"
"""


@dataclass
class Provider:
    """What the provider does.

    Attributes:
        refuses: whether the person is refused.
        pending: how often somebody who asks for the token of a device must wait.
    """

    url: str = ""
    person: str = "ada"
    refuses: bool = False
    pending: int = 1
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    """An address of a provider, and what it does."""
    made, signer = Provider(), Signer()

    class Handler(Person):
        shared, keys = made, signer

    with serving(Handler) as made.url:
        yield made


class Person(Answering):
    """Serves a provider."""

    shared: Provider
    keys: Signer

    def do_GET(self) -> None:  # noqa: N802  the name is the base class's
        asked = urlsplit(self.path)
        if asked.path == "/.well-known/openid-configuration":
            self.answer(_configuration(self.shared.url))
        elif asked.path == "/keys":
            self.answer({"keys": [self.keys.jwk]})
        elif asked.path == "/auth":
            self._authorize({name: values[0] for name, values in parse_qs(asked.query).items()})
        else:
            self.answer("logged in")

    def _authorize(self, query: Mapping[str, str]) -> None:
        code = secrets.token_hex(8)
        self.shared.codes[code] = query
        refused = {"error": "access_denied", "error_description": "not today"}
        answer = refused if self.shared.refuses else {"code": code}
        where = f"{query['redirect_uri']}?{urlencode({**answer, 'state': query['state']})}"
        self.answer("", 302, {"Location": where})

    def do_POST(self) -> None:  # noqa: N802  so is this one
        sent = {name: values[0] for name, values in parse_qs(self.body().decode()).items()}
        if self.path == "/device":
            waiting = {"device_code": "device", "user_code": "ABCD-EFGH", "expires_in": 60, "interval": 1}
            self.answer({**waiting, "verification_uri": f"{self.shared.url}/activate"})
        elif sent.get("device_code") != "device":
            self._redeem(sent)
        elif self.shared.pending:
            self.shared.pending -= 1
            self.answer({"error": "authorization_pending"}, 400)
        else:
            self.answer(self._tokens({}))

    def _redeem(self, sent: Mapping[str, str]) -> None:
        query = self.shared.codes.pop(sent["code"], {})
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != query.get("code_challenge") or sent["redirect_uri"] != query["redirect_uri"]:
            self.answer({"error": "invalid_grant"}, 400)
        else:
            self.answer(self._tokens({"nonce": query["nonce"]}))

    def _tokens(self, claims: Mapping[str, str]) -> dict[str, object]:
        token = self.keys.token({"iss": self.shared.url, "aud": CLIENT, "sub": self.shared.person, **claims})
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token}


def _configuration(url: str) -> dict[str, object]:
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/auth",
        "token_endpoint": f"{url}/token",
        "device_authorization_endpoint": f"{url}/device",
        "jwks_uri": f"{url}/keys",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
