# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins with identities of clouds and of CI jobs, by the clouds' own libraries, over TLS with a private CA."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins import gcp

from mlkeys._devserver.server import without_server_settings
from tests.integration.conftest import SecureBao
from tests.integration.support.clouds import (
    Signer,
    aws_check,
    azure_directory,
    azure_machine,
    door,
    github,
    google_accounts,
    google_machine,
)
from tests.integration.support.plays import (
    CALLBACK,
    VARS_PLUGIN,
    Project,
    make_key,
    messages,
    tasks_of_all_kinds,
    vars_file,
)
from tests.support.modules import ModuleResult, run_module

Environment = dict[str, str]

PLAINTEXT = "sk-cloud-canary-3Vd"
ACCESS_KEY, SECRET_KEY, SESSION = "AKIA" + "FAKE" * 4, "aws-canary-Qd7/x+", "aws-session-canary-9f"
CLIENT, CLIENT_SECRET = "7a1c9a4e-0000-4000-8000-000000000001", "azure-canary-Bz3"
ACCOUNT = "gateway@project.iam.gserviceaccount.com"
RESOURCE = "https://management.azure.com/"
CANARIES = (SECRET_KEY, SESSION, CLIENT_SECRET, "github-canary-Tk", "BEGIN PRIVATE KEY")

# Nothing of this machine: no files, no metadata server.
ISOLATED = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_GCE_CHECK": "true",
    "CLOUDSDK_CONFIG": os.devnull,
}


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def url(secure_bao: SecureBao, signer: Signer) -> Iterator[str]:
    bao = secure_bao.bao
    rules = 'path "clouds/*" { capabilities = ["read", "update"] }'
    bao.done("PUT", "sys/policies/acl/clouds", {"policy": rules})
    # One of its own: other tests delete keys of the other.
    bao.done("POST", "sys/mounts/clouds", {"type": "transit"})
    make_key(bao, "clouds")
    checks = {
        "auth/aws/login": aws_check(SECRET_KEY, ACCESS_KEY, "bao.example.com"),
        "auth/sessions/login": aws_check(SECRET_KEY, ACCESS_KEY, "", SESSION),
        "auth/gcp/login": signer.check("gateway", {"sub": ACCOUNT, "aud": "vault/gateway"}),
        "auth/machines/login": signer.check(
            "gateway", {"aud": "vault/gateway", "google": {"compute_engine": {"instance_name": "one"}}}
        ),
        "auth/azure/login": signer.check("gateway", {"aud": RESOURCE, "appid": CLIENT}),
    }
    with door(bao, "clouds", checks, secure_bao.authority.issue("door", ip="127.0.0.1")) as address:
        yield address
    bao.done("DELETE", "sys/mounts/clouds")


@pytest.fixture(scope="module")
def elsewhere(signer: Signer, secure_bao: SecureBao) -> Iterator[Environment]:
    """What variables name: parts of the clouds."""
    pair = secure_bao.authority.issue("clouds", ip="127.0.0.1")
    with (
        google_machine(signer) as metadata,
        azure_directory(signer, CLIENT, CLIENT_SECRET, pair) as directory,
        azure_machine(signer, "header") as identity,
        github(signer, "github-canary-Tk", pair) as jobs,
    ):
        yield {"google": metadata, "azure": directory, "identity": identity, "github": jobs}


@pytest.fixture
def run(secure_bao: SecureBao, url: str, both_ways: None) -> Any:
    def run(method: str, env: dict[str, str] | None = None, **options: Any) -> ModuleResult:
        where = {"url": url, "ca_cert": secure_bao.ca_cert, "auth_method": method, **options}
        key = {"name": "ml", "backend": "clouds", "derived": True}
        result = run_module("vault_transit_key", {**key, **where}, env={**ISOLATED, **(env or {})})
        assert "Traceback" not in json.dumps(result)
        assert not [canary for canary in CANARIES if canary in json.dumps(result)]
        return result

    return run


def worked(result: ModuleResult) -> bool:
    assert not result.failed, result.msg
    return True


AWS = {"aws_access_key": ACCESS_KEY, "aws_secret_key": SECRET_KEY, "aws_iam_server_id": "bao.example.com"}


# --- AWS ---


