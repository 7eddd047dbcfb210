// What a customer does in a browser: makes a WordPress site, sees it come up, takes a snapshot, brings it back, undoes that,
// deletes and undoes, and logs out so that the back button shows nothing. In both languages, and on a phone.
import { check, open, panel, picture, visitor } from "./lib.mjs";
import { enter } from "./people.mjs";

const words = {
  en: { create: "New solution", make: "Make the solution", ready: "Open the solution", take: "Take now", restore: "Restore", undo: "Undo the newest change", undone: "It is undone", remove: "Delete the solution", bring: "Undo the deletion", out: "Log out", login: "Log in", accept: "We accept the house rules", running: "Running" },
  da: { create: "Ny løsning", make: "Opret løsningen", ready: "Åbn løsningen", take: "Tag nu", restore: "Gendan", undo: "Fortryd den seneste ændring", undone: "Det er fortrudt", remove: "Slet løsningen", bring: "Fortryd sletningen", out: "Log ud", login: "Log ind", accept: "Vi godkender husordenen", running: "I drift" },
};

async function story(browser, language, width) {
  const say = words[language];
  const name = `flow-${language}`;
  const { context, page } = await enter(browser, panel, { email: process.env.OWNER_EMAIL, password: process.env.OWNER_PASSWORD }, language, width, say);
  const shot = (what) => picture(page, `flow-${what}-${width}-light-${language}`);

  // What is wrong is said at its field, and what was typed stays.
  await page.goto(`${panel}/create`);
  await page.locator("a.choice", { hasText: "WordPress" }).click();
  await page.getByRole("textbox", { name: language === "da" ? "Navn" : "Name", exact: true }).fill(name);
  await page.locator("[name='/spec/domains']").first().fill("not a domain!");
  await page.locator("[name='/spec/app/admin_email']").fill("owner@demo-sites.test");
  await page.getByRole("button", { name: say.make }).click();
  await page.waitForSelector("[data-summary]");
  const wrong = page.locator("[name='/spec/domains']").first();
  check((await wrong.getAttribute("aria-invalid")) === "true", "the wrong field is marked");
  check((await wrong.inputValue()) === "not a domain!", "what was typed is kept");
  check((await page.locator("[name='/spec/app/admin_email']").inputValue()) === "owner@demo-sites.test", "the other fields are kept");
  await shot("wrong");

  await wrong.fill(`${name}.demo-sites.test`);
  await page.getByRole("button", { name: say.make }).click();
  await page.waitForSelector(".secret code");
  const password = (await page.locator(".secret code").last().textContent()).trim();
  check(password.length >= 12, "a password is shown");
  await shot("once");
  // The page follows the work by itself; nobody loads it again.
  await page.getByRole("link", { name: say.ready }).waitFor();
  check((await page.locator(".secret code").last().textContent()).trim() === password, "the password stays while the page follows");
  await shot("ready");
  await page.getByRole("link", { name: say.ready }).click();
  await page.locator("#state .badge", { hasText: say.running }).waitFor();

  await page.goto(`${panel}/solutions/${name}/snapshots`);
  await page.locator("[name='/label']").fill("before the theme");
  await page.getByRole("button", { name: say.take }).click();
  const row = page.locator("#snapshots tr", { hasText: "before the theme" });
  await row.locator(".badge.good").waitFor();
  await row.getByRole("link", { name: say.restore }).click();
  await page.locator("dialog[open]").waitFor();
  await shot("dialog");
  await page.locator("dialog button.danger").click();
  const before = page.locator("#snapshots tr .badge.good");
  await page.waitForFunction(() => document.querySelectorAll("#snapshots tbody tr .badge.good").length >= 2 && !document.querySelector("#orders progress"));
  check((await before.count()) >= 2, "a snapshot was taken before the restore");
  await page.getByRole("link", { name: say.undo }).click();
  await page.locator("dialog[open] button.danger").click();
  await page.locator(".toast", { hasText: say.undone }).waitFor();
  await page.waitForFunction(() => !document.querySelector("#orders progress"));

  await page.goto(`${panel}/solutions/${name}/delete`);
  await page.getByRole("button", { name: say.remove }).click();
  await page.getByRole("button", { name: say.bring }).waitFor();
  await shot("deleted");
  await page.getByRole("button", { name: say.bring }).click();
  await page.locator("#state .badge", { hasText: say.running }).waitFor();

  // Log-out: the cookie is gone, and the back button shows nothing.
  await page.locator("header details.menu").last().locator("summary").click();
  await page.getByRole("button", { name: say.out }).click();
  await page.getByRole("heading", { name: say.login }).waitFor();
  const left = (await context.cookies(panel)).map((cookie) => cookie.name);
  check(!left.includes("__Host-session"), `the session's cookie is still there: ${left}`);
  await page.goBack();
  await page.waitForLoadState();
  check(!(await page.content()).includes(`${name}.demo-sites.test`), "the back button shows the page from before log-out");
  check(context.faults.length === 0, context.faults.join("\n"));
  await context.close();
}

const browser = await open();
try {
  await Promise.all([story(browser, "en", "desktop"), story(browser, "da", "phone")]);
  console.log("the stories hold");
} finally {
  await browser.close();
}
