# SPDX-License-Identifier: Apache-2.0

"""Calls a server with DeepL's client for Python.

deepl_client.py URL KEY OTHER_KEY
"""
import io
import sys

import deepl
from deepl.api_data import MultilingualGlossaryDictionaryEntries as Dictionary

url, key, other_key = sys.argv[1:]
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
refused("wrong key", deepl.AuthorizationException,
        lambda: deepl.DeepLClient("wrong", server_url=url).translate_text("a", target_lang="DE"))


def check_glossaries():
    pairs = [(p.source_lang, p.target_lang) for p in client.get_glossary_languages()]
    check("glossary languages", pairs == [("en", "de")])
    glossary = client.create_glossary("mine", "EN", "DE", {"station": "Haltestelle", "Ü": "B c"})
    check("create a glossary", glossary.entry_count == 2 and glossary.ready
          and glossary.source_lang == "EN")
    check("list glossaries",
          [g.glossary_id for g in client.list_glossaries()] == [glossary.glossary_id])
    check("get a glossary", client.get_glossary(glossary.glossary_id).name == "mine")
    check("entries of a glossary",
          client.get_glossary_entries(glossary) == {"station": "Haltestelle", "Ü": "B c"})
    text = client.translate_text(ENGLISH, source_lang="EN", target_lang="DE",
                                 glossary=glossary).text
    check("translate with a glossary", "Haltestelle" in text)
    stranger = deepl.DeepLClient(other_key, server_url=url)
    check("another caller's list", stranger.list_glossaries() == [])
    refused("another caller's glossary", deepl.GlossaryNotFoundException,
            lambda: stranger.delete_glossary(glossary))
    refused("translate with another caller's glossary", deepl.DeepLException,
            lambda: stranger.translate_text("a", source_lang="EN", target_lang="DE",
                                            glossary=glossary.glossary_id))
    refused("conflicting entries", deepl.DeepLException,
            lambda: client.create_glossary("a", "EN", "DE", {"a": "b", "A": "c"}))
    refused("languages that the model does not have", deepl.DeepLException,
            lambda: client.create_glossary("a", "EN", "FR", {"a": "b"}))
    client.delete_glossary(glossary)
    refused("a glossary that is deleted", deepl.GlossaryNotFoundException,
            lambda: client.get_glossary(glossary.glossary_id))
    with_csv = client.create_glossary_from_csv("csv", "EN", "DE", '"a, b",c\nd,e,en,de\n')
    check("a glossary from CSV", client.get_glossary_entries(with_csv) == {"a, b": "c", "d": "e"})
    client.delete_glossary(with_csv)


def check_multilingual_glossaries():
    dictionary = Dictionary("EN", "DE", {"station": "Halt"})
    glossary = client.create_multilingual_glossary("many", [dictionary])
    check("create a multilingual glossary", glossary.dictionaries[0].entry_count == 1)
    changed = client.update_multilingual_glossary_dictionary(
        glossary, Dictionary("EN", "DE", {"web": "Netz"}))
    check("add entries", changed.dictionaries[0].entry_count == 2)
    entries = client.get_multilingual_glossary_entries(glossary, "EN", "DE").dictionaries[0]
    check("entries of a dictionary", entries.entries == "station\tHalt\nweb\tNetz")
    replaced = client.replace_multilingual_glossary_dictionary(
        glossary, Dictionary("EN", "DE", {"station": "Haltestelle"}))
    check("replace a dictionary", replaced.entry_count == 1)
    check("rename", client.update_multilingual_glossary_name(glossary, "new").name == "new")
    check("list", [g.name for g in client.list_multilingual_glossaries()] == ["new"])
    text = client.translate_text(ENGLISH, source_lang="EN", target_lang="DE",
                                 glossary=glossary).text
    check("translate with a multilingual glossary", "Haltestelle" in text)
    client.delete_multilingual_glossary_dictionary(glossary, source_lang="EN", target_lang="DE")
    check("a glossary without dictionaries",
          client.get_multilingual_glossary(glossary.glossary_id).dictionaries == [])
    client.delete_multilingual_glossary(glossary)
    refused("a multilingual glossary that is deleted", deepl.GlossaryNotFoundException,
            lambda: client.get_multilingual_glossary(glossary.glossary_id))


SRT = "1\n00:00:01,000 --> 00:00:02,000\nWhere is the station?\n"
XLIFF = """<?xml version="1.0"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en" trgLang="de">
<file id="a"><unit id="1"><segment><source>Where is the station?</source></segment></unit>
</file></xliff>
"""


def check_documents():
    for name, text, right in [
            ("a.txt", ENGLISH, lambda out: out == GERMAN),
            ("a.html", f"<p>{ENGLISH}</p>", lambda out: out == f"<p>{GERMAN}</p>"),
            ("a.srt", SRT, lambda out: out == SRT.replace(ENGLISH, GERMAN)),
            ("a.xliff", XLIFF, lambda out: f"{GERMAN}</target>" in out)]:
        out = io.BytesIO()
        status = client.translate_document(text, out, target_lang="DE", filename=name)
        check(f"document {name}", status.done and status.billed_characters >= len(ENGLISH)
              and right(out.getvalue().decode()))
    refused("a document in a format that is not offered", deepl.DeepLException,
            lambda: client.translate_document_upload(b"a", target_lang="DE", filename="a.docx"))
    handle = client.translate_document_upload(ENGLISH, target_lang="DE", filename="a.txt")
    refused("another caller's document", deepl.DeepLException,
            lambda: deepl.DeepLClient(other_key, server_url=url)
            .translate_document_get_status(handle))
    client.translate_document_wait_until_done(handle)
    client.translate_document_download(handle, io.BytesIO())
    refused("a document that was downloaded", deepl.DeepLException,
            lambda: client.translate_document_download(handle, io.BytesIO()))


check_glossaries()
check_multilingual_glossaries()
check_documents()
