# SPDX-License-Identifier: Apache-2.0

"""Loads of one caller that has a token, and takes as much as it gets."""
import http2

GENERATE = "/sheaf.v1.TextService/GenerateStream"
TRANSLATE = "/sheaf.v1.TextService/Translate"
TEXT = b"The house is quiet, and the garden lies in the evening sun."


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    """A protobuf field that is an integer."""
    return varint(field << 3) + varint(value)


def text(field, value):
    """A protobuf field that is a string or a message."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def keep_under_way(loop, path, message, total):
    """Keeps that many calls open; a new one replaces each that ends."""
    block = http2.request_headers(path, loop.authorization())
    count = 4

    def feed(connection):
        if len(connection.open) >= min(connection.max_streams, total // count):
            return b""
        return connection.start(block, http2.grpc_message(message))
    loop.add(feed, count=count)


def greedy_beams(loop):
    """16 requests of 16 beams and 1,024 tokens."""
    options = number(1, 1024) + number(2, 1023) + number(3, 16)
    keep_under_way(loop, GENERATE, text(2, TEXT) + text(4, options), 16)


def greedy_shorts(loop):
    """300 short requests always under way."""
    keep_under_way(loop, TRANSLATE, text(2, TEXT) + text(3, b"en") + text(4, b"de"), 300)


ATTACKS = (greedy_beams, greedy_shorts)
