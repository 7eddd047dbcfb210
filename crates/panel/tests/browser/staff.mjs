// Staff beyond the case: accounts are searched and opened, solutions narrowed by state, the log narrowed by its fields and had as
// files, nodes show their pools and what is built, health its lines. English at a desk, Danish on a phone.
import { check, open, overflow, picture, staff } from "./lib.mjs";
import { another, enter } from "./people.mjs";

const words = {
  en: { login: "Log in", start: "Continue", accept: "We accept the house rules", search: "Search", narrow: "Narrow", table: "Get as a table", proofs: "Get with proofs", pool: "Data in the pool", ready: "Ready", certificate: "The panel's certificate", none: "No account fits." },
  da: { login: "Log ind", start: "Fortsæt", accept: "Vi godkender husordenen", search: "Søg", narrow: "Afgræns", table: "Hent som tabel", proofs: "Hent med beviser", pool: "Data i puljen", ready: "Klar", certificate: "Panelets certifikat", none: "Ingen konto passer." },
};
const officer = { email: process.env.STAFF_EMAIL, password: process.env.STAFF_PASSWORD, secret: process.env.STAFF_TOTP };

async function told(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: button, exact: true }).click()]);
  let text = "";
  for await (const part of await download.createReadStream()) text += part;
  return [download.suggestedFilename(), text];
}

async function story(browser, language, width) {
  const say = words[language];
  const { context, page } = await enter(browser, staff, officer, language, width, say);
  const shot = (what) => picture(page, `desk-staff-${what}-${width}-light-${language}`);
  const search = async (text) => {
    await page.locator("[name='q']").fill(text);
    await page.getByRole("button", { name: say.search, exact: true }).click();
    await page.waitForLoadState();
  };

  await page.goto(`${staff}/accounts`);
  await search("nobody has this name");
  await page.getByText(say.none).waitFor();
  await shot("accounts-none");
  await search("DEM");
  await page.locator("td a.main", { hasText: "demo" }).first().click();
  await page.locator("#solutions td", { hasText: "blog" }).first().waitFor();
  await shot("account");

  await page.goto(`${staff}/solutions`);
  await page.locator("select[name='state']").selectOption("trouble");
  await search("blog");
  check((await page.locator("td .main", { hasText: "blog" }).count()) === 0, "what is not in trouble is left out");
  await page.locator("select[name='state']").selectOption("");
  await search("blog");
  await page.locator("td .main", { hasText: "blog" }).first().waitFor();

  await page.goto(`${staff}/evidence`);
  await page.locator("details.narrow summary").click();
  await page.locator("[name='act']").fill("account");
  await search("");
  const acts = await page.locator("td:first-child code").allTextContents();
  check(acts.length > 0 && acts.every((act) => act.startsWith("account")), `only acts on accounts: ${acts}`);
  check((await page.locator("[name='act']").inputValue()) === "account", "what was narrowed by stays");
  await shot("log");
  const [name, text] = await told(page, say.table);
  check(name === "evidence.csv" && text.split("\n")[0].includes("act"), `a table with its head: ${name}`);
  const [proofs, lines] = await told(page, say.proofs);
  check(proofs === "evidence.jsonl" && lines.split("\n").filter(Boolean).every((line) => JSON.parse(line)), `lines of JSON: ${proofs}`);

  await page.goto(staff);
  await page.getByText(say.pool).first().waitFor();
  await page.locator(".badge", { hasText: say.ready }).first().waitFor();
  await page.goto(`${staff}/health`);
  await page.locator("td .main", { hasText: say.certificate }).waitFor();
  const wide = await overflow(page);
  check(wide.length === 0, wide.join("\n"));
  check(context.faults.length === 0, context.faults.join("\n"));
  await context.close();
}

const browser = await open();
try {
  another();
  await story(browser, "en", "desktop");
  await story(browser, "da", "phone");
  console.log("staff find their way");
} finally {
  await browser.close();
}
process.exit(0);
