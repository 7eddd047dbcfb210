// An agreement on port 25: asked for on the server's page, answered at the staff's desk, and seen there again. Pictures of each, and what axe says.
import { check, open, overflow, picture, serious, staff } from "./lib.mjs";
import { enter, tour } from "./people.mjs";

const solution = process.env.SOLUTION;
const officer = { email: process.env.STAFF_EMAIL, password: process.env.STAFF_PASSWORD, secret: process.env.STAFF_TOTP };
const say = { login: "Log in", start: "Continue", accept: "We accept the house rules" };
const { at, end } = await tour("agreements", `/solutions/${solution}`);

await at("desktop", "light", "en", async (page, shot) => {
  const card = page.locator("#port-25");
  await card.getByText("Closed", { exact: true }).waitFor();
  await card.locator("summary").click();
  await shot("closed");
  await card.locator("[name='/per_week']").fill("2 millions");
  await card.locator("[name='/purpose']").fill("Receipts to customers of the shop,\nand nothing else.");
  await card.getByRole("button", { name: "Send the request" }).click();
  await page.waitForSelector("[data-summary]");
  check((await card.locator("[name='/per_week']").getAttribute("aria-invalid")) === "true", "the wrong field is marked");
  check((await card.locator("[name='/purpose']").inputValue()).startsWith("Receipts"), "what was typed is kept");
  await shot("wrong");
  await card.locator("[name='/per_week']").fill("2,000");
  await card.getByRole("button", { name: "Send the request" }).click();
  await page.locator("#port-25").getByText("Waits for an answer").waitFor();
  await shot("asked");
});

const browser = await open();
const faults = [];
for (const [width, language, heading] of [["desktop", "en", "Wait for an answer"], ["phone", "da", "Venter på svar"]]) {
  const words = language === "en" ? say : { login: "Log ind", start: "Fortsæt", accept: "Vi godkender husordenen" };
  const { context, page } = await enter(browser, staff, officer, language, width, words);
  const shot = async (what) => {
    await picture(page, `agreements-staff-${what}-${width}-light-${language}`);
    faults.push(...(await overflow(page)), ...(await serious(page)));
  };
  await page.goto(`${staff}/agreements`);
  await page.getByRole("heading", { name: heading }).waitFor();
  await shot("list");
  await page.getByRole("link", { name: solution, exact: true }).first().click();
  await page.locator("[name='/agree']").first().waitFor();
  if (language === "da") {
    await shot("one");
    await page.locator("[name='/agree'][value='yes']").check();
    await page.locator("[name='/reason']").fill("Velkommen. Hold øje med dem, der klager.");
    await page.locator("[name='/until']").fill("2099-01-31T12:00");
    await page.getByRole("button", { name: "Send svaret" }).click();
    await page.getByText("Svaret er sendt.").waitFor();
    await page.getByRole("link", { name: solution, exact: true }).first().click();
    await shot("agreed");
  } else {
    await page.locator("[name='/agree'][value='no']").check();
    await page.getByRole("button", { name: "Send the answer" }).click();
    await page.waitForSelector("[data-summary]");
    check((await page.locator("[name='/reason']").getAttribute("aria-invalid")) === "true", "a no has a reason");
    await shot("wrong");
  }
  faults.push(...context.faults);
  await context.close();
}
await browser.close();

await at("phone", "light", "da", async (page, shot) => {
  await page.locator("#port-25").getByText("Åben efter aftale").waitFor();
  await shot("agreed");
  await page.locator("#port-25").getByRole("link", { name: "Slut aftalen" }).click();
  await shot("end");
});
await at("desktop", "dark", "da", async (page, shot) => {
  await page.locator("#port-25").getByText("Velkommen.").waitFor();
  await shot("agreed");
});
console.log(faults.join("\n"));
await end();
if (faults.length) process.exitCode = 1;
