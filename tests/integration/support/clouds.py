# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not on this machine: auth methods of clouds, and the parts of clouds that they and their libraries ask.

OpenBao has no plugins for clouds. Their logins are answered here by a door before a real server: it verifies what the
login holds as the plugins of Vault document it, and gets a token of the server. All else passes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.integration.support.relay import serving
from tests.integration.support.tls import Pair
from tests.support.server import Bao

Check = Callable[[Mapping[str, Any]], str]


class Answering(BaseHTTPRequestHandler):
    """Answers in JSON."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        sent = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        if status == 204:
            sent = b""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/text" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
        pass


@contextlib.contextmanager
def door(bao: Bao, policy: str, checks: Mapping[str, Check], pair: Pair | None = None) -> Iterator[str]:
    """A server's address at which the methods mounted at these paths log in.

    Args:
        policy: of those that do.
        checks: by path of a login, what says why one is refused, or nothing.
    """

    class Door(Answering):
        def hand_on(self) -> None:
            path, sent = self.path.removeprefix("/v1/"), self.body()
            content = json.loads(sent) if sent else None
            if path in checks:
                self._log_in(checks[path](content or {}))
                return
            # Never the root token.
            token = self.headers.get("X-Vault-Token") or "none"
            status, answer = bao.request(self.command, path, content, token)
            self.answer(answer, status)

        def _log_in(self, refusal: str) -> None:
            if refusal:
                self.answer({"errors": [refusal]}, 400)
                return
            made = bao.done("POST", "auth/token/create", {"policies": [policy], "ttl": "1h"})
            self.answer({**made, "wrap_info": None})

        do_GET = do_POST = do_PUT = do_LIST = do_DELETE = hand_on  # noqa: N815  the names are the base class's

    with serving(Door, pair) as url:
        yield url


# --- AWS ---


def aws_check(secret: str, access_key: str, server_id: str, session: str = "") -> Check:
    """What STS and the plugin verify of a signed request, by the rules of Signature Version 4."""

    def problem(body: Mapping[str, Any]) -> str:
        url, content = _decoded(body["iam_request_url"]), _decoded(body["iam_request_body"])
        headers = {
            name.lower(): values[0] for name, values in json.loads(_decoded(body["iam_request_headers"])).items()
        }
        if body["iam_http_request_method"] != "POST" or content != "Action=GetCallerIdentity&Version=2011-06-15":
            return "not a request for the identity of the caller"
        if headers.get("x-vault-aws-iam-server-id", "") != server_id:
            return "wrong X-Vault-AWS-IAM-Server-ID"
        if headers.get("x-amz-security-token", "") != session:
            return "wrong session token"
        algorithm, _blank, rest = headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        user, day, region, service, _end = parts["Credential"].split("/")
        host = "sts.amazonaws.com" if region == "us-east-1" else f"sts.{region}.amazonaws.com"
        if (algorithm, user, service, url, headers["host"]) != (
            *("AWS4-HMAC-SHA256", access_key, "sts", f"https://{host}/", host),
        ):
            return "wrong scope"
        if not {"host", "x-amz-date"} | ({"x-vault-aws-iam-server-id"} if server_id else set()) <= set(
            parts["SignedHeaders"].split(";")
        ):
            return "a header is not signed"
        names = parts["SignedHeaders"].split(";")
        canonical = "\n".join(
            [
                *("POST", "/", "", *(f"{name}:{headers[name].strip()}" for name in names), ""),
                *(";".join(names), hashlib.sha256(content.encode()).hexdigest()),
            ]
        )
        scope = f"{day}/{region}/sts/aws4_request"
        text = "\n".join([algorithm, headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{secret}".encode()
        for part in (day, region, "sts", "aws4_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return "" if hmac.compare_digest(key.hex(), parts["Signature"]) else "SignatureDoesNotMatch"

    return problem


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


# --- tokens that are signed with RS256 ---


@dataclass
class Signer:
    """Signs JSON web tokens, and says why one that it should have signed is not accepted."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False)

    @property
    def pem(self) -> str:
        kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, kind, none).decode()

    @property
    def jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        size = {"n": numbers.n, "e": numbers.e}
        parts = {name: _url(number.to_bytes((number.bit_length() + 7) // 8)) for name, number in size.items()}
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", **parts}

    def token(self, claims: Mapping[str, Any]) -> str:
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": "one"}
        content = {"iat": now, "exp": now + 600, **claims}
        signed = ".".join(_url(json.dumps(part).encode()) for part in (header, content))
        return f"{signed}.{_url(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def made(self, token: str, account: str) -> bool:
        """Whether it signed a token for itself. Such a one is valid for longer than that of a login."""
        problem = self.check("", {"iss": account})({"jwt": token, "role": ""})
        return problem in ("", "expired, or valid for too long")

    def check(self, role: str, wanted: Mapping[str, Any]) -> Check:
        """Whether a login has a token with these claims, valid for at most 15 minutes."""

        def problem(body: Mapping[str, Any]) -> str:
            head, content, signature = body["jwt"].split(".")
            try:
                signed = f"{head}.{content}".encode()
                self.key.public_key().verify(_bytes(signature), signed, padding.PKCS1v15(), hashes.SHA256())
            except InvalidSignature:
                return "invalid signature"
            claims = json.loads(_bytes(content))
            if body["role"] != role or any(claims.get(name) != value for name, value in wanted.items()):
                return "claims do not match"
            return "" if time.time() < claims["exp"] <= time.time() + 900 else "expired, or valid for too long"

        return problem


def _url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- Google Cloud and Azure ---


@contextlib.contextmanager
def google_machine(signer: Signer) -> Iterator[str]:
    """The metadata server of a machine, as `HOST:PORT`. It issues identity tokens."""

    class Metadata(Answering):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            flavour = {"Metadata-Flavor": "Google"}
            if self.headers.get("Metadata-Flavor") != "Google" and asked.path != "/":
                self.answer("no flavour", 403)
            elif asked.path.endswith("/identity"):
                query = parse_qs(asked.query)
                machine = {"google": {"compute_engine": {"instance_name": "one"}}} if "full" in query["format"] else {}
                self.answer(signer.token({"aud": query["audience"][0], **machine}), headers=flavour)
            elif asked.path.endswith("/project-id"):
                self.answer("project", headers=flavour)
            else:
                self.answer({"email": "machine@project.iam", "scopes": [], "aliases": ["default"]}, headers=flavour)

    with serving(Metadata) as url:
        yield url.removeprefix("http://")


@contextlib.contextmanager
def google_accounts(signer: Signer, account: str) -> Iterator[str]:
    """Where one account gets a token of another, which may then sign as itself."""

    class Accounts(Answering):
        def do_POST(self) -> None:
            sent, bearer = self.body(), self.headers.get("Authorization")
            if self.path == "/token" and signer.made(parse_qs(sent.decode())["assertion"][0], "other@project"):
                self.answer({"access_token": "of-source", "expires_in": 600, "token_type": "Bearer"})
            elif self.path.endswith(f"/{account}:generateAccessToken") and bearer == "Bearer of-source":
                self.answer({"accessToken": "of-account", "expireTime": "2099-01-01T00:00:00Z"})
            elif self.path.endswith(f"/{account}:signJwt") and bearer == "Bearer of-account":
                self.answer({"keyId": "one", "signedJwt": signer.token(json.loads(json.loads(sent)["payload"]))})
            else:
                self.answer({"error": {"message": f"refused {bearer}"}}, 403)

    with serving(Accounts) as url:
        yield url


@contextlib.contextmanager
def azure_directory(signer: Signer, client: str, secret: str, pair: Pair) -> Iterator[str]:
    """The authority of a directory `tenant`. It issues tokens to an application."""

    class Directory(Answering):
        def do_GET(self) -> None:
            here = f"https://{self.headers['Host']}/tenant"
            self.answer(
                {
                    "issuer": f"{here}/v2.0",
                    "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{here}/oauth2/v2.0/token",
                }
            )

        def do_POST(self) -> None:
            asked = {name: values[0] for name, values in parse_qs(self.body().decode()).items()}
            if asked.get("client_id") != client or asked.get("client_secret") != secret:
                refused = {"error": "invalid_client", "error_description": f"refused {asked.get('client_secret')}"}
                self.answer(refused, 401)
                return
            audience = asked["scope"].removesuffix("/.default")
            token = signer.token({"aud": audience, "appid": client})
            self.answer({"access_token": token, "token_type": "Bearer", "expires_in": 600})

    with serving(Directory, pair) as url:
        yield url


@contextlib.contextmanager
def azure_machine(signer: Signer, header: str) -> Iterator[str]:
    """The identity endpoint of a machine. It issues tokens to anyone who knows the header."""

    class Identity(Answering):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if self.headers.get("X-IDENTITY-HEADER") != header:
                self.answer({"error": "no header"}, 401)
                return
            token = signer.token({"aud": query["resource"][0], "appid": query.get("client_id", ["none"])[0]})
            expires = str(int(time.time()) + 600)
            self.answer({"access_token": token, "expires_on": expires, "token_type": "Bearer", "resource": "r"})

    with serving(Identity) as url:
        yield f"{url}/msi/token"


@contextlib.contextmanager
def github(signer: Signer, token: str, pair: Pair) -> Iterator[str]:
    """Where a job of GitHub Actions asks for its JWT."""

    class Jobs(Answering):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if self.headers.get("Authorization") != f"bearer {token}" or query.get("api-version") != ["2.0"]:
                self.answer({"message": f"refused {self.headers.get('Authorization')}"}, 401)
                return
            audience = query.get("audience", ["https://github.com/owner"])[0]
            self.answer({"count": 1, "value": signer.token({"aud": audience, "sub": "repo:owner/name:ref:main"})})

    with serving(Jobs, pair) as url:
        yield f"{url}/request?api-version=2.0"
