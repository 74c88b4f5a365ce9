"""Protobuf message classes from short declarations, made at run time.

A declaration names only the fields that are read; all others are skipped by the parser. A message
that is used as a key and not for what it says can be declared ``bytes``, and no object is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_SCALAR = {
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "fixed64": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
    "sfixed64": descriptor_pb2.FieldDescriptorProto.TYPE_SFIXED64,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "sint64": descriptor_pb2.FieldDescriptorProto.TYPE_SINT64,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
}


def message_classes(protocol: str, messages: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a function from a message's name to its class; the classes are untyped.

    ``messages`` holds for each name its fields, one a line, as ``[MODIFIER] TYPE NAME = NUMBER``. A
    modifier is ``repeated``, ``optional`` (the field knows whether it was sent) or ``oneof:GROUP``.
    """
    package = f"kubestray.receive.{protocol}"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"kubestray/{protocol}.proto", package=package, syntax="proto3"
    )
    for name, fields in messages.items():
        _declare(file.message_type.add(name=name), package, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))


def _declare(message: descriptor_pb2.DescriptorProto, package: str, fields: str) -> None:
    for line in filter(None, (line.strip() for line in fields.splitlines())):
        *modifier, kind, name, _, number = line.split()
        declared = message.field.add(name=name, number=int(number), label=1)
        if kind in _SCALAR:
            declared.type = _SCALAR[kind]
        else:
            declared.type, declared.type_name = declared.TYPE_MESSAGE, f".{package}.{kind}"
        for word in modifier:
            _modify(message, declared, word)


def _modify(
    message: descriptor_pb2.DescriptorProto, declared: descriptor_pb2.FieldDescriptorProto, word: str
) -> None:
    """Apply ``repeated``, ``optional`` (a oneof of its own, as protoc makes it) or ``oneof:NAME``."""
    if word == "repeated":
        declared.label = declared.LABEL_REPEATED
        return
    declared.proto3_optional = word == "optional"
    group = f"_{declared.name}" if word == "optional" else word.removeprefix("oneof:")
    names = [oneof.name for oneof in message.oneof_decl]
    if group not in names:
        message.oneof_decl.add(name=group)
        names.append(group)
    declared.oneof_index = names.index(group)
