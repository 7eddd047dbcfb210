// Who may connect: the page as it is met with a proposal and nobody on the list, what is wrong said at its field, an entry with an
// end, opening to all and closing again, and the one press that lets a refused client in. Pictures of each, and what axe says.
import { check, panel } from "./lib.mjs";
import { tour } from "./people.mjs";

const path = `/solutions/${process.env.SOLUTION}/access`;
const { at, end } = await tour("access", path);

await at("desktop", "light", "en", async (page, shot) => {
  check(await page.getByText("Nobody may connect yet").count(), "nobody is on the list");
  await shot("first");
  await page.locator("[name='/net']").fill("203.0.113.9/24");
  await page.locator("[name='/note']").fill("The office in Aarhus");
  await page.locator("[name='/until']").selectOption("week");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/net']").getAttribute("aria-invalid")) === "true", "the wrong field is marked");
  check((await page.locator("[name='/note']").inputValue()) === "The office in Aarhus", "what was typed is kept");
  await shot("wrong");
  await page.locator("[name='/net']").fill("203.0.113.0/24");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("cell", { name: "The office in Aarhus" }).waitFor();
  await page.locator("details summary", { hasText: "Open to all" }).click();
  await shot("open");
  await page.getByLabel("I know, and it is meant").check();
  await page.getByRole("button", { name: "Open to all" }).click();
  await page.getByText("The whole internet may connect").waitFor();
  await shot("everyone");
});
await at("phone", "light", "da", async (page, shot) => {
  await shot("everyone");
  await page.goto(panel);
  await shot("overview");
  await page.goto(panel + path);
  await page.getByRole("button", { name: "Luk for alle andre end listen" }).click();
  await page.getByText("Kun listen må forbinde nu").waitFor();
  await shot("list");
});
await at("phone", "dark", "en", async (page, shot) => shot("list"));
await at("desktop", "dark", "da", async (page, shot) => {
  await page.goto(`${panel}/solutions/${process.env.SOLUTION}`);
  await shot("solution");
  await page.goto(panel + path);
  // One press.
  const card = page.locator(".note", { hasText: `Tillad ${process.env.NET}?` });
  await card.getByRole("button", { name: "Tillad" }).click();
  await page.getByText("Tilladt").waitFor();
  check(await page.locator("code", { hasText: process.env.NET }).count(), "it stands on the list");
  await shot("allowed");
});
await end();
