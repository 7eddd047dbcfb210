// Every page as a picture: phone and desktop, light and dark, Danish and English; and what axe says of each.
import { open, overflow, panel, picture, serious, staff, visitor } from "./lib.mjs";
import { another, enter } from "./people.mjs";

const say = { login: "Log in", start: "Continue", accept: "We accept the house rules" };
const people = {
  [panel]: { email: process.env.OWNER_EMAIL, password: process.env.OWNER_PASSWORD, secret: process.env.OWNER_TOTP },
  [staff]: { email: process.env.STAFF_EMAIL, password: process.env.STAFF_PASSWORD, secret: process.env.STAFF_TOTP },
};
const solution = process.env.SOLUTION ?? "demo";
const pages = [
  [panel, "log-in", "/log-in", false],
  [panel, "overview", "/"],
  [panel, "create", "/create"],
  [panel, "create-form", `/create/website?offer=wordpress`],
  [panel, "solution", `/solutions/${solution}`],
  [panel, "snapshots", `/solutions/${solution}/snapshots`],
  [panel, "events", `/solutions/${solution}/events`],
  [panel, "settings", `/solutions/${solution}/settings`],
  [panel, "delete", `/solutions/${solution}/delete`],
  [panel, "none", "/no-such-page"],
  [panel, "decisions", "/decisions"],
  [panel, "evidence", "/evidence"],
  [panel, "rules", "/rules", false],
  [panel, "rules-versions", "/rules/versions", false],
  [panel, "tokens", "/tokens"],
  [panel, "networks", "/networks"],
  [panel, "billing", "/billing"],
  [panel, "reset", "/reset", false],
  [staff, "staff-nodes", "/"],
  [staff, "staff-accounts", "/accounts"],
  [staff, "staff-account", `/accounts/${process.env.ACCOUNT ?? "demo"}`],
  [staff, "staff-solutions", "/solutions"],
  [staff, "staff-cases", "/cases?show=all"],
  [staff, "staff-case-open", "/cases/open"],
  [staff, "staff-complaints", "/complaints"],
  [staff, "staff-evidence", "/evidence"],
  [staff, "staff-evidence-narrowed", "/evidence?act=measure&from=2020-01-01"],
  [staff, "staff-evidence-none", "/evidence?q=nothing-like-it"],
  [staff, "staff-health", "/health"],
].concat(process.env.CASE ? [
  [staff, "staff-case", `/cases/${process.env.CASE}`],
  [staff, "staff-decide", `/cases/${process.env.CASE}/decide`],
  [staff, "staff-close", `/cases/${process.env.CASE}/close`],
] : []);
const only = process.env.ONLY?.split(",");

const browser = await open();
const faults = [];
// Each logs in once, and every look at a page is taken with that session.
const sessions = {};
for (const origin of [panel, staff]) {
  another();
  const { context } = await enter(browser, origin, people[origin], "en", "desktop", say);
  sessions[origin] = (await context.cookies(origin)).find((cookie) => cookie.name === "__Host-session").value;
  await context.close();
}
for (const [width, scheme, language] of [
  ["desktop", "light", "en"], ["phone", "light", "da"], ["desktop", "dark", "da"], ["phone", "dark", "en"],
  ["desktop", "light", "da"], ["phone", "light", "en"], ["desktop", "dark", "en"], ["phone", "dark", "da"],
].slice(0, Number(process.env.LOOKS ?? 8))) {
  const context = await visitor(browser, { width, scheme, language });
  const page = await context.newPage();
  for (const [origin, name, path, signedIn = true] of pages) {
    if (only && !only.includes(name)) continue;
    await context.clearCookies();
    if (signedIn) await context.addCookies([{ name: "__Host-session", value: sessions[origin], url: origin, secure: true, httpOnly: true, sameSite: "Lax", path: undefined }]);
    // A person's own language comes before the browser's; what was chosen at the switch comes before both.
    await context.addCookies([{ name: "__Host-language", value: language, url: origin, secure: true, sameSite: "Lax" }]);
    await page.goto(origin + path, { waitUntil: "load" });
    await picture(page, `${name}-${width}-${scheme}-${language}`);
    if (name === "decisions" && (await page.locator("td a.main").count())) {
      await page.locator("td a.main").first().click();
      await picture(page, `decision-${width}-${scheme}-${language}`);
      if (process.env.AXE === "yes") faults.push(...(await serious(page)).map((one) => `decision ${width} ${scheme}: ${one}`));
    }
    faults.push(...(await overflow(page)).map((one) => `${name} ${width}: ${one}`));
    if (process.env.AXE === "yes") faults.push(...(await serious(page)).map((one) => `${name} ${width} ${scheme}: ${one}`));
  }
  faults.push(...context.faults);
  await context.close();
}
await browser.close();
console.log(faults.length ? faults.join("\n") : "nothing serious");
process.exitCode = faults.length ? 1 : 0;
