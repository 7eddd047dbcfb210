// The first case to its end, in two browsers: staff open a case and decide; the site is closed and seen closed from outside;
// the customer reads why and complains; staff uphold the complaint, and the site is open again. English at a desk and Danish on
// a phone, then the other way about.
import { check, open, panel, picture, staff } from "./lib.mjs";
import { another, enter } from "./people.mjs";

const words = {
  en: { login: "Log in", start: "Continue", solutions: "Solutions", accept: "We accept the house rules", seen: "Seen from outside: closed", lifted: "Lifted" },
  da: { login: "Log ind", start: "Fortsæt", solutions: "Løsninger", accept: "Vi godkender husordenen", seen: "Set udefra: lukket", lifted: "Ophævet" },
};
const why = "The site asks visitors for the password of their bank.";
const facts = "A copy of a bank's log-in page lies under /secure/. <script>alert(1)</script>";

async function person(browser, origin, who, language, width, name) {
  const { context, page } = await enter(browser, origin, who, language, width, words[language]);
  page.say = words[language];
  page.shot = (what) => picture(page, `desk-${name}-${what}-${width}-light-${language}`);
  return { context, page };
}

async function story(browser, at, home) {
  const officer = await person(browser, staff, { email: process.env.STAFF_EMAIL, password: process.env.STAFF_PASSWORD, secret: process.env.STAFF_TOTP }, ...at, "staff");
  const holder = await person(browser, panel, { email: process.env.OWNER_EMAIL, password: process.env.OWNER_PASSWORD }, ...home, "customer");
  const [desk, own] = [officer.page, holder.page];

  await desk.goto(`${staff}/cases/open`);
  await desk.locator("[name='/solution']").fill(process.env.SOLUTION);
  await desk.locator("[name='/clause']").selectOption("network.attack");
  await desk.locator("[name='/facts']").fill(facts);
  await desk.locator("form[action='/cases/open'] button.primary").click();
  await desk.waitForURL(/\/cases\/[^/]+$/);
  const at_case = desk.url();
  check((await desk.content()).includes("&lt;script&gt;alert(1)"), "what was typed is text");
  await desk.shot("case");

  // Without reasons nothing is decided, and nothing that was typed is lost.
  await desk.goto(`${at_case}/decide`);
  await desk.locator("[name='/reasons']").fill("bad");
  await desk.locator("form[action$='/decide'] button.primary").click();
  await desk.locator("[name='/reasons'][aria-invalid='true']").waitFor();
  check((await desk.locator("[name='/facts']").inputValue()) === facts, "the facts are kept");
  await desk.shot("wrong");
  await desk.locator("[name='/reasons']").fill(why);
  await desk.locator("form[action$='/decide'] button.primary").click();
  await desk.locator("button[name='_sure']").waitFor();
  await desk.shot("sure");
  await desk.locator("button[name='_sure']").click();
  // The page follows the measure by itself: it says "seen from outside" only when a stranger's network has met it.
  await desk.getByText(desk.say.seen).first().waitFor();
  await desk.waitForFunction((word) => [...document.querySelectorAll("li, .step, p")].some((one) => one.textContent.includes(word) && /\d\d[:.]\d\d/.test(one.textContent)), desk.say.seen);
  await desk.shot("in-force");

  await own.goto(`${panel}/decisions`);
  await own.locator("main a[href^='/decisions/']").first().click();
  await own.getByText(why).waitFor();
  check(!(await own.content()).includes("<script>alert"), "what staff typed is text here too");
  await own.shot("decision");
  await own.locator("[name='/text']").fill("The page was put there by a burglar. It is gone, and the hole is closed.");
  await own.locator("main form button.primary").click();
  await own.locator(".toast").waitFor();
  await own.shot("complained");

  await desk.goto(at_case);
  await desk.locator("a[href*='/answer/']").first().click();
  await desk.locator("[name='/outcome'][value='upheld']").check();
  await desk.locator("[name='/reasons']").fill("The page is gone and the hole is closed. We open the site.");
  await desk.shot("answer");
  await desk.locator("main form[method='post'] button[class*='primary'], main form[method='post'] button.fill").last().click();
  await desk.waitForURL(at_case);
  await desk.locator(".badge", { hasText: desk.say.lifted }).first().waitFor();
  await desk.shot("lifted");
  await own.reload();
  await own.locator(".badge", { hasText: own.say.lifted }).first().waitFor();
  await own.getByText("We open the site.").first().waitFor();
  await own.shot("answered");
  for (const { context } of [officer, holder]) {
    check(context.faults.length === 0, context.faults.join("\n"));
    await context.close();
  }
}

const browser = await open();
try {
  another();
  await story(browser, ["en", "desktop"], ["da", "phone"]);
  await story(browser, ["da", "phone"], ["en", "desktop"]);
  console.log("the case is carried to its end");
} finally {
  await browser.close();
}
process.exit(0);
