# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Log in with an identity of Google Cloud: a JWT that its key signs, or the machine's identity token. **Private**."""

from __future__ import annotations

import json
import time
from typing import Any, Mapping
from urllib.parse import quote

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library

_SIGNING = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# The server accepts up to 15 minutes by default. This allows for clocks that differ.
_SECONDS = 600


def signed_token(auth: Auth) -> str:
    """A JWT for a role: of type `iam` if the credentials can sign, else of type `gce`.

    Raises:
        LibraryMissing: google-auth is not installed.
        InvalidOption: there are no credentials, or Google Cloud refused them.
    """
    google, problems = library("google.auth"), library("google.auth.exceptions")
    audience = f"vault/{auth.role_id}"
    try:
        credentials, _project = google.default(scopes=[_SCOPE])
        request = library("google.auth.transport.requests").Request()
        if _is_of_machine(credentials):
            return _identity(request, audience)
        return _signed(credentials, audience)
    except (problems.GoogleAuthError, library("requests").RequestException) as error:
        # Its text may quote a response.
        raise InvalidOption(
            f"auth_method gcp: Google Cloud gave no identity ({type(error).__name__}). Set jwt or "
            "GOOGLE_APPLICATION_CREDENTIALS, or log in with: gcloud auth application-default login "
            "--impersonate-service-account=ACCOUNT"
        ) from None


def _is_of_machine(credentials: Any) -> bool:
    return isinstance(credentials, library("google.auth.compute_engine").Credentials)


def _identity(request: Any, audience: str) -> str:
    """The identity token of the machine that this runs on, with what the server checks of it."""
    made = library("google.auth.compute_engine").IDTokenCredentials(
        request, audience, use_metadata_identity_endpoint=True
    )
    made.refresh(request)
    return str(made.token)


def _signed(credentials: Any, audience: str) -> str:
    """A token that a service account signs: with its key, or by the API where the account is impersonated."""
    account = str(getattr(credentials, "service_account_email", None) or "")
    if not account:
        raise InvalidOption(
            "auth_method gcp: these credentials belong to no service account. Set GOOGLE_APPLICATION_CREDENTIALS to "
            "the key of one, or impersonate one with: gcloud auth application-default login "
            "--impersonate-service-account=ACCOUNT"
        )
    claims = {"sub": account, "aud": audience, "exp": int(time.time()) + _SECONDS}
    if isinstance(credentials, library("google.oauth2.service_account").Credentials):
        return str(library("google.auth.jwt").encode(credentials.signer, claims).decode("ascii"))
    return _signed_by_api(credentials, account, claims)


def _signed_by_api(credentials: Any, account: str, claims: Mapping[str, Any]) -> str:
    session = library("google.auth.transport.requests").AuthorizedSession(credentials)
    with session:
        answer = session.post(f"{_SIGNING}/{quote(account, safe='@')}:signJwt", json={"payload": json.dumps(claims)})
    signed = _signed_jwt(answer) if answer.status_code == 200 else ""
    if not signed:
        raise InvalidOption(
            f"auth_method gcp: {account} may not sign (HTTP status {answer.status_code}). It needs the role "
            "roles/iam.serviceAccountTokenCreator on itself."
        )
    return signed


def _signed_jwt(answer: Any) -> str:
    try:
        return str(answer.json()["signedJwt"])
    except (ValueError, LookupError, TypeError):
        return ""
