// A disk image: made of a server's snapshot, refused at the field, and used for a new server; in both languages, on a phone and a desktop. Pictures
// of each, and what axe says.
import { check, panel } from "./lib.mjs";
import { tour } from "./people.mjs";

const path = `/solutions/${process.env.SOLUTION}/snapshots`;
const { at, end } = await tour("images", path);

await at("desktop", "light", "en", async (page, shot) => {
  await page.locator("[name='/label']").fill("As it should be");
  await page.getByRole("button", { name: "Take now" }).click();
  await page.getByRole("link", { name: "Make an image" }).first().click();
  await page.locator("[name='/name']").fill("Golden!");
  await page.getByRole("button", { name: "Make the image" }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/name']").getAttribute("aria-invalid")) === "true", "the name is marked");
  await shot("wrong");
  await page.locator("[name='/name']").fill("golden");
  await page.getByRole("button", { name: "Make the image" }).click();
  await page.getByRole("heading", { name: "golden is ordered" }).waitFor();
  await shot("ordered");
  await page.goto(`${panel}/solutions/golden`);
  await page.getByRole("link", { name: "Make a server from it" }).click();
  const chosen = await page.locator("[name='/spec/image']").evaluate((field) => field.selectedOptions[0].textContent);
  check(chosen.includes("golden"), `the image is chosen: ${chosen}`);
  await shot("use");
});

await at("phone", "light", "da", async (page, shot) => {
  await shot("snapshots");
  await page.goto(`${panel}/solutions/golden`);
  await page.getByRole("link", { name: "Lav en server af det" }).waitFor();
  await shot("one");
});

await end();
