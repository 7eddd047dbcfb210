// A database at work: the pooler among its settings, the card of a chosen second, its log and its curves. Pictures of each, and what axe
// says.
import { check, panel } from "./lib.mjs";
import { tour } from "./people.mjs";

const base = `/solutions/${process.env.SOLUTION}`;
const { at, end } = await tour("operation", `${base}/places/parameters`);

await at("desktop", "light", "en", async (page, shot) => {
  // More sessions than the server takes are refused at the field, and what was chosen stays.
  await page.locator("[name='/spec/pooler']").selectOption("session");
  await page.locator("[name='/spec/pooler_size']").fill("49999");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/spec/pooler_size']").getAttribute("aria-invalid")) === "true", "the wrong field is marked");
  check((await page.locator("[name='/spec/pooler']").inputValue()) === "session", "what was chosen is kept");
  await shot("pooler-wrong");
  await page.locator("[name='/spec/pooler_size']").fill("7");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.locator(".toast").waitFor();
  await page.goto(`${panel}${base}/places/parameters`);
  check((await page.locator("[name='/spec/pooler_size']").inputValue()) === "7", "it is kept");
  await page.goto(`${panel}${base}`);
  await shot("pooler-lines");
  const tabs = await page.locator(".tabs .all a").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().right));
  check(tabs.length > 8 && tabs.every((right) => right <= 1280), "every tab is in sight");

  await page.goto(`${panel}${base}/snapshots`);
  await page.locator("[name='/from/at']").waitFor();
  await shot("moment");
  await page.locator("[name='/from/at']").fill("2001-01-01T00:00:00");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.waitForSelector("[data-summary]");
  check((await page.locator("[name='/from/at']").getAttribute("aria-invalid")) === "true", "a second that cannot be had is said at its field");
  check((await page.locator("[name='/from/at']").inputValue()).startsWith("2001-01-01T00:00"), "what was typed is kept");
  await shot("moment-wrong");

  await page.goto(`${panel}${base}/log`);
  await page.locator("[name='search']").fill("ready to accept");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.locator(".log li", { hasText: "ready to accept" }).first().waitFor();
  check((await page.locator(".log li").allTextContents()).every((line) => line.includes("ready to accept")), "the search narrows");
  await shot("log");
  await page.locator("[name='search']").fill("nothing says this");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.getByText("No lines").waitFor();
  await shot("log-none");

  await page.goto(`${panel}${base}/figures?hours=1`);
  for (const title of ["Clients of the pooler", "Clients waiting", "Sessions of the pooler"]) {
    await page.getByRole("heading", { name: title, exact: true }).waitFor();
  }
  await shot("figures");
});
await at("phone", "dark", "da", async (page, shot) => {
  await shot("pooler");
  // The solution's pages are a menu that says where one is.
  const menu = page.locator(".tabs .menu");
  check((await menu.locator("summary").textContent()).includes("Parametre"), "it says where one is");
  await menu.locator("summary").click();
  await shot("tabs");
  await menu.getByRole("link", { name: "Log", exact: true }).click();
  await page.waitForURL((url) => url.pathname.endsWith("/log"));
  await shot("log");
  await page.goto(`${panel}${base}/figures?hours=1`);
  await page.getByRole("heading", { name: "Klienter hos pooleren" }).waitFor();
  await shot("figures");
  await page.goto(`${panel}${base}/snapshots`);
  await shot("moment");
  // The second that is offered can be had.
  await page.locator("form[action$='/moment'] [name='/name']").fill("kopi");
  await page.getByRole("button", { name: "Lav den" }).click();
  await page.getByRole("heading", { name: "kopi er bestilt" }).waitFor();
  await shot("moment-made");
});
await end();
