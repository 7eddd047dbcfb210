// Firewalls: none yet, one made, what is wrong said at its field, a rule for everybody with what is found in it, the servers it holds for, and
// the addresses of one. Pictures of each, and what axe says.
import { check, panel } from "./lib.mjs";
import { tour } from "./people.mjs";

const solution = process.env.SOLUTION;
const { at, end } = await tour("firewalls", "/firewalls");

await at("desktop", "light", "en", async (page, shot) => {
  check(await page.getByText("No firewalls").count(), "there is none");
  await shot("none");
  await page.locator("[name='/name']").fill("site");
  await page.locator("[name='/labels']").fill("role=web");
  await page.getByRole("button", { name: "Make firewall" }).click();
  await page.getByText("Nobody is let in yet").waitFor();
  await page.locator("[name='/ports']").fill("70000");
  await page.locator("[name='/from']").fill("192.0.2.0/24\n2001:db8::/32");
  await page.locator("[name='/note']").fill("The shop");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/ports']").getAttribute("aria-invalid")) === "true", "the wrong field is marked");
  check((await page.locator("[name='/note']").inputValue()) === "The shop", "what was typed is kept");
  await shot("wrong");
  await page.locator("[name='/ports']").fill("443");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("cell", { name: "TCP 443", exact: true }).waitFor();
  await page.locator("[name='/ports']").fill("22");
  await page.locator("[name='whom']").selectOption("all");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("Management is open to all: 22 (SSH)").waitFor();
  await shot("one");
});
await at("phone", "light", "da", async (page, shot) => {
  await shot("list");
  await page.getByRole("link", { name: "site", exact: true }).click();
  await page.getByText("Administration er åben for alle").waitFor();
  await shot("one");
  await page.goto(`${panel}/solutions/${solution}`);
  await page.getByRole("heading", { name: "Offentlige adresser" }).waitFor();
  await shot("server");
});
await at("desktop", "dark", "da", async (page, shot) => {
  await page.goto(`${panel}/solutions/${solution}`);
  await page.locator("details summary", { hasText: "Navne, der fører tilbage" }).click();
  await shot("server");
});
await at("desktop", "light", "en", async (page, shot) => {
  await page.goto(`${panel}/firewalls/site/delete`);
  await shot("delete");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("The firewall is deleted").waitFor();
});
await end();
