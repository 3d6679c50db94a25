# SPDX-License-Identifier: Apache-2.0

"""Calls a server with DeepL's client for Python.

deepl_client.py URL KEY
"""
import sys

import deepl

url, key = sys.argv[1:]
ENGLISH = "Where is the station?"
GERMAN = "Wo ist der Bahnhof?"


def check(what, is_right):
    if not is_right:
        sys.exit(f"FAILED: {what}")
    print(f"deepl: {what}: passed")


def refused(what, kind, call):
    try:
        call()
    except deepl.DeepLException as error:
        check(what, isinstance(error, kind))
        return
    check(what, False)


client = deepl.DeepLClient(key, server_url=url)
result = client.translate_text(ENGLISH, source_lang="EN", target_lang="DE")
check("text", result.text == GERMAN and result.detected_source_lang == "EN"
      and result.billed_characters == len(ENGLISH))
results = client.translate_text([ENGLISH, "Good evening."], target_lang="DE",
                                formality="prefer_more", context="At a station.",
                                split_sentences="nonewlines", preserve_formatting=True)
check("array", len(results) == 2 and results[0].text == GERMAN)
html = client.translate_text("<p>Where is the <b>station</b>?</p>", target_lang="DE",
                             tag_handling="html").text
check("html", html.startswith("<p>") and html.endswith("</p>") and html.count("<b>") == 1)
xml = client.translate_text("<a>Good evening. <x>keep me</x></a>", target_lang="DE",
                            tag_handling="xml", ignore_tags=["x"], outline_detection=False).text
check("xml", "<x>keep me</x>" in xml)
check("source languages", [str(l) for l in client.get_source_languages()] == ["EN"])
check("target languages", [str(l) for l in client.get_target_languages()] == ["DE"])
usage = client.get_usage()
check("usage", usage.character.count >= len(ENGLISH) and not usage.any_limit_reached)
refused("a language that the model does not have", deepl.DeepLException,
        lambda: client.translate_text("a", target_lang="FR"))
refused("a formality that no model has", deepl.DeepLException,
        lambda: client.translate_text("a", target_lang="DE", formality="more"))
refused("glossaries", deepl.DeepLException, client.list_glossaries)
refused("wrong key", deepl.AuthorizationException,
        lambda: deepl.DeepLClient("wrong", server_url=url).translate_text("a", target_lang="DE"))
