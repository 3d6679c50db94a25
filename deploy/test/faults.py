# SPDX-License-Identifier: Apache-2.0

"""Tests the unhappy paths of a client: leaving a stream, exceeding a deadline, and
reading the details of an error.

faults.py HOST:PORT
"""
import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from sheaf.v1 import text_pb2, text_pb2_grpc

channel = grpc.insecure_channel(sys.argv[1])
text = text_pb2_grpc.TextServiceStub(channel)
long = text_pb2.TranslateRequest(
    text="We are going home tomorrow. " * 12000, source_language="en", target_language="de")
short = text_pb2.TranslateRequest(text="Hello.", source_language="en", target_language="de")

stream = text.TranslateStream(long, timeout=60)
next(stream)
stream.cancel()
try:
    list(stream)
    raise SystemExit("a cancelled stream continued")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.CANCELLED, error

begin = time.monotonic()
try:
    text.Translate(long, timeout=0.2)
    raise SystemExit("a deadline passed without an error")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
assert time.monotonic() - begin < 10

try:
    short.decoding.top_p = 2
    text.Translate(short, timeout=10)
    raise SystemExit("the server accepted top_p 2")
except grpc.RpcError as error:
    status = rpc_status.from_call(error)
    bad = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(bad), status
    assert bad.field_violations[0].field == "decoding.top_p", bad
    assert bad.field_violations[0].description == error.details(), bad
    short.ClearField("decoding")

# The server has released what the first two calls held, so that a small request
# does not wait for them.
begin = time.monotonic()
call = text.Translate.with_call(short, timeout=30, metadata=[("x-request-id", "my-request")])
assert time.monotonic() - begin < 10
trailers = dict(call[1].trailing_metadata())
assert trailers["x-request-id"] == "my-request", trailers
