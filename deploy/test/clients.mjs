// SPDX-License-Identifier: Apache-2.0

// Calls the HTTP front of a server with the client libretranslate:
//   node clients.mjs URL KEY
import libretranslate from "libretranslate";

const [url, key] = process.argv.slice(2);
const text = await libretranslate.translate({
  query: "Where is the station?",
  source: "en",
  target: "de",
  apiurl: url,
  apiKey: key,
});
if (text !== "Wo ist der Bahnhof?") {
  console.error(`FAILED: npm libretranslate: ${text}`);
  process.exit(1);
}
console.log("npm libretranslate: translate: passed");
