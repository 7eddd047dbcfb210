// Users, databases, rights and parameters of a solution whose kind asks for pages of their own: made, refused at their fields,
// changed, dropped and shown once, in both languages, on a phone and a desktop. Pictures of each, and what axe says.
import { check, panel } from "./lib.mjs";
import { tour } from "./people.mjs";

const base = `/solutions/${process.env.SOLUTION}`;
const people = `${base}/places/people`;
const { at, end } = await tour("places", people);

await at("desktop", "light", "en", async (page, shot, context) => {
  await shot("first");
  // A database with an extension; a wrong name is said at its field, and what was ticked stays.
  await page.getByRole("link", { name: "New database" }).click();
  await page.locator("[name='/name']").fill("Stats");
  await page.getByLabel("pg_trgm").check();
  await shot("database");
  await page.getByRole("button", { name: "Make" }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/name']").getAttribute("aria-invalid")) === "true", "the wrong field is marked");
  check(await page.getByLabel("pg_trgm").isChecked(), "what was ticked is kept");
  await page.locator("[name='/name']").fill("stats");
  await page.getByRole("button", { name: "Make" }).click();
  await page.locator("#map-databases code.main", { hasText: "stats" }).waitFor();

  // A user with rights: a chosen password is judged, a made one is shown once.
  await page.getByRole("link", { name: "New user" }).click();
  await page.locator("[name='/name']").fill("report");
  await page.getByLabel("stats", { exact: true }).selectOption("read");
  await page.locator("[name='/password']").fill("password12345678");
  await page.getByRole("button", { name: "Make" }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/password']").getAttribute("aria-invalid")) === "true", "the password is judged at its field");
  check((await page.getByLabel("stats", { exact: true }).inputValue()) === "read", "the right is kept");
  await shot("user-wrong");
  await page.locator("[name='/password']").fill("");
  await page.getByRole("button", { name: "Make" }).click();
  await page.waitForSelector(".secret code");
  check((await page.locator(".secret code").last().textContent()).trim().length >= 20, "a password is shown");
  await shot("once");
  await page.getByRole("link", { name: "I have kept it" }).click();
  await page.locator("#map-users tr", { hasText: "report" }).waitFor();
  await shot("people");

  await page.getByRole("link", { name: "Change: report" }).click();
  await page.getByLabel("app", { exact: true }).selectOption("write");
  await shot("rights");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.locator("#map-users tr", { hasText: "report" }).getByText("Read and change").waitFor();

  await page.getByRole("link", { name: "Drop: stats" }).click();
  await page.locator("dialog[open]").waitFor();
  await shot("drop");
  await page.locator("dialog button.danger").click();
  await page.locator(".toast", { hasText: "stats is being dropped" }).waitFor();
  check(!(await page.locator("#map-databases tr", { hasText: "stats" }).count()), "it is gone from the table");

  await page.goto(`${panel}${base}?login=report#connect`);
  check(await page.getByText("sslmode=verify-full").count(), "there are lines to paste");
  await shot("connect");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Get ca.pem" }).click()]);
  check(file.suggestedFilename() === "ca.pem", "the certificate is a file");
});
await at("phone", "light", "da", async (page, shot) => {
  await shot("people");
  await page.getByRole("link", { name: "Ny bruger" }).click();
  await shot("user");
  await page.goto(`${panel}${base}/credentials/report`);
  await shot("password");
  await page.goto(`${panel}${people}/users/report/drop`);
  await shot("drop");
  await page.goto(`${panel}${base}/places/parameters`);
  await shot("parameters");
  await page.goto(`${panel}${base}`);
  await shot("solution");
});
await at("desktop", "dark", "da", async (page, shot) => {
  await shot("people");
  await page.goto(`${panel}${base}/places/parameters`);
  await page.locator("[name='/spec/parameters/work_mem']").fill("12");
  await page.locator("[name='/spec/parameters/lock_timeout']").fill("5000");
  await page.getByRole("button", { name: "Gem ændringer" }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/spec/parameters/lock_timeout']").inputValue()) === "5000", "what was typed is kept");
  await shot("parameters-wrong");
  await page.locator("[name='/spec/parameters/work_mem']").fill("8192");
  await page.getByRole("button", { name: "Gem ændringer" }).click();
  await page.locator(".toast", { hasText: "Gemt" }).waitFor();
  await shot("parameters");
});
await end();