def test_aws_by_options(run: Any) -> None:
    for region in ({}, {"region": "eu-central-1"}):
        assert worked(run("aws_iam", **AWS, **region))
    renamed = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    assert worked(run("aws_iam", **renamed, aws_iam_server_id="bao.example.com", role_id="gateway"))


def test_aws_by_the_environment(run: Any, tmp_path: Path) -> None:
    session = {"AWS_SESSION_TOKEN": SESSION, "AWS_REGION": "us-west-2"}
    pair = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    assert worked(run("aws_iam", {**pair, **session}, mount_point="sessions"))
    old = {"EC2_ACCESS_KEY": ACCESS_KEY, "EC2_SECRET_KEY": SECRET_KEY, "EC2_SECURITY_TOKEN": SESSION}
    assert worked(run("aws_iam", old, mount_point="sessions"))
    file = tmp_path / "credentials"
    content = f"[gateway]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    file.write_text(content, encoding="ascii")
    wrong = {"AWS_ACCESS_KEY_ID": "AKIAOTHER", "AWS_SECRET_ACCESS_KEY": "other"}
    files = {**wrong, "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    assert worked(run("aws_iam", files, boto_profile="gateway", aws_iam_server_id="bao.example.com"))
    missing = run("aws_iam", files, aws_profile="nobody")
    assert missing.msg == "auth_method aws_iam: AWS gave no credentials (ProfileNotFound)."


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"aws_secret_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"aws_iam_server_id": "other"}, "wrong X-Vault-AWS-IAM-Server-ID"),
        ({"aws_access_key": "AKIAOTHER"}, "wrong scope"),
    ],
)
def test_aws_is_refused(run: Any, wrong: dict[str, str], reason: str) -> None:
    result = run("aws_iam", **{**AWS, **wrong})
    assert result.msg.startswith(
        f"The login with aws_iam at 'auth/aws/login' was refused: {reason}. Check the credentials and mount_point. "
    )


def test_aws_without_credentials(run: Any) -> None:
    assert run("aws_iam").msg.startswith("auth_method aws_iam: no AWS credentials were found. Set aws_access_key and")
    said = run("aws_iam", aws_access_key="AKIA").msg
    assert said.startswith("aws_access_key and aws_secret_key must be set together: set aws_secret_key (")


# --- Google Cloud ---


@pytest.fixture
def account(signer: Signer, tmp_path: Path) -> Environment:
    file = tmp_path / "account.json"
    content = {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "one",
        "private_key": signer.pem,
        "client_email": ACCOUNT,
        "token_uri": "https://127.0.0.1:1/never-asked",
    }
    file.write_text(json.dumps(content), encoding="ascii")
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}


def test_google_by_the_key_of_an_account(run: Any, account: Environment) -> None:
    assert worked(run("gcp", account, role_id="gateway"))
    refused = run("gcp", account, role_id="other")
    assert refused.msg.startswith("The login with gcp at 'auth/gcp/login' was refused: claims do not match.")


def test_google_by_a_token_that_is_given(run: Any, signer: Signer) -> None:
    token = signer.token({"sub": ACCOUNT, "aud": "vault/gateway"})
    assert worked(run("gcp", role_id="gateway", jwt=token))
    wrong = run("gcp", role_id="gateway", jwt=Signer().token({"sub": ACCOUNT, "aud": "vault/gateway"}))
    assert "was refused: invalid signature." in wrong.msg


def test_google_without_an_identity(run: Any, tmp_path: Path) -> None:
    assert run("gcp", role_id="gateway").msg.startswith(
        "auth_method gcp: Google Cloud gave no identity (DefaultCredentialsError). Set jwt or"
    )
    file = tmp_path / "user.json"
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    file.write_text(json.dumps(user), encoding="ascii")
    found = run("gcp", {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}, role_id="gateway").msg
    assert found.startswith("auth_method gcp: these credentials belong to no service account.")


