# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of a Kubernetes cluster as an auth method asks: whether the token of a service account is one of its own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.integration.support.jwts import Issuer
from tests.integration.support.relay import serving
from tests.integration.support.tls import Authority
from tests.support.server import Bao

ACCOUNT = {"namespace": "ml", "serviceaccount": {"name": "gateway", "uid": "u-1"}}


def token_of_an_account(issuer: Issuer) -> str:
    return issuer.token({"sub": "system:serviceaccount:ml:gateway", "kubernetes.io": ACCOUNT})


@contextlib.contextmanager
def cluster(bao: Bao, authority: Authority, token: str, mount: str, policies: list[str]) -> Iterator[None]:
    """An auth method at `auth/MOUNT` whose role `gateway` is for one service account, which has this token."""

    class TokenReview(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            good = self.path.endswith("/tokenreviews") and asked["spec"]["token"] == token
            user = {"username": "system:serviceaccount:ml:gateway", "uid": "u-1", "groups": []}
            status: dict[str, Any] = {"authenticated": True, "user": user} if good else {"authenticated": False}
            answer = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}
            content = json.dumps(answer).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
            pass

    with serving(TokenReview, authority.issue("cluster", ip="127.0.0.1")) as url:
        bao.done("POST", f"sys/auth/{mount}", {"type": "kubernetes"})
        config = {
            "kubernetes_host": url,
            "kubernetes_ca_cert": authority.certificate.read_text(encoding="ascii"),
            "disable_local_ca_jwt": True,
            "token_reviewer_jwt": "reviewer",
        }
        bao.done("POST", f"auth/{mount}/config", config)
        role = {
            "bound_service_account_names": ["gateway"],
            "bound_service_account_namespaces": ["ml"],
            "token_policies": policies,
        }
        bao.done("POST", f"auth/{mount}/role/gateway", role)
        yield
