"""What clients do beside asking nicely: leave a stream, run out of time.

client_faults.py HOST:PORT
"""
import sys
import time

import grpc
from sheaf.v1 import text_pb2, text_pb2_grpc

channel = grpc.insecure_channel(sys.argv[1])
text = text_pb2_grpc.TextServiceStub(channel)
long = text_pb2.TranslateRequest(
    text="We are going home tomorrow. " * 500, source_language="en", target_language="de")

stream = text.TranslateStream(long, timeout=60)
next(stream)
stream.cancel()
try:
    list(stream)
    raise SystemExit("a cancelled stream went on")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.CANCELLED, error

begin = time.monotonic()
try:
    text.Translate(long, timeout=0.2)
    raise SystemExit("a deadline passed unseen")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
assert time.monotonic() - begin < 5

# Both have given back what they held: a small request is not behind them.
begin = time.monotonic()
call = text.Translate.with_call(
    text_pb2.TranslateRequest(text="Hello.", source_language="en", target_language="de"),
    timeout=10, metadata=[("x-request-id", "id-of-mine")])
assert time.monotonic() - begin < 5
trailers = dict(call[1].trailing_metadata())
assert trailers["x-request-id"] == "id-of-mine", trailers
print("a stream that is left, a deadline, a request id: passed")
