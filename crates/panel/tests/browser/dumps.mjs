// Databases as files: a dump got by its link, a file sent and seen on its way, what is wrong and the engine's own words at the field, and
// the same without script. Pictures of each, and what axe says.
import { readFileSync } from "node:fs";
import { check, panel } from "./lib.mjs";
import { tour } from "./people.mjs";

const path = `/solutions/${process.env.SOLUTION}/dumps`;
const { at, end } = await tour("dumps", path);
const file = (name, text) => ({ name, mimeType: "application/sql", buffer: Buffer.from(text) });
const choose = (page, name, text) => page.locator("input[type=file]").setInputFiles(file(name, text));

await at("desktop", "light", "en", async (page, shot) => {
  await shot("first");
  await choose(page, "notes.txt", "SELECT 1;");
  await page.getByRole("button", { name: "Load" }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("input[type=file]").getAttribute("aria-invalid")) === "true", "the wrong field is marked");
  await shot("wrong");
  await choose(page, "notes.sql", "CREATE TABLE notes (n int, said text); INSERT INTO notes VALUES (1, 'by the panel');");
  await page.getByRole("button", { name: "Load" }).click();
  await page.locator("#loaded", { hasText: "was loaded" }).waitFor();
  await shot("loaded");
  await choose(page, "bad.sql", "CREATE TABLE half (n int);\nSELECT nonsense FROM nowhere;\n");
  await page.getByRole("button", { name: "Load" }).click();
  await page.locator("#loaded .wrong", { hasText: "nowhere" }).waitFor();
  await shot("refused");
  await choose(page, "other.sql", "SELECT 1;");
  await page.locator("#loaded .wrong").waitFor({ state: "hidden" });
  const [got] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "sql", exact: true }).click()]);
  const dump = readFileSync(await got.path(), "utf8");
  check(got.suggestedFilename().endsWith(".sql") && dump.includes("by the panel") && !dump.includes("half"), "the dump has what was loaded");
});
await at("phone", "dark", "da", async (page, shot, context) => {
  await shot("page");
  // Eight megabytes by a slow line, so that it is seen on its way.
  const line = await context.newCDPSession(page);
  await line.send("Network.enable");
  await line.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 2 << 20 });
  const rows = Array.from({ length: 80_000 }, (_, n) => `INSERT INTO notes VALUES (${n}, '${"æøå ".repeat(20)}');`).join("\n");
  await choose(page, "many.sql", rows);
  await page.getByRole("button", { name: "Læs ind" }).click();
  await page.waitForFunction(() => document.querySelector("[data-sending] progress")?.value > 20);
  await shot("sending");
  await page.locator("#loaded progress, #loaded .said").first().waitFor();
  await shot("loading");
  await page.locator("#loaded", { hasText: "er læst ind" }).waitFor();
  await shot("loaded");
  // Without script.
  const plain = await context.browser().newContext({ javaScriptEnabled: false, ignoreHTTPSErrors: true, locale: "da-DK" });
  await plain.addCookies(await context.cookies());
  const still = await plain.newPage();
  await still.goto(panel + path);
  await choose(still, "more.sql", "INSERT INTO notes VALUES (0, 'without script');");
  await still.getByRole("button", { name: "Læs ind" }).click();
  await still.locator("#loaded progress, #loaded .said").first().waitFor();
  check(new URL(still.url()).pathname === path, "it is on its page");
  await plain.close();
});
await end();
