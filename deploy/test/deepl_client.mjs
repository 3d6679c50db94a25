// SPDX-License-Identifier: Apache-2.0

// Calls a server with DeepL's client for Node:
//   node deepl_client.mjs URL KEY OTHER_KEY
import { readFile } from "node:fs/promises";

import * as deepl from "deepl-node";

const [url, key, otherKey] = process.argv.slice(2);
const check = (what, isRight) => {
  if (!isRight) {
    console.error(`FAILED: deepl-node: ${what}`);
    process.exit(1);
  }
  console.log(`deepl-node: ${what}: passed`);
};
const refused = async (what, call) => {
  try {
    await call();
  } catch (error) {
    return check(what, error instanceof deepl.DeepLError);
  }
  check(what, false);
};

const client = new deepl.DeepLClient(key, { serverUrl: url });
const german = "Wo ist der Bahnhof?";
const one = await client.translateText("Where is the station?", "en", "de");
check("text", one.text === german && one.detectedSourceLang === "en");
const two = await client.translateText(["Where is the station?", "Good evening."], null, "de", {
  splitSentences: "nonewlines",
  preserveFormatting: true,
  formality: "prefer_less",
  context: "At a station.",
});
check("array", two.length === 2 && two[0].text === german);
const xml = await client.translateText("<a>Good evening. <x>keep me</x></a>", "en", "de", {
  tagHandling: "xml",
  ignoreTags: ["x"],
  outlineDetection: false,
});
check("xml", xml.text.includes("<x>keep me</x>"));
const sources = await client.getSourceLanguages();
check("source languages", sources.length === 1 && sources[0].code === "en");
const targets = await client.getTargetLanguages();
check("target languages", targets.length === 1 && targets[0].code === "de");
const usage = await client.getUsage();
check("usage", usage.character.count > 0 && !usage.anyLimitReached());
await refused("a language that the model does not have", () =>
  client.translateText("a", null, "fr"),
);
await refused("wrong key", () =>
  new deepl.DeepLClient("wrong", { serverUrl: url }).translateText("a", null, "de"),
);

const stranger = new deepl.DeepLClient(otherKey, { serverUrl: url });
const english = "Where is the station?";
const entriesOf = (entries) => new deepl.GlossaryEntries({ entries });

const pairs = await client.getGlossaryLanguagePairs();
check("glossary languages", pairs.length === 1 && pairs[0].targetLang === "de");
const terms = entriesOf({ station: "Haltestelle", web: "Netz" });
const glossary = await client.createGlossary("mine", "en", "de", terms);
check("create a glossary", glossary.entryCount === 2 && glossary.ready);
const listed = await client.listGlossaries();
check("list glossaries", listed.length === 1 && listed[0].glossaryId === glossary.glossaryId);
check("get a glossary", (await client.getGlossary(glossary.glossaryId)).name === "mine");
const entries = await client.getGlossaryEntries(glossary);
check("entries of a glossary", entries.toTsv() === terms.toTsv());
const withTerms = await client.translateText(english, "en", "de", { glossary });
check("translate with a glossary", withTerms.text.includes("Haltestelle"));
check("another caller's list", (await stranger.listGlossaries()).length === 0);
await refused("another caller's glossary", () => stranger.deleteGlossary(glossary));
await refused("conflicting entries", () =>
  client.createGlossary("a", "en", "de", entriesOf({ a: "b", A: "c" })),
);
await client.deleteGlossary(glossary);
await refused("a glossary that is deleted", () => client.getGlossary(glossary.glossaryId));

const dictionary = (entries) => ({
  sourceLangCode: "en",
  targetLangCode: "de",
  entries: entriesOf(entries),
});
const many = await client.createMultilingualGlossary("many", [dictionary({ station: "Halt" })]);
check("create a multilingual glossary", many.dictionaries[0].entryCount === 1);
const changed = await client.updateMultilingualGlossaryDictionary(many, dictionary({ web: "Netz" }));
check("add entries", changed.dictionaries[0].entryCount === 2);
const put = dictionary({ station: "Haltestelle" });
check(
  "replace a dictionary",
  (await client.replaceMultilingualGlossaryDictionary(many, put)).entryCount === 1,
);
const got = await client.getMultilingualGlossaryDictionaryEntries(many, "en", "de");
check("entries of a dictionary", got.entries.toTsv() === "station\tHaltestelle");
const renamed = await client.updateMultilingualGlossaryName(many, "new");
check("rename", renamed.name === "new");
await client.deleteMultilingualGlossaryDictionary(many, "en", "de");
const left = await client.listMultilingualGlossaries();
check("list", left.length === 1 && left[0].dictionaries.length === 0);
await client.deleteMultilingualGlossary(many);

const srt = `1\n00:00:01,000 --> 00:00:02,000\n${english}\n`;
const xliff = `<?xml version="1.0"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en" trgLang="de">
<file id="a"><unit id="1"><segment><source>${english}</source></segment></unit></file></xliff>
`;
const documents = {
  "a.txt": [english, (out) => out === german],
  "a.html": [`<p>${english}</p>`, (out) => out === `<p>${german}</p>`],
  "a.srt": [srt, (out) => out === srt.replace(english, german)],
  "a.xliff": [xliff, (out) => out.includes(`${german}</target>`)],
};
for (const [filename, [text, isRight]] of Object.entries(documents)) {
  const out = `translated-${filename}`;
  const status = await client.translateDocument(Buffer.from(text), out, null, "de", { filename });
  check(`document ${filename}`, status.done() && isRight(await readFile(out, "utf8")));
}
await refused("a document in a format that is not offered", () =>
  client.uploadDocument(Buffer.from("a"), null, "de", { filename: "a.docx" }),
);
