# SPDX-License-Identifier: Apache-2.0

"""Calls a server with the client of Triton.

inference.py HOST:PORT
"""
import queue
import sys

import numpy as np
import tritonclient.grpc as triton

MODEL = "sheaf-small"
ENGLISH = ["Where is the train station?", "Good morning."]
GERMAN = "Wo ist der Bahnhof?"

client = triton.InferenceServerClient(sys.argv[1])


def tensor(name, elements, is_column=False):
    array = np.array([element.encode() for element in elements], dtype=np.object_)
    if is_column:
        array = array.reshape(-1, 1)
    made = triton.InferInput(name, array.shape, "BYTES")
    made.set_data_from_numpy(array)
    return made


def translation(texts, is_column=False):
    return [tensor("text", texts, is_column), tensor("source_language", ["en"], is_column),
            tensor("target_language", ["de"], is_column)]


def strings(result, name):
    return np.vectorize(bytes.decode)(result.as_numpy(name))


def refused(code, words, inputs, **options):
    try:
        client.infer(MODEL, inputs, **options)
    except triton.InferenceServerException as error:
        assert error.status() == f"StatusCode.{code}", error
        assert words in error.message(), error
        return
    raise SystemExit(f"not refused: {words}")


assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready(MODEL) and not client.is_model_ready("other")
assert client.get_server_metadata().name == "sheaf"
metadata = client.get_model_metadata(MODEL)
assert [i.name for i in metadata.inputs] == ["text", "source_language", "target_language"]

# A batch, and the shapes of its outputs.
result = client.infer(MODEL, translation(ENGLISH), request_id="my id")
assert result.get_response().id == "my id"
german = strings(result, "text")
assert german.shape == (2,) and german[0] == GERMAN, german
assert list(strings(result, "finish_reason")) == ["EOS", "EOS"]
assert result.as_numpy("score").dtype == np.float32 and (result.as_numpy("score") < 0).all()
assert list(strings(result, "detected_language")) == ["", ""]
column = client.infer(MODEL, translation(ENGLISH, is_column=True))
assert (strings(column, "text") == german.reshape(2, 1)).all()

# Options, outputs, languages for each text, compressed messages.
best = client.infer(MODEL, translation(ENGLISH), parameters={"beam_size": 4, "num_hypotheses": 3})
assert strings(best, "text").shape == (2, 3)
assert (np.diff(best.as_numpy("score")) <= 0).all(), best.as_numpy("score")
short = client.infer(MODEL, translation(ENGLISH), parameters={"max_new_tokens": 2},
                     outputs=[triton.InferRequestedOutput("finish_reason")])
assert list(strings(short, "finish_reason")) == ["LENGTH", "LENGTH"]
assert short.as_numpy("text") is None
each = client.infer(MODEL, [tensor("text", ENGLISH), tensor("target_language", ["de", "de-AT"])],
                    compression_algorithm="gzip")
assert (strings(each, "text") == german).all()
drawn = client.infer(MODEL, translation(ENGLISH),
                     parameters={"temperature": 1, "top_p": 0.5, "seed": 3, "task": "translate"})
assert strings(drawn, "text").shape == (2,)

# Refusals name what is wrong.
refused("INVALID_ARGUMENT", "decoding.beam_size is 99", translation(ENGLISH),
        parameters={"beam_size": 99})
refused("INVALID_ARGUMENT", 'parameters["beam"] is not an option', translation(ENGLISH),
        parameters={"beam": 1})
refused("INVALID_ARGUMENT", 'parameters["priority"]', translation(ENGLISH), priority=1)
refused("INVALID_ARGUMENT", "element 1: text is empty", translation(["Hello.", ""]))
refused("INVALID_ARGUMENT", "inputs[0].shape is [257]", translation(["A"] * 257))
refused("NOT_FOUND", "model_version", translation(ENGLISH), model_version="2")
refused("DEADLINE_EXCEEDED", "", translation(["We are going home tomorrow. " * 5000]),
        client_timeout=0.2)

# Many calls at a time.
answers = queue.Queue()
for _ in range(100):
    client.async_infer(MODEL, translation(ENGLISH),
                       lambda result, error: answers.put(error or strings(result, "text")))
for _ in range(100):
    assert (answers.get(timeout=60) == german).all()

# A stream answers one request after another, each in several parts.
client.start_stream(lambda result, error: answers.put((result, error)))
for text in ENGLISH:
    client.async_stream_infer(MODEL, translation([text]), request_id=text,
                              enable_empty_final_response=True)
client.async_stream_infer(MODEL, translation([""]))
for i, text in enumerate(ENGLISH):
    parts = []
    is_final = False
    while not is_final:
        result, error = answers.get(timeout=60)
        assert error is None, error
        response = result.get_response()
        assert response.id == text
        parts.append(strings(result, "text")[0])
        is_final = response.parameters["triton_final_response"].bool_param
    assert "".join(parts) == german[i], parts
result, error = answers.get(timeout=60)
assert "text is empty" in error.message(), error
client.stop_stream()
