// Backups as a customer has them: one made now, looked into as a tree, a file fetched, what changed found, a file and all of it put back and
// undone; and the page for an auditor. In both languages, on a phone and a desktop; pictures of each, and what axe says.
import { readFileSync } from "node:fs";
import { tour } from "./people.mjs";
import { check, panel } from "./lib.mjs";

const base = `/solutions/${process.env.SOLUTION}`;
const home = `${base}/backups`;
const { FOLDER: folder, FILE: file, CAME: came } = process.env;
const { at, end } = await tour("backups", home);
const ready = (page) => page.locator("#backups tbody tr:not(.past)");

await at("desktop", "light", "en", async (page, shot) => {
  await ready(page).first().waitFor();
  const before = await ready(page).count();
  await shot("before");
  // One now: it is seen under way, and comes to the list by itself.
  await page.getByRole("button", { name: "Back up now" }).click();
  await page.locator(".toast").waitFor();
  await page.waitForFunction((count) => document.querySelectorAll("#backups tbody tr:not(.past)").length > count, before);
  await shot("list");

  // What changed since the one before: a file that came is found, and nothing is put back of what was not there.
  await ready(page).first().locator("a.main").click();
  await page.waitForLoadState();
  await shot("one");
  await page.getByRole("link", { name: "What changed" }).click();
  await page.locator("#changes").waitFor();
  check(await page.locator("#changes tr", { hasText: came }).count(), `${came} has come`);
  await shot("changes");
  await page.locator("#changes .chips a", { hasText: "Changed" }).click();
  await page.locator("#changes tr", { hasText: file }).waitFor();
  check(!(await page.locator("#changes tr", { hasText: came }).count()), "only what changed is shown");

  // The tree, down to the file and back up; the file's versions; a version is a file on the reader's machine.
  await page.getByRole("link", { name: "Files", exact: true }).click();
  await page.locator("#tree").waitFor();
  await shot("tree");
  for (const part of folder.split("/")) {
    await page.locator("#tree td a.main", { hasText: part }).first().click();
    await page.locator("#tree .trail [aria-current]", { hasText: part }).waitFor();
  }
  await shot("folder");
  await page.locator("#tree td a.main", { hasText: file }).click();
  await page.locator("#versions").waitFor();
  await shot("versions");
  const [got] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /^Get: / }).last().click()]);
  check(got.suggestedFilename() === file, `the file is called ${got.suggestedFilename()}`);
  check(readFileSync(await got.path(), "utf8").includes("first"), "it is the oldest version");

  // It is put back as it was, after a dialogue that says what will happen; and that is undone.
  await page.getByRole("link", { name: /^Restore: / }).last().click();
  await page.locator("dialog[open]").waitFor();
  await shot("restore-file");
  await page.locator("dialog button.danger").click();
  await page.getByText("The restore is done").waitFor();
  await shot("restored");
  await page.getByRole("link", { name: "Undo the restore" }).click();
  await page.locator("dialog[open]").waitFor();
  await page.locator("dialog button.danger").click();
  await page.waitForURL(/snapshots/);
  await page.locator("#orders:empty, #orders:not(:has(progress))").waitFor({ state: "attached" });

  // All of it: each choice says what it does.
  await page.goto(panel + home);
  await ready(page).last().getByRole("link", { name: "Restore" }).click();
  await page.locator("dialog[open]").waitFor();
  check(await page.locator("dialog").getByText("A snapshot is taken first").first().isVisible(), "undo is promised");
  await shot("restore");
  await page.locator("dialog .pick", { hasText: "Beside" }).locator("input[type=radio]").check();
  await page.locator("dialog [name='/name']").fill("Not A Name");
  await shot("restore-beside");
  await page.locator("dialog button.danger").click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/name']").getAttribute("aria-invalid")) === "true", "the wrong name is said at its field");
  check((await page.locator("[name='/name']").inputValue()) === "Not A Name", "what was typed is kept");

  await page.goto(`${panel}${home}/proofs`);
  await shot("proofs");
  const proof = page.locator("#proofs td a.main").first();
  if (await proof.count()) {
    await proof.click();
    await page.locator("#proof").waitFor();
    await shot("proof");
  }
  await page.goto(`${panel}/proofs`);
  await page.locator("#proofs tr", { hasText: process.env.SOLUTION }).first().waitFor();
  await shot("auditor");
  await page.emulateMedia({ media: "print" });
  await shot("auditor-paper");
});
await at("phone", "light", "da", async (page, shot) => {
  await ready(page).first().waitFor();
  await shot("list");
  // The plan: turned off needs a reason, which is said at the field.
  await page.getByText("Skift planen").click();
  const off = page.locator("[name='/on']");
  if (await off.count()) {
    await off.uncheck();
    await page.getByRole("button", { name: "Gem planen" }).click();
    await page.waitForSelector("[data-summary]");
    await shot("plan-wrong");
    await page.locator("[name='/reason']").fill("Det er kun en kopi");
    await page.getByRole("button", { name: "Gem planen" }).click();
    await page.locator(".toast", { hasText: "Planen er gemt" }).waitFor();
    await page.getByText("Det er kun en kopi").first().waitFor();
    await shot("off");
    await page.getByText("Skift planen").click();
    await page.locator("[name='/on']").check();
  }
  await page.locator("[name='/hour']").selectOption("3");
  await page.getByRole("button", { name: "Gem planen" }).click();
  await page.locator(".toast", { hasText: "Planen er gemt" }).waitFor();
  check(await page.getByText("mellem kl. 03.00").count(), "the plan is as it was wished");
  await ready(page).first().locator("a.main").click();
  await page.waitForLoadState();
  await shot("one");
  await page.getByRole("link", { name: "Filer", exact: true }).click();
  await page.locator("#tree").waitFor();
  await shot("tree");
  await page.goBack();
  await page.getByRole("link", { name: "Hvad er ændret" }).click();
  await page.locator("#changes").waitFor();
  await shot("changes");
  await page.goto(`${panel}${home}`);
  await ready(page).first().getByRole("link", { name: "Gendan" }).click();
  await page.locator("dialog[open]").waitFor();
  await shot("restore");
  await page.goto(`${panel}${home}/proofs`);
  await shot("proofs");
  await page.goto(`${panel}/proofs`);
  await shot("auditor");
});
await at("desktop", "dark", "da", async (page, shot) => {
  await shot("list");
  await page.goto(`${panel}${home}/proofs`);
  await shot("proofs");
  await page.goto(`${panel}/proofs`);
  await shot("auditor");
});
await end();
