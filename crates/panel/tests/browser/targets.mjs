// Backups as staff have them: the targets, and the whole house's proofs. Pictures of each, and what axe says.
import { enter } from "./people.mjs";
import { check, open, overflow, picture, serious, staff } from "./lib.mjs";

const browser = await open();
const desk = { email: process.env.STAFF_EMAIL, password: process.env.STAFF_PASSWORD, secret: process.env.STAFF_TOTP };
const words = { login: "Log in", accept: "We accept the house rules", start: "Continue" };
const { context, page } = await enter(browser, staff, desk, "en", "desktop", words);
const faults = [];
for (const path of ["/targets", "/targets/new", "/targets/new?kind=sftp", "/proofs"]) {
  await page.goto(staff + path);
  await picture(page, `backups-staff${path.replaceAll(/[^a-z]/g, "-")}`);
  faults.push(...(await serious(page)), ...(await overflow(page)));
}
faults.push(...context.faults);
await browser.close();
check(!faults.length, faults.join("\n"));
