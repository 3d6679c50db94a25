// SPDX-License-Identifier: Apache-2.0

// Calls a server with DeepL's client for Node:
//   node deepl_client.mjs URL KEY
import * as deepl from "deepl-node";

const [url, key] = process.argv.slice(2);
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
