# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The messages between Terraform and a provider (tfplugin6), with those for ephemeral values.

The package `tf` has them as they were before Terraform 1.10; what came since is added here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tf.gen import tfplugin_pb2

#: Fills the response to a request.
Method = Callable[[Any, Any], None]

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"bool": _FIELD.TYPE_BOOL, "string": _FIELD.TYPE_STRING}

_CONFIGURATION = {"type_name": (1, "string"), "config": (2, ".tfplugin6.DynamicValue")}
_DIAGNOSTICS = (1, "*.tfplugin6.Diagnostic")
_EPHEMERAL: Mapping[str, tuple[Mapping[str, tuple[int, str]], Mapping[str, tuple[int, str]]]] = {
    "ValidateEphemeralResourceConfig": (_CONFIGURATION, {"diagnostics": _DIAGNOSTICS}),
    "OpenEphemeralResource": (
        _CONFIGURATION,
        {"diagnostics": _DIAGNOSTICS, "result": (3, ".tfplugin6.DynamicValue")},
    ),
    "CloseEphemeralResource": ({"type_name": (1, "string")}, {"diagnostics": _DIAGNOSTICS}),
}


def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto()
    tfplugin_pb2.DESCRIPTOR.CopyToProto(file)
    named = {message.name: message for message in file.message_type}
    attribute = next(nested for nested in named["Schema"].nested_type if nested.name == "Attribute")
    _add_field(attribute, "write_only", 11, "bool")
    response = next(nested for nested in named["GetProviderSchema"].nested_type if nested.name == "Response")
    entry = next(nested for nested in response.nested_type if nested.name == "ResourceSchemasEntry")
    response.nested_type.add().CopyFrom(entry)
    response.nested_type[-1].name = "EphemeralResourceSchemasEntry"
    kind = "*.tfplugin6.GetProviderSchema.Response.EphemeralResourceSchemasEntry"
    _add_field(response, "ephemeral_resource_schemas", 8, kind)
    for name, messages in _EPHEMERAL.items():
        outer = file.message_type.add(name=name)
        for inner, fields in zip(("Request", "Response"), messages, strict=True):
            made = outer.nested_type.add(name=inner)
            for field, (number, type_) in fields.items():
                _add_field(made, field, number, type_)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, name: str, number: int, type_: str) -> None:
    """Add a field; `*` before its type makes it a list."""
    label = _FIELD.LABEL_REPEATED if type_.startswith("*") else _FIELD.LABEL_OPTIONAL
    kind = type_.removeprefix("*")
    made = message.field.add(name=name, number=number, label=label)
    if kind in _SCALARS:
        made.type = _SCALARS[kind]
    else:
        made.type, made.type_name = _FIELD.TYPE_MESSAGE, kind


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"tfplugin6.{name}"))


def serve(methods: Mapping[str, Method]) -> tuple[grpc.Server, int]:
    """A server on a free port of loopback, and that port."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    handlers = {name: _handler(name, method) for name, method in methods.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin6.Provider", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _handler(name: str, method: Method) -> Any:
    request, response = _message(f"{name}.Request"), _message(f"{name}.Response")

    def answer(asked: Any, _context: Any) -> Any:
        made = response()
        method(asked, made)
        return made

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.FromString, response_serializer=response.SerializeToString
    )
