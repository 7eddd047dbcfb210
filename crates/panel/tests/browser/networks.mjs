// Private networks: made, refused at the field, looked at with their servers, and deleted; in both languages, on a phone and a desktop. Pictures
// of each, and what axe says.
import { check, panel } from "./lib.mjs";
import { tour } from "./people.mjs";

const { at, end } = await tour("networks", "/networks");
const network = process.env.NETWORK;

await at("desktop", "light", "en", async (page, shot) => {
  await page.locator("[name='/name']").fill("Inner");
  await page.locator("[name='/range']").fill("192.0.2.0/24");
  await page.getByRole("button", { name: "Make network" }).click();
  await page.waitForSelector("[data-summary]");
  for (const name of ["/name", "/range"]) {
    check((await page.locator(`[name='${name}']`).getAttribute("aria-invalid")) === "true", `${name} is marked`);
  }
  await shot("wrong");
  await page.locator("[name='/name']").fill("inner");
  await page.locator("[name='/range']").fill("192.168.7.0/28");
  await page.getByRole("button", { name: "Make network" }).click();
  await page.getByRole("heading", { name: "inner" }).waitFor();
  await shot("empty");
  await page.goto(`${panel}/networks`);
  await shot("list");
  await page.getByRole("link", { name: network, exact: true }).click();
  check(await page.getByText("10.20.0.2").isVisible(), "its servers have addresses");
  await shot("one");
});

await at("phone", "light", "da", async (page, shot) => {
  await shot("list");
  await page.getByRole("link", { name: network, exact: true }).click();
  await shot("one");
  await page.goto(`${panel}/networks`);
  await page.getByRole("link", { name: "inner", exact: true }).click();
  await page.getByRole("link", { name: "Slet" }).click();
  await shot("delete");
  await page.getByRole("button", { name: "Slet" }).click();
  await page.getByText("Netværket er slettet.").waitFor();
});

await end();
