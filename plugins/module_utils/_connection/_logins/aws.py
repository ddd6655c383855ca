# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Log in with an identity of AWS: sign a request to its STS, which the server sends there. **Private**."""

from __future__ import annotations

import base64
import json
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library

_BODY = "Action=GetCallerIdentity&Version=2011-06-15"
_DEFAULT_REGION = "us-east-1"


def signed_request(auth: Auth) -> dict[str, Any]:
    """The body of the login: a request to STS with a signature, which holds no secret and is valid for minutes.

    Raises:
        LibraryMissing: botocore is not installed.
        InvalidOption: there are no credentials.
    """
    region = auth.region or _DEFAULT_REGION
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    if auth.aws_iam_server_id:
        headers["X-Vault-AWS-IAM-Server-ID"] = auth.aws_iam_server_id
    request = library("botocore.awsrequest").AWSRequest("POST", _sts(region), headers=headers, data=_BODY)
    library("botocore.auth").SigV4Auth(_credentials(auth), "sts", region).add_auth(request)
    # The signature covers the name of the host, which only the HTTP library would add.
    signed = {"Host": _sts(region).split("/")[2], **dict(request.headers.items())}
    body = {
        "iam_http_request_method": "POST",
        "iam_request_url": _encoded(_sts(region)),
        "iam_request_body": _encoded(_BODY),
        "iam_request_headers": _encoded(json.dumps({name: [value] for name, value in signed.items()})),
    }
    return {"role": auth.role_id, **body} if auth.role_id else body


def _sts(region: str) -> str:
    """The address of STS in a region. That of the default one is the global one, which the server asks by default."""
    if region == _DEFAULT_REGION:
        return "https://sts.amazonaws.com/"
    return f"https://sts.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}/"


def _credentials(auth: Auth) -> Any:
    """The given ones, else those of the profile, else what botocore finds: environment, files, roles of the machine."""
    if auth.aws_access_key:
        found = library("botocore.credentials").Credentials(
            auth.aws_access_key, auth.aws_secret_key, auth.aws_security_token or None
        )
        return found.get_frozen_credentials()
    session = library("botocore.session").Session(profile=auth.aws_profile or None)
    problems = library("botocore.exceptions").BotoCoreError
    try:
        chain = session.get_credentials()
        found = chain and chain.get_frozen_credentials()
    except problems as error:
        # Its text may quote a response.
        raise InvalidOption(f"auth_method aws_iam: AWS gave no credentials ({type(error).__name__}).") from None
    if not found:
        raise InvalidOption(
            "auth_method aws_iam: no AWS credentials were found. Set aws_access_key and aws_secret_key, aws_profile, "
            "or what the AWS CLI uses."
        )
    return found


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
