"""Reads a trace with Perfetto's own messages, as its project generates them from its format, and prints it as JSON.

Run by the Python of `test_perfetto.py`'s virtual environment: `perfetto_reader.py FILE`. What the messages do not know is an
error, as a field with a wrong number would be.
"""

import json
import sys

from google.protobuf.json_format import MessageToDict
from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace


def unknown(message, path):
    """Where fields are that the messages do not have."""
    for field in UnknownFieldSet(message):
        yield f"{path}, field {field.field_number}"
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for one in [value] if hasattr(value, "ListFields") else value:
                yield from unknown(one, f"{path}.{descriptor.name}")


def main():
    """The packets of a file."""
    trace = Trace()
    with open(sys.argv[1], "rb") as file:
        trace.ParseFromString(file.read())
    strange = list(unknown(trace, "trace"))
    if strange:
        sys.exit(f"not in Perfetto's format: {strange[:5]}")
    json.dump([MessageToDict(packet, preserving_proto_field_name=True) for packet in trace.packet], sys.stdout)


main()
