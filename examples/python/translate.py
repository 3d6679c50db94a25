# SPDX-License-Identifier: Apache-2.0

import sys

import grpc
from sheaf.v1 import model_pb2, model_pb2_grpc, text_pb2, text_pb2_grpc

channel = grpc.insecure_channel(sys.argv[1])
models = model_pb2_grpc.ModelServiceStub(channel)
print(models.ListModels(model_pb2.ListModelsRequest(), timeout=10).models[0].name)

text = text_pb2_grpc.TextServiceStub(channel)
request = text_pb2.TranslateRequest(
    text="Where is the train station?", source_language="en", target_language="de")
print(text.Translate(request, timeout=10).text)

for chunk in text.TranslateStream(request, timeout=10):
    print(chunk.text, end="", flush=True)
print(f"\n{chunk.usage.output_tokens} tokens")

try:
    request.target_language = "xx"
    text.Translate(request, timeout=10)
except grpc.RpcError as error:
    print(error.code().name, error.details())