def test_google_by_an_account_that_is_impersonated(
    run: Any, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "impersonated.json"
    with google_accounts(signer, ACCOUNT) as url:
        # Both addresses are fixed.
        accounts = f"{url}/v1/projects/-/serviceAccounts"
        monkeypatch.setattr(gcp, "_SIGNING", accounts)
        monkeypatch.setattr("google.auth.iam._IAM_ENDPOINT", accounts + "/{}:generateAccessToken")
        source = {"type": "service_account", "client_email": "other@project", "token_uri": f"{url}/token"}
        for account, message in ((ACCOUNT, ""), ("nobody@project", "Google Cloud gave no identity (RefreshError)")):
            content = {
                "type": "impersonated_service_account",
                "service_account_impersonation_url": f"{accounts}/{account}:generateAccessToken",
                "source_credentials": {**source, "private_key": signer.pem, "private_key_id": "one"},
            }
            file.write_text(json.dumps(content), encoding="ascii")
            result = run("gcp", {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}, role_id="gateway")
            assert result.failed is bool(message), result.msg
            assert message in result.msg


# --- Azure ---


@pytest.fixture
def application(elsewhere: Environment, secure_bao: SecureBao) -> dict[str, Any]:
    authority = {"AZURE_AUTHORITY_HOST": elsewhere["azure"], "REQUESTS_CA_BUNDLE": secure_bao.ca_cert}
    options = {"azure_tenant_id": "tenant", "azure_client_id": CLIENT, "azure_client_secret": CLIENT_SECRET}
    return {"env": authority, "role_id": "gateway", **options}


def test_azure_by_an_application(run: Any, application: dict[str, Any]) -> None:
    assert worked(run("azure", **application))
    wrong = run("azure", **{**application, "azure_client_secret": "wrong-canary-2"})
    assert wrong.msg.startswith(f"auth_method azure: Azure gave no token for {RESOURCE}. Check azure_tenant_id,")
    assert "wrong-canary-2" not in json.dumps(wrong)
    other = run("azure", **application, azure_resource="https://other.example.com")
    assert "was refused: claims do not match." in other.msg


def test_azure_by_the_identity_of_the_machine(run: Any, elsewhere: Environment) -> None:
    env = {"IDENTITY_ENDPOINT": elsewhere["identity"], "IDENTITY_HEADER": "header"}
    assert worked(run("azure", env, role_id="gateway", azure_client_id=CLIENT))


def test_azure_by_a_token_that_is_given(run: Any, signer: Signer) -> None:
    assert worked(run("azure", role_id="gateway", jwt=signer.token({"aud": RESOURCE, "appid": CLIENT})))


def test_azure_needs_all_of_an_application(run: Any) -> None:
    message = run("azure", role_id="gateway", azure_client_secret=CLIENT_SECRET).msg
    assert message.startswith("azure_client_secret requires azure_tenant_id (ANSIBLE_HASHI_VAULT_AZURE_TENANT_ID, ")
    assert " and azure_client_id (ANSIBLE_HASHI_VAULT_AZURE_CLIENT_ID, " in message


@pytest.mark.parametrize(
    ("method", "module", "package", "extra"),
    [
        ("aws_iam", "botocore.awsrequest", "botocore", "aws"),
        ("azure", "azure.identity", "azure-identity", "azure"),
        ("gcp", "google.auth", "google-auth", "gcp"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    run: Any, monkeypatch: pytest.MonkeyPatch, method: str, module: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    message = run(method, role_id="gateway").msg
    assert f"Failed to import the required Python library ({package})" in message
    assert (
        f"Install it: pip install {package}, or pip install 'mlkeys[{extra}]'; in an execution environment," in message
    )


# --- jobs of CI, at the real method ---


@pytest.fixture(scope="module")
def ci(secure_bao: SecureBao, signer: Signer) -> Iterator[None]:
    bao = secure_bao.bao
    key = signer.key.public_key()
    from cryptography.hazmat.primitives import serialization

    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    bao.done("POST", "sys/auth/ci", {"type": "jwt"})
    bao.done("POST", "auth/ci/config", {"jwt_validation_pubkeys": [pem]})
    role = {"role_type": "jwt", "user_claim": "sub", "token_policies": ["clouds"]}
    bao.done("POST", "auth/ci/role/default", {**role, "bound_audiences": ["https://github.com/owner"]})
    bao.done("POST", "auth/ci/role/named", {**role, "bound_audiences": ["mlkeys"]})
    yield
    bao.done("DELETE", "sys/auth/ci")


@pytest.fixture
def job(elsewhere: Environment, secure_bao: SecureBao) -> Environment:
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": elsewhere["github"],
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "github-canary-Tk",
        "SSL_CERT_FILE": secure_bao.ca_cert,
    }


def test_a_job_of_github_actions(run: Any, ci: None, job: Environment) -> None:
    assert worked(run("jwt", job, role_id="default", mount_point="ci"))
    assert worked(run("jwt", job, role_id="named", mount_point="ci", jwt_audience="mlkeys"))
    refused = run("jwt", {**job, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong-canary"}, role_id="default", mount_point="ci")
    assert refused.msg == (
        "GitHub Actions gave no JWT for this job (HTTP status 401). Does the job have the permission 'id-token: write'?"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SSL_CERT_FILE": ""}, "the certificate of ACTIONS_ID_TOKEN_REQUEST_URL could not be verified."),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "https://127.0.0.1:1/"}, "ACTIONS_ID_TOKEN_REQUEST_URL did not respond."),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1/"}, "must start with https://."),
        ({"ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, "VAULT_ID_TOKEN or the variable ansible_hashi_vault_jwt)."),
    ],
)
def test_the_token_of_a_job_is_sent_to_nobody_else(
    run: Any, ci: None, job: Environment, change: dict[str, str], message: str
) -> None:
    assert run("jwt", {**job, **change}, role_id="default", mount_point="ci").msg.endswith(message)


def test_a_job_of_gitlab(run: Any, ci: None, signer: Signer) -> None:
    token = signer.token({"aud": "mlkeys", "sub": "project_path:owner/name"})
    assert worked(run("jwt", {"VAULT_ID_TOKEN": token}, role_id="named", mount_point="ci"))


# --- everything that logs in ---


def by_aws(_elsewhere: Environment) -> Environment:
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    return {**keys, **named(auth_method="aws_iam", aws_iam_server_id="bao.example.com")}


def by_google(elsewhere: Environment) -> Environment:
    # The library reads these when it is imported.
    place = dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"), elsewhere["google"])
    return {**place, "NO_GCE_CHECK": "", **named(auth_method="gcp", role_id="gateway", mount_point="machines")}


def by_azure(elsewhere: Environment) -> Environment:
    identity = {"IDENTITY_ENDPOINT": elsewhere["identity"], "IDENTITY_HEADER": "header"}
    return {**identity, **named(auth_method="azure", role_id="gateway", azure_client_id=CLIENT)}


def named(**options: str) -> Environment:
    return {f"ANSIBLE_HASHI_VAULT_{name.upper()}": value for name, value in options.items()}


@pytest.mark.parametrize("way", [by_aws, by_google, by_azure], ids=lambda way: str(way.__name__))
def test_all_that_needs_a_login_logs_in(
    secure_bao: SecureBao, url: str, elsewhere: Environment, tmp_path: Path, way: Any
) -> None:
    where = {"BAO_ADDR": url, "BAO_CACERT": secure_bao.ca_cert, "BAO_TOKEN": "s.environment-canary"}
    environment = {**ISOLATED, **where, **way(elsewhere)}
    project = Project(tmp_path, environment)
    project.hosts(1)
    project.write("group_vars/gateways/keys.transit.yml", vars_file(secure_bao.bao, "clouds", {"token": PLAINTEXT}))
    project.play(tasks_of_all_kinds("clouds"))
    done = project.run("-vvv", env={**CALLBACK, **VARS_PLUGIN})
    assert messages(done.stdout) == ["by lookup", PLAINTEXT]
    assert shown(tmp_path, environment) == (PLAINTEXT, "")
    assert not [canary for canary in CANARIES if canary in done.stdout + done.stderr]


def shown(folder: Path, environment: Environment) -> tuple[str, str]:
    """What a process of its own shows, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "mlkeys", "show", "group_vars/gateways", "token", "--reveal", "--force"],
        env={**without_server_settings(os.environ), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


def test_a_job_of_github_actions_runs_mlkeys(
    secure_bao: SecureBao, url: str, ci: None, job: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "group_vars/gateways/keys.transit.yml"
    file.parent.mkdir(parents=True)
    file.write_text(vars_file(secure_bao.bao, "clouds", {"token": PLAINTEXT}), encoding="utf-8")
    where = {"BAO_ADDR": url, "BAO_CACERT": secure_bao.ca_cert}
    login = named(auth_method="jwt", role_id="named", mount_point="ci", jwt_audience="mlkeys")
    assert shown(tmp_path, {**where, **job, **login}) == (PLAINTEXT, "")
