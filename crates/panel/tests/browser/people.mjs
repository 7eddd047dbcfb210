// People of the demo: their one-time codes, their way in and out.
import { createHmac } from "node:crypto";
import { open, overflow, panel, picture, serious, visitor } from "./lib.mjs";

/** A one-time code (RFC 6238): six digits, thirty seconds, SHA-1. */
function code(secret, step) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/\s|=/g, "").toUpperCase()].map((c) => letters.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac("sha1", key).update(counter).digest();
  const at = digest[19] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A step that was not used: a code counts once, and one step ahead is taken too. */
let last = 0;
/** Another secret begins with steps of its own. */
export const another = () => { last = 0; };
export async function fresh(secret) {
  for (;;) {
    const now = Math.floor(Date.now() / 30_000);
    const step = Math.max(now, last + 1);
    if (step <= now + 1) {
      last = step;
      return code(secret, step);
    }
    await new Promise((wake) => setTimeout(wake, 500));
  }
}

export async function logIn(page, origin, email, password, say) {
  await page.goto(`${origin}/log-in`);
  await page.locator("[name='/email']").fill(email);
  await page.locator("[name='/password']").fill(password);
  await page.getByRole("button", { name: say.login, exact: true }).click();
  await page.waitForLoadState();
}

export async function logOut(page, say) {
  await page.locator("header details.menu").last().locator("summary").click();
  await page.getByRole("button", { name: say.out, exact: true }).click();
  await page.getByRole("heading", { name: say.login }).waitFor();
}

/** Types a code. One that another story used moments ago is refused, and the next is waited for. */
export async function giveCode(page, secret, say) {
  for (let tries = 0; tries < 4; tries++) {
    await page.locator("[name='/code']").fill(await fresh(secret));
    await page.getByRole("button", { name: say.start, exact: true }).click();
    await page.waitForLoadState();
    if (!(await page.locator("[name='/code']").count())) return;
  }
  throw new Error("no code was taken");
}

/** Somebody in a browser of their own, logged in at an origin and past the house rules, in the language that was chosen. */
export async function enter(browser, origin, { email, password, secret }, language, width, say) {
  const context = await visitor(browser, { width, language });
  await context.addCookies([{ name: "__Host-language", value: language, url: origin, secure: true, sameSite: "Lax" }]);
  const page = await context.newPage();
  await logIn(page, origin, email, password, say);
  if (secret) await giveCode(page, secret, say);
  await page.locator("header details.menu").last().waitFor();
  const accept = page.getByRole("button", { name: say.accept });
  if (await accept.isVisible()) {
    await accept.click();
    await page.waitForLoadState();
  }
  return { context, page };
}

/** The demo's owner at one page after the other, in each dress: pictures under a name, and what is wrong is told at the end. */
export async function tour(name, path) {
  const words = {
    en: { login: "Log in", accept: "We accept the house rules" },
    da: { login: "Log ind", accept: "Vi godkender husordenen" },
  };
  const owner = { email: process.env.OWNER_EMAIL, password: process.env.OWNER_PASSWORD };
  const browser = await open();
  const faults = [];
  return {
    async at(width, scheme, language, story) {
      const { context, page } = await enter(browser, panel, owner, language, width, words[language]);
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(panel + path);
      const shot = async (what) => {
        await picture(page, `${name}-${what}-${width}-${scheme}-${language}`);
        faults.push(...(await overflow(page)).map((one) => `${what} ${width}: ${one}`));
        faults.push(...(await serious(page)).map((one) => `${what} ${width} ${scheme}: ${one}`));
      };
      await story(page, shot, context);
      faults.push(...context.faults);
      await context.close();
    },
    async end() {
      await browser.close();
      console.log(faults.length ? faults.join("\n") : "nothing serious");
      process.exitCode = faults.length ? 1 : 0;
    },
  };
}
