// People at the doors: a wrong password, the house rules, the second factor with its recovery codes, log-out and the back
// button, an invited member who may not delete, and staff on their own origin. In both languages; Danish on a phone.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { check, open, panel, picture, staff, visitor } from "./lib.mjs";
import { another, fresh, giveCode, logIn, logOut } from "./people.mjs";

const words = {
  en: { login: "Log in", solutions: "Solutions", accept: "We accept the house rules", kept: "I have kept them", turnOn: "Turn on", start: "Continue", invite: "Send invitation", sent: "The invitation is sent.", take: "Accept the invitation", out: "Log out" },
  da: { login: "Log ind", solutions: "Løsninger", accept: "Vi godkender husordenen", kept: "Jeg har gemt dem", turnOn: "Slå til", start: "Fortsæt", invite: "Send invitation", sent: "Invitationen er sendt.", take: "Tag imod invitationen", out: "Log ud" },
};

/** The newest link in the mails to somebody. A mail that is just being laid has another ending until it is whole. */
async function link(to, part) {
  const folder = process.env.MAIL;
  for (let tries = 0; tries < 600; tries++) {
    const found = readdirSync(folder).filter((name) => name.endsWith(".eml")).sort().reverse().map((name) => readFileSync(join(folder, name), "utf8").replace(/=\r?\n/g, "").replace(/=3D/g, "="))
      .filter((text) => text.includes(to)).map((text) => text.match(new RegExp(`https://[^\\s"<>]*/${part}/[^\\s"<>]+`))?.[0]).find(Boolean);
    if (found) return found;
    await new Promise((wake) => setTimeout(wake, 500));
  }
  throw new Error(`no mail to ${to} with a link to ${part}`);
}

