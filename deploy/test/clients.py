# SPDX-License-Identifier: Apache-2.0

"""Calls the HTTP front of a server with the clients libretranslatepy and openai,
and validates its OpenAPI document.

    clients.py URL KEY
"""

import json
import sys
import urllib.error
import urllib.request

import openai
import openapi_spec_validator
from libretranslatepy import LibreTranslateAPI


def check(what, is_right):
    if not is_right:
        sys.exit(f"FAILED: {what}")
    print(f"{what}: passed")


def check_libretranslate(url, key):
    api = LibreTranslateAPI(url, api_key=key)
    text = api.translate("Where is the station?", "en", "de")
    check("libretranslatepy: translate", text == "Wo ist der Bahnhof?")
    found = api.detect("Das ist ein deutscher Satz.")
    check("libretranslatepy: detect", found[0]["language"] == "de")
    codes = [language["code"] for language in api.languages()]
    check("libretranslatepy: languages", "en" in codes and "de" in codes)
    try:
        LibreTranslateAPI(url, api_key="wrong").translate("a", "en", "de")
        check("libretranslatepy: wrong key", False)
    except urllib.error.HTTPError as error:
        check("libretranslatepy: wrong key", error.code == 403)


def check_stream(chunks, whole):
    text = "".join(chunk.choices[0].text for chunk in chunks)
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    if text != whole.text or reasons != [None] * (len(chunks) - 1) + ["stop"]:
        sys.exit(f"FAILED: openai: stream: {chunks}")


def check_completions(url, key):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    prompt = "translate English to German: Where is the station?"
    options = {"model": "sheaf-small", "prompt": prompt, "max_tokens": 20}
    whole = client.completions.create(**options)
    check(
        "openai: completion",
        whole.choices[0].text == "Wo ist der Bahnhof?"
        and whole.choices[0].finish_reason == "stop"
        and whole.usage.completion_tokens > 0,
    )
    # Tokens that come while an earlier event is written share the next event, so a
    # client that is slow for a moment may get this short text in one.
    num_chunks = 0
    for _ in range(50):
        chunks = list(client.completions.create(stream=True, **options))
        check_stream(chunks, whole.choices[0])
        num_chunks = max(num_chunks, len(chunks))
        if num_chunks > 2:
            break
    check("openai: stream", num_chunks > 2)
    try:
        client.completions.create(n=3, **options)
        check("openai: a parameter that is not offered", False)
    except openai.BadRequestError as error:
        check("openai: a parameter that is not offered", error.param == "n")
    try:
        openai.OpenAI(
            base_url=f"{url}/v1", api_key="wrong", max_retries=0
        ).completions.create(**options)
        check("openai: wrong key", False)
    except openai.AuthenticationError:
        check("openai: wrong key", True)


def check_document(url):
    with urllib.request.urlopen(f"{url}/openapi.json") as answer:
        document = json.load(answer)
    openapi_spec_validator.validate(document)
    check("openapi-spec-validator", document["openapi"] == "3.1.0")


check_libretranslate(*sys.argv[1:])
check_completions(*sys.argv[1:])
check_document(sys.argv[1])
