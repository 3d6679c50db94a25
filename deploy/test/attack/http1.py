# SPDX-License-Identifier: Apache-2.0

"""Attacks on HTTP/1.1: requests that do not end, and more than are welcome."""
HEADER = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
# Below the server's limit for a body, 4 MiB.
BODY_BYTES = 4_000_000


def head(loop, path, *fields):
    fields = [*fields, *(f"{name}: {value}" for name, value in loop.authorization())]
    return (HEADER.format(path) + "".join(field + "\r\n" for field in fields)).encode()


def trickle(loop, begin, more, count):
    """Keeps `count` connections open that send `begin` and then `more`, a byte per
    sweep."""
    def feed(connection):
        if connection.store is None:
            connection.store = [0, loop.now]
            return begin
        if connection.store[1] == loop.now or connection.out:
            return b""
        connection.store = [connection.store[0] + 1, loop.now]
        at = connection.store[0] % len(more)
        return more[at:at + 1]
    loop.add(feed, count=count, speaks=False)


def http_slow_headers(loop):
    """1,000 connections whose header comes byte by byte."""
    trickle(loop, b"GET /", b"a", count=1000)


def http_slow_bodies(loop):
    """1,000 connections whose body comes byte by byte."""
    begin = head(loop, "/v1/translate", f"Content-Length: {BODY_BYTES}") + b"\r\n"
    trickle(loop, begin, b" ", count=1000)


def http_unfinished_bodies(loop):
    """200 bodies of 4 MB, each without its last byte."""
    message = (head(loop, "/v1/translate", f"Content-Length: {BODY_BYTES}") + b"\r\n" +
               b" " * (BODY_BYTES - 1))

    def feed(connection):
        at = connection.store or 0
        connection.store = min(at + (64 << 10), len(message))
        return message[at:connection.store]
    loop.add(feed, count=200, speaks=False)


def http_many_requests(loop):
    """200 connections that send a request as soon as the last one is answered."""
    body = b'{"q": "a", "source": "en", "target": "de", "api_key": "wrong"}'
    request = head(loop, "/translate", f"Content-Length: {len(body)}") + b"\r\n" + body

    def feed(connection):
        if connection.store and not connection.input:
            return b""
        connection.store = True
        connection.input.clear()
        loop.tally["requests"] += 1
        return request
    loop.add(feed, count=200, speaks=False)


ATTACKS = (http_slow_headers, http_slow_bodies, http_unfinished_bodies, http_many_requests)