async function customer(browser, language, width, state) {
  const say = words[language];
  const shot = (what) => picture(page, `doors-${what}-${width}-light-${language}`);
  const context = await visitor(browser, { width, language });
  // The owner's own language is English; who chooses another at the switch is answered in that.
  await context.addCookies([{ name: "__Host-language", value: language, url: panel, secure: true, sameSite: "Lax" }]);
  const page = await context.newPage();
  const { OWNER_EMAIL: email, OWNER_PASSWORD: password } = process.env;

  await logIn(page, panel, email, "a password that is not it", say);
  await page.waitForSelector("[data-summary], [role='alert']");
  check((await page.locator("[name='/email']").inputValue()) === email, "the address is kept");
  check((await page.locator("[name='/password']").inputValue()) === "", "the password is not sent back");
  await shot("refused");
  await logIn(page, panel, email, password, say);
  if (state.secret) {
    await giveCode(page, state.secret, say);
  }
  const accept = page.getByRole("button", { name: say.accept });
  await page.getByRole("heading", { name: say.solutions }).or(accept).first().waitFor();
  if (await accept.isVisible()) {
    await shot("rules");
    await accept.click();
  }
  await page.getByRole("heading", { name: say.solutions }).waitFor();

  if (!state.secret) {
    await page.goto(`${panel}/security/totp`);
    await page.locator("form[action='/security/totp'] button").click();
    await page.locator("img.qr").waitFor();
    await page.locator("details.more summary").click();
    state.secret = (await page.locator("details.more code").textContent()).replace(/\s/g, "");
    await shot("enrol");
    await page.locator("[name='/code']").fill(await fresh(state.secret));
    await page.getByRole("button", { name: say.turnOn, exact: true }).click();
    await page.getByRole("link", { name: say.kept }).waitFor();
    const codes = (await page.locator(".codes code").textContent()).trim().split("\n");
    check(codes.length === 10 && new Set(codes).size === 10, `ten recovery codes: ${codes.length}`);
    await shot("codes");
    await page.getByRole("link", { name: say.kept }).click();
  }
  for (const where of ["security", "members", "account"]) {
    await page.goto(`${panel}/${where}`);
    await page.waitForSelector("main h1");
    await shot(where);
  }

  // A member who may only read is shown no way to delete, and is refused one.
  const reader = `reader-${language}@demo-sites.test`;
  const phrase = "brown kettles sing on tuesdays 7";
  await page.goto(`${panel}/members`);
  await page.locator("form[action='/members'] [name='/email']").fill(reader);
  await page.locator("[name='/role'][value='read-only']").check();
  await page.getByRole("button", { name: say.invite }).click();
  await page.locator(".toast", { hasText: say.sent }).waitFor();
  const invited = await visitor(browser, { width, language });
  const theirs = await invited.newPage();
  await theirs.goto(await link(reader, "invitation"));
  await picture(theirs, `doors-invitation-${width}-light-${language}`);
  await theirs.locator("[name='/name']").fill("Reader");
  await theirs.locator("[name='/password']").fill("password1234567");
  await theirs.getByRole("button", { name: say.take }).click();
  await theirs.waitForSelector("[aria-invalid='true']");
  await picture(theirs, `doors-invitation-refused-${width}-light-${language}`);
  await theirs.locator("[name='/password']").fill(phrase);
  await theirs.getByRole("button", { name: say.take }).click();
  await theirs.getByRole("heading", { name: say.login }).waitFor();
  await logIn(theirs, panel, reader, phrase, say);
  await theirs.getByRole("heading", { name: say.solutions }).waitFor();
  await theirs.goto(`${panel}/solutions/blog/settings`);
  check((await theirs.locator("a[href$='/delete'], form[action$='/delete'] button").count()) === 0, "who only reads is shown no deletion");
  await theirs.goto(`${panel}/solutions/blog/delete`);
  await theirs.waitForLoadState();
  const button = theirs.locator("form[action='/solutions/blog/delete'] button");
  if (await button.count()) {
    await button.click();
    await theirs.waitForLoadState();
  }
  await picture(theirs, `doors-reader-delete-${width}-light-${language}`);
  await page.goto(`${panel}/solutions/blog`);
  check(!(await page.locator("#state").textContent()).match(/delet|slet/i), "the solution stands");
  check(invited.faults.length === 0, invited.faults.join("\n"));
  await invited.close();

  // Log-out ends it: the back button shows nothing, and the old cookie opens nothing.
  const kept = (await context.cookies(panel)).find((cookie) => cookie.name === "__Host-session");
  await page.goto(`${panel}/security`);
  await logOut(page, say);
  await page.goBack();
  await page.waitForLoadState();
  check(!(await page.content()).includes(email), "the back button shows nothing");
  await context.addCookies([{ name: kept.name, value: kept.value, url: panel, secure: true, httpOnly: true, sameSite: "Lax" }]);
  await page.goto(panel);
  await page.getByRole("heading", { name: say.login }).waitFor();
  check(context.faults.length === 0, context.faults.join("\n"));
  await context.close();
}

async function atTheDesk(browser) {
  const context = await visitor(browser, {});
  const page = await context.newPage();
  another();
  await logIn(page, staff, process.env.STAFF_EMAIL, process.env.STAFF_PASSWORD, words.en);
  await page.locator("[name='/code']").waitFor();
  await picture(page, "doors-staff-code-desktop-light-en");
  await giveCode(page, process.env.STAFF_TOTP, words.en);
  await page.locator("header details.menu").last().waitFor();
  await picture(page, "doors-staff-desktop-light-en");
  // A customer's log-in is none here, nor the other way about.
  const other = await visitor(browser, {});
  const stranger = await other.newPage();
  await logIn(stranger, staff, process.env.OWNER_EMAIL, process.env.OWNER_PASSWORD, words.en);
  check(await stranger.getByRole("heading", { name: words.en.login }).isVisible(), "customers do not get in at the staff's door");
  await other.close();
  await logOut(page, words.en);
  check(context.faults.length === 0, context.faults.join("\n"));
  await context.close();
}

const browser = await open();
try {
  const state = {};
  await customer(browser, "en", "desktop", state);
  await customer(browser, "da", "phone", state);
  await atTheDesk(browser);
  console.log("the doors hold");
} finally {
  await browser.close();
}
process.exit(0);
