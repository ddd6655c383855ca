# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to single secrets of one key: granted secrets decrypt, and nothing circumvents the grant."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ItemsFailed, PermissionDenied
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item

from tests.integration.support.plays import encrypted, make_key
from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import VarsFile, actions
from tests.support.server import Bao

MINE, OTHER = "openai_api_key", "anthropic_api_key"
VALUES = {MINE: "sk-mine-canary-1", OTHER: "sk-other-canary-2"}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Held:
    """A token for one secret, and the ciphertexts of two."""

    bao: Bao
    mount: str
    token: str
    ciphertexts: dict[str, str]

    def send(
        self,
        body: str | bytes,
        *,
        query: str = "",
        kind: str = "application/json",
        use: str = "decrypt",
        key: str = "ml",
        **headers: str,
    ) -> tuple[int, str]:
        """One request as it stands: no client tidies it up."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.bao.addr).netloc, timeout=10)
        try:
            connection.request(
                "POST",
                f"/v1/{self.mount}/{use}/{key}{query}",
                body,
                {"X-Vault-Token": self.token, "Content-Type": kind, **headers},
            )
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def send_json(self, **fields: Any) -> tuple[int, str]:
        return self.send(json.dumps(fields))

    def keeps_the_other(self, status: int, text: str) -> None:
        assert b64(VALUES[OTHER]) not in text
        # What was granted may come instead.
        assert status >= 400 or b64(VALUES[MINE]) in text, text


@pytest.fixture
def held(bao: Bao, mount: str, mint_token: Callable[[str], str]) -> Held:
    make_key(bao, mount)
    token = mint_token(hcl(grant_rules("decrypt", mount, "ml", [MINE])))
    return Held(bao, mount, token, encrypted(bao, mount, VALUES))


def test_the_granted_one_decrypts(held: Held) -> None:
    status, text = held.send_json(ciphertext=held.ciphertexts[MINE], context=b64(MINE))
    assert status == 200
    assert json.loads(text)["data"]["plaintext"] == b64(VALUES[MINE])


def bodies(mine: str, other: str) -> dict[str, str]:
    """Ways to ask for the other secret, or for more than was granted."""
    ours, theirs = b64(MINE), b64(OTHER)
    item = {"ciphertext": other, "context": theirs}
    whole: dict[str, Any] = {"ciphertext": other, "context": theirs}
    start = f'{{"ciphertext": "{other}", "context": '
    return {
        "another context": json.dumps(whole),
        "another secret's ciphertext": json.dumps({"ciphertext": other, "context": ours}),
        "no context": json.dumps({"ciphertext": other}),
        "a batch": json.dumps({"batch_input": [item]}),
        "a batch beside what is allowed": json.dumps({"ciphertext": mine, "context": ours, "batch_input": [item]}),
        "a batch in capitals": json.dumps({"ciphertext": mine, "context": ours, "BATCH_INPUT": [item]}),
        "capitals": json.dumps({"CIPHERTEXT": other, "CONTEXT": theirs}),
        "a context in capitals": json.dumps({"ciphertext": other, "context": ours, "Context": theirs}),
        "contexts in a list": json.dumps({"ciphertext": other, "context": [ours, theirs]}),
        "the other context in a list": json.dumps({"ciphertext": other, "context": [theirs]}),
        "ciphertexts in a list": json.dumps({"ciphertext": [other], "context": theirs}),
        "a context that is an object": json.dumps({"ciphertext": other, "context": {"0": theirs}}),
        "a context of null": json.dumps({"ciphertext": other, "context": None}),
        "repeated names, the allowed one first": f'{start}"{ours}", "context": "{theirs}"}}',
        "repeated names, the allowed one last": f'{start}"{theirs}", "context": "{ours}"}}',
        "repeated ciphertexts": f'{{"ciphertext": "{mine}", "context": "{theirs}", "ciphertext": "{other}"}}',
        "a name that is escaped": f'{start}"{ours}", "conte\\u0078t": "{theirs}"}}',
        "blanks in the context": json.dumps({"ciphertext": other, "context": f" {theirs}"}),
        "more than is allowed": json.dumps({**whole, "context": ours, "associated_data": ""}),
        "two documents": json.dumps({"ciphertext": mine, "context": ours}) + json.dumps(whole),
        "two documents, the allowed one last": json.dumps(whole) + json.dumps({"ciphertext": mine, "context": ours}),
        "a list": json.dumps([whole]),
        "nothing": "{}",
    }


@pytest.mark.parametrize("way", bodies("", ""))
def test_no_body_leads_to_the_other(held: Held, way: str) -> None:
    held.keeps_the_other(*held.send(bodies(held.ciphertexts[MINE], held.ciphertexts[OTHER])[way]))


@pytest.mark.parametrize("ours_first", [True, False])
def test_no_query_leads_to_the_other(held: Held, ours_first: bool) -> None:
    theirs = {"ciphertext": held.ciphertexts[OTHER], "context": b64(OTHER)}
    query = "?" + urllib.parse.urlencode(theirs)
    for body in ({}, {"ciphertext": held.ciphertexts[OTHER], "context": b64(MINE)}, theirs):
        held.keeps_the_other(*held.send(json.dumps(body), query=query))
    both = [("context", b64(MINE)), ("context", b64(OTHER))]
    pairs = [("ciphertext", held.ciphertexts[OTHER]), *(both if ours_first else both[::-1])]
    held.keeps_the_other(*held.send("{}", query="?" + urllib.parse.urlencode(pairs)))


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-16"]
)
def test_no_encoding_leads_to_the_other(held: Held, kind: str) -> None:
    whole = {"ciphertext": held.ciphertexts[OTHER], "context": b64(OTHER)}
    for body in (urllib.parse.urlencode(whole), json.dumps(whole)):
        held.keeps_the_other(*held.send(body, kind=kind))
    form = urllib.parse.urlencode([*whole.items(), ("context", b64(MINE))])
    held.keeps_the_other(*held.send(form, kind=kind))
    held.keeps_the_other(*held.send(json.dumps({**whole, "context": b64(MINE)}), query="?" + form, kind=kind))


@pytest.mark.parametrize("use", ["rewrap", "encrypt", "hmac", "datakey/plaintext", "export/encryption-key", "backup"])
def test_no_other_use_leads_to_it(held: Held, use: str) -> None:
    body = {"ciphertext": held.ciphertexts[OTHER], "context": b64(OTHER), "plaintext": "", "input": ""}
    for context in (MINE, OTHER):
        assert held.send(json.dumps({**body, "context": b64(context)}), use=use)[0] in (403, 405)


@pytest.mark.parametrize("path", ["ml/", "/ml", "ml%2f", "%6dl", "./ml", "../decrypt/ml", "ml/.", "ml%00", "ml?x"])
def test_no_spelling_of_the_path_leads_to_it(held: Held, path: str) -> None:
    body = json.dumps({"ciphertext": held.ciphertexts[OTHER], "context": b64(OTHER)})
    status, text = held.send(body, key=path)
    assert b64(VALUES[OTHER]) not in text
    assert status >= 300, text


def test_no_header_circumvents_the_grant(held: Held) -> None:
    whole = json.dumps({"ciphertext": held.ciphertexts[OTHER], "context": b64(OTHER)})
    for name, value in (("X-HTTP-Method-Override", "GET"), ("X-Vault-Namespace", ""), ("X-Vault-Policy-Override", "1")):
        held.keeps_the_other(*held.send(whole, **{name: value}))


@pytest.mark.parametrize("use", ["encrypt", "rewrap"])
def test_encrypting_and_rewrapping_are_for_the_granted_one_alone(
    bao: Bao, mount: str, mint_token: Callable[[str], str], use: str
) -> None:
    make_key(bao, mount)
    ciphertexts = encrypted(bao, mount, VALUES)
    token = mint_token(hcl(grant_rules(use, mount, "ml", [MINE])))
    value = {"encrypt": {"plaintext": b64("x")}, "rewrap": {"ciphertext": ciphertexts[MINE]}}[use]
    path = f"{mount}/{use}/ml"
    assert bao.request("POST", path, {**value, "context": b64(MINE)}, token)[0] == 200
    for body in (
        {**value, "context": b64(OTHER)},
        value,
        {"batch_input": [{**value, "context": b64(MINE)}]},
        {**value, "context": b64(MINE), "associated_data": ""},
    ):
        assert bao.request("POST", path, body, token)[0] == 403, body


def test_several_secrets_are_granted_together(bao: Bao, mount: str, mint_token: Callable[[str], str]) -> None:
    make_key(bao, mount)
    third = "hf_token"
    values = {**VALUES, third: "hf-canary"}
    ciphertexts = encrypted(bao, mount, values)
    token = mint_token(
        hcl([*grant_rules("decrypt", mount, "ml", [MINE]), *grant_rules("decrypt", mount, "ml", [third])])
    )
    allowed = {
        name: bao.request("POST", f"{mount}/decrypt/ml", {"ciphertext": text, "context": b64(name)}, token)[0]
        for name, text in ciphertexts.items()
    }
    assert allowed == {MINE: 200, OTHER: 403, third: 200}


# The collection with such a token


def test_a_vars_file_is_kept_by_who_may_encrypt_one_secret(
    bao: Bao, mount: str, mint_token: Callable[[str], str], tmp_path: Path
) -> None:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key("ml", derived=True)
    uses: dict[str, list[str]] = {"encrypt": [MINE], "rewrap": [MINE], "verify": []}
    token = mint_token(hcl([rule for use, names in uses.items() for rule in grant_rules(use, mount, "ml", names)]))
    run: dict[str, Any] = {"key": "ml", "token": token}
    assert actions(file.converge({MINE: "sk-secret-1"}, **run))[MINE][0] == "added"
    file.rotate("ml")
    assert actions(file.converge({MINE: "sk-secret-1"}, **run))[MINE][0] == "rewrapped"
    refused = file.run({MINE: "sk-secret-2", OTHER: "sk-secret-3"}, **run)
    assert refused.failed
    assert refused.msg == (
        f"encrypt failed for 1 of 2 items at {mount}/encrypt/ml: item 2 ({OTHER}): "
        "the token's policies do not allow it for this name: add the name to 'secrets' of the grant. "
        f"Asked: {bao.addr}, the root namespace. Check: bao token capabilities -address={bao.addr} {mount}/encrypt/ml."
    )
    assert actions(file.converge({MINE: "sk-secret-1"}, **run))[MINE][0] == "kept"


def test_a_token_without_rights_gets_an_error_after_a_few_tries(
    bao: Bao, mount: str, mint_token: Callable[[str], str]
) -> None:
    make_key(bao, mount)
    names = [f"secret_{number}" for number in range(40)]
    items = [Item(value=b"vault:v1:AAAA", name=name, context=name.encode()) for name in names]
    client = Client(Connection(url=bao.addr), print, mint_token(hcl(grant_rules("encrypt", mount, "ml"))))
    ledger = Ledger(bao)
    with pytest.raises(PermissionDenied):
        Transit(client, mount).decrypt("ml", items)
    # It may not ask what it may do, either.
    assert len(ledger.requests) == 12


def test_allowed_items_among_refused_ones_are_decrypted(bao: Bao, mount: str, held: Held) -> None:
    items = [Item(text.encode(), name, context=name.encode()) for name, text in reversed(held.ciphertexts.items())]
    client = Client(Connection(url=bao.addr), print, held.token)
    found = Transit(client, mount).decrypt_each("ml", items)
    refusal = "the token's policies do not allow it for this name: add the name to 'secrets' of the grant"
    assert found == [refusal, VALUES[MINE].encode()]


def test_a_token_for_other_secrets_learns_that_the_name_is_what_is_missing(
    bao: Bao, mount: str, held: Held, mint_token: Callable[[str], str]
) -> None:
    asks = 'path "sys/capabilities-self" { capabilities = ["update"] }\n'
    token = mint_token(asks + hcl(grant_rules("decrypt", mount, "ml", [MINE])))
    items = [Item(held.ciphertexts[OTHER].encode(), OTHER, context=OTHER.encode())]
    transit = Transit(Client(Connection(url=bao.addr), print, token), mount)
    with pytest.raises(ItemsFailed, match="add the name to 'secrets' of the grant"):
        transit.decrypt("ml", items)
