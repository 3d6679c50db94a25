# SPDX-License-Identifier: Apache-2.0

"""The frames of HTTP/2, made by hand, so that an attack may break every rule.

Frames and header blocks are as in RFC 9113 and RFC 7541. A header block has no
Huffman codes, except where an attack makes them.
"""
import ipaddress
import socket
import ssl
import struct

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
ACK = END_STREAM = 1
END_HEADERS = 4
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4  # identifiers of settings
CANCEL = 8
MAX_WINDOW = (1 << 31) - 1
DEFAULT_WINDOW = 65535
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR",
          "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM",
          "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
          "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def error_name(payload):
    """The name of the error code that begins the payload."""
    code = int.from_bytes(payload[:4], "big")
    return ERRORS[code] if code < len(ERRORS) else str(code)


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream)
            + payload)


def settings_frame(settings):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *s) for s in settings.items()))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))


def hpack_integer(first, prefix_bits, value):
    """An integer with `first` in the bits before its prefix."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([first | value])
    out = bytearray([first | limit])
    value -= limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def hpack_string(text):
    return hpack_integer(0, 7, len(text)) + text


def header(name, value):
    """A header field that is not added to the dynamic table."""
    return b"\0" + hpack_string(name.encode()) + hpack_string(value.encode())


def request_headers(path, extra=()):
    """The header block of a gRPC call."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path),
              (":authority", "localhost"), ("content-type", "application/grpc"),
              ("te", "trailers"), *extra]
    return b"".join(header(*field) for field in fields)


def indexed_headers(path):
    """A call's header block that fills the dynamic table, and one that uses it."""
    fields = [(":path", path), (":authority", "localhost"),
              ("content-type", "application/grpc"), ("te", "trailers")]
    method_and_scheme = b"\x83\x86"  # POST and http in the static table
    first = b"".join(b"\x40" + hpack_string(name.encode()) + hpack_string(value.encode())
                     for name, value in fields)
    again = bytes(0x80 | 62 + i for i in reversed(range(len(fields))))
    return method_and_scheme + first, method_and_scheme + again


def grpc_message(message, is_compressed=False):
    return struct.pack(">BI", is_compressed, len(message)) + message


class Target:
    """Where an attack goes: loopback or a UNIX socket of this machine."""

    def __init__(self, address, tls, protocol):
        """Raises ValueError for every other address."""
        self.tls = None
        self.path = address[5:] if address.startswith("unix:") else None
        if self.path is None:
            host, _, port = address.rpartition(":")
            host = host.strip("[]")
            if not ipaddress.ip_address(host).is_loopback:
                raise ValueError(f"the target is {address}; allowed are 127.0.0.0/8, "
                                 "[::1] and unix:PATH")
            self.host, self.port = host, int(port)
        if tls:
            # The attacker does not care who answers.
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE
            self.tls.set_alpn_protocols([protocol])

    def connect(self, source, with_tls=True):
        """A connected socket whose address is `source`. Raises OSError."""
        if self.path is not None:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(3)
            connection.connect(self.path)
        else:
            is_v4 = ":" not in self.host
            connection = socket.create_connection(
                (self.host, self.port), timeout=3,
                source_address=(source, 0) if is_v4 else None)
        if self.tls and with_tls:
            try:
                connection = self.tls.wrap_socket(connection)
            except OSError:
                connection.close()
                raise
        connection.setblocking(False)
        return connection
