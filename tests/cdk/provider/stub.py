# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A provider for Terraform with the schema of hashicorp/vault and no server behind it: it only remembers.

As a program it serves as long as its input is open. Its first line says how Terraform finds it
(TF_REATTACH_PROVIDERS), each further one is a request that the real provider would have sent to a server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sys
import threading
from collections.abc import Mapping
from typing import Any

import msgpack

from mlkeys._targets.terraform.stack import PROVIDER_SOURCE
from tests.cdk.provider.protocol import Method, serve
from tests.cdk.provider.schema import Attribute, Block, Group, schema

Values = dict[str, Any]

#: Not known before it is applied.
_UNKNOWN = msgpack.ExtType(0, b"\0")
_LIST = 2

_recording = threading.Lock()


class Stub:
    """Engines and keys that were applied, and what was encrypted with them."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._plaintexts: dict[str, str] = {}

    def methods(self) -> dict[str, Method]:
        own: dict[str, Method] = {
            "GetProviderSchema": _give_schema,
            "ValidateResourceConfig": _validate("resource"),
            "ValidateDataResourceConfig": _validate("data"),
            "ValidateEphemeralResourceConfig": _validate("ephemeral"),
            "UpgradeResourceState": _keep_version,
            "ReadResource": _keep_state,
            "PlanResourceChange": _plan,
            "ApplyResourceChange": self._apply,
            "ReadDataSource": self._read,
            "OpenEphemeralResource": self._open,
        }
        silent = ("ValidateProviderConfig", "ConfigureProvider", "CloseEphemeralResource", "StopProvider")
        return own | dict.fromkeys(silent, _agree)

    def _apply(self, request: Any, response: Any) -> None:
        planned, config = _unpacked(request.planned_state), _unpacked(request.config)
        if planned is None or config is None:
            response.new_state.msgpack = msgpack.packb(None)
            return
        for name, attribute in schema()["resource"][request.type_name].attributes.items():
            if planned[name] == _UNKNOWN:
                planned[name] = _settled(attribute)
        planned["id"] = "id"
        if request.type_name == "vault_transit_secret_backend_key":
            self._keys.add(f"{planned['backend']}/{planned['name']}")
            planned["id"] = f"{planned['backend']}/keys/{planned['name']}"
        _record("apply", request.type_name, config)
        response.new_state.msgpack = msgpack.packb(planned)

    def _read(self, request: Any, response: Any) -> None:
        state = _unpacked(request.config) or {}
        _record("read", request.type_name, state)
        signs = request.type_name in ("vault_transit_sign", "vault_transit_verify")
        engine, key = ("path", "name") if signs else ("backend", "key")
        if not self._knows(f"{state[engine]}/{state[key]}", response):
            return
        made = f"vault:v1:{hashlib.sha256(str(state.get('input')).encode()).hexdigest()}"
        if request.type_name == "vault_transit_sign":
            state["signature"] = made
        elif request.type_name == "vault_transit_verify":
            state["valid"] = state["signature"] == made
        elif request.type_name == "vault_transit_encrypt":
            state["ciphertext"] = self._encrypt(state["plaintext"])
        else:
            state["plaintext"] = self._plaintexts[state["ciphertext"]]
        response.state.msgpack = msgpack.packb({**state, "id": "id"})

    def _open(self, request: Any, response: Any) -> None:
        result = _unpacked(request.config) or {}
        _record("open", request.type_name, result)
        if not self._knows(result["path"].replace("/encrypt/", "/"), response):
            return
        plaintext = base64.b64decode(json.loads(result["data_json"])["plaintext"]).decode()
        written = {"ciphertext": self._encrypt(plaintext)}
        response.result.msgpack = msgpack.packb(
            {**result, "write_data": written, "write_data_json": json.dumps(written)}
        )

    def _encrypt(self, plaintext: str) -> str:
        ciphertext = f"vault:v1:{secrets.token_hex(16)}"
        self._plaintexts[ciphertext] = plaintext
        return ciphertext

    def _knows(self, key: str, response: Any) -> bool:
        if key in self._keys:
            return True
        response.diagnostics.add(severity=1, summary=f"encryption key not found: {key}")
        return False


def _agree(_request: Any, _response: Any) -> None:
    pass


def _give_schema(_request: Any, response: Any) -> None:
    _describe(schema()["provider"]["vault"], response.provider.block)
    groups: dict[Group, Any] = {
        "resource": response.resource_schemas,
        "data": response.data_source_schemas,
        "ephemeral": response.ephemeral_resource_schemas,
    }
    for group, described in groups.items():
        for type_, block in schema()[group].items():
            _describe(block, described[type_].block)


def _describe(block: Block, described: Any) -> None:
    for name, attribute in block.attributes.items():
        described.attributes.add(
            name=name,
            type=json.dumps(attribute.type).encode(),
            required=attribute.required,
            optional=attribute.optional,
            computed=attribute.computed,
            write_only=attribute.write_only,
        )
    for name, inner in block.blocks.items():
        _describe(inner, described.block_types.add(type_name=name, nesting=_LIST).block)


def _validate(group: Group) -> Method:
    """Refuse what is only the provider's to say: of all rules on attributes, Terraform leaves this one to it."""

    def validate(request: Any, response: Any) -> None:
        given = _unpacked(request.config) or {}
        for name, attribute in schema()[group][request.type_name].attributes.items():
            if given[name] is not None and not (attribute.required or attribute.optional):
                response.diagnostics.add(severity=1, summary=f'Can\'t configure a value for "{name}"')

    return validate


def _keep_version(request: Any, response: Any) -> None:
    response.upgraded_state.json = request.raw_state.json


def _keep_state(request: Any, response: Any) -> None:
    response.new_state.CopyFrom(request.current_state)


def _plan(request: Any, response: Any) -> None:
    prior, proposed = _unpacked(request.prior_state), _unpacked(request.proposed_new_state)
    if proposed is not None:
        for name, attribute in schema()["resource"][request.type_name].attributes.items():
            if attribute.write_only:
                proposed[name] = None
            elif prior is None and attribute.computed and proposed[name] is None:
                proposed[name] = _UNKNOWN
    response.planned_state.msgpack = msgpack.packb(proposed)


def _settled(attribute: Attribute) -> Any:
    """What a server would have chosen."""
    kind = attribute.type if isinstance(attribute.type, str) else attribute.type[0]
    return {"bool": False, "number": 1, "string": "", "list": [], "map": {}}[kind]


def _unpacked(value: Any) -> Values | None:
    found: Values | None = msgpack.unpackb(value.msgpack)
    return found


def _record(verb: str, type_: str, values: Mapping[str, Any]) -> None:
    given = {name: value for name, value in values.items() if value is not None}
    # Terraform asks for several things at once.
    with _recording:
        print(json.dumps({"verb": verb, "type": type_, "values": given}), flush=True)  # noqa: T201  its way to speak


def main() -> None:
    _server, port = serve(Stub().methods())
    address = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
    attached = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    print(json.dumps({PROVIDER_SOURCE: attached}), flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
