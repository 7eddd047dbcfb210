// The console: a picture of the screen on a server's first page, the screen itself with a log-in typed at it, a text typed as keys, what ends it,
// and who is not let in at all, all under the page's own policy. A second time for how it looks in other dresses, and what axe says.
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { check, panel, picture } from "./lib.mjs";
import { tour } from "./people.mjs";

const path = `/solutions/${process.env.SOLUTION}`;
const { at, end } = await tour("console", path);

/** Asks for the WebSocket as a program would, and gives the status. */
function knock(headers) {
  return new Promise((resolve, reject) => {
    const asked = request(`${panel}${path}/console/socket`, {
      rejectUnauthorized: false,
      lookup: (_, options, done) => (options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)),
      headers: { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", ...headers },
    });
    asked.on("response", (answer) => resolve(answer.resume().statusCode));
    asked.on("upgrade", (answer, socket) => {
      socket.destroy();
      resolve(answer.statusCode);
    });
    asked.on("error", reject);
    asked.end();
  });
}

const now = (page, state) => page.waitForSelector(`[data-console][data-now="${state}"]`);
/** What the screen shows, as the page has drawn it. */
const drawn = (page) => page.evaluate(() => document.querySelector("[data-glass] canvas").toDataURL());
async function changes(page, before) {
  for (let tries = 0; tries < 3_000; tries++) {
    if ((await drawn(page)) !== before) return true;
    await page.waitForTimeout(100);
  }
  return false;
}

const looks = process.env.AXE === "yes";

if (!looks) await at("desktop", "light", "en", async (page, shot, context) => {
  await page.waitForFunction(() => document.querySelector("img[data-screen]").naturalWidth === 720);
  await shot("first");
  await page.getByRole("link", { name: "Open the console" }).click();
  await now(page, "connected");
  // A log-in, typed on a keyboard: a name, and a password that is none. The guest's own log says what came of it. Who asks passes over what was
  // typed before the question, so an empty line comes first: whatever is asked for then, a name is asked for after it.
  await page.waitForTimeout(1_000);
  const before = await drawn(page);
  await page.locator("[data-glass] canvas").click();
  const heard = () => readFileSync(process.env.SERIAL, "utf8").includes("invalid password for 'root' on 'tty1'");
  for (let tries = 0; tries < 30 && !heard(); tries++) {
    for (const line of ["", "root", "root"]) {
      await page.keyboard.type(line, { delay: 60 });
      await page.keyboard.press("Enter");
      await page.waitForTimeout(1_500);
    }
    for (let waits = 0; waits < 100 && !heard(); waits++) await page.waitForTimeout(100);
  }
  check(heard(), "the guest reads what was typed");
  check(await changes(page, before), "what was typed is seen");
  await shot("typed");

  // A text as keys, with signs that take Shift, and one that the layout has not.
  const empty = await drawn(page);
  await page.getByLabel("Type a text as keys").fill("Anna_Larsen+@#æ");
  await page.getByLabel("Press Enter after it").uncheck();
  await page.getByRole("button", { name: "Type", exact: true }).click();
  await page.getByText("were passed over: æ").waitFor();
  check(await changes(page, empty), "the text is seen");
  await shot("pasted");

  // Nobody without a session, and no page from elsewhere.
  const cookies = (await context.cookies(panel)).map((one) => `${one.name}=${one.value}`).join("; ");
  const statuses = [];
  for (const headers of [{ origin: panel }, { cookie: cookies }, { cookie: cookies, origin: "https://evil.example" }, { cookie: cookies, origin: process.env.STAFF }, { cookie: cookies, origin: panel }]) {
    statuses.push(await knock(headers));
  }
  check(statuses.join() === "303,403,403,403,101", `who is let in: ${statuses}`);

  // Logging out in another window ends it.
  const other = await context.newPage();
  await other.goto(panel);
  await other.locator("header details.menu").last().locator("summary").click();
  await other.getByRole("button", { name: "Log out", exact: true }).click();
  await now(page, "closed");
  check(await page.locator("[data-why]", { hasText: "You are logged out" }).isVisible(), "why it ended is said");
  await picture(page, "console-ended-desktop-light-en");
});
if (looks) await at("phone", "light", "da", async (page, shot) => {
  await page.waitForFunction(() => document.querySelector("img[data-screen]").naturalWidth === 720);
  await shot("first");
  await page.goto(`${panel}${path}/console`);
  await now(page, "connected");
  await page.waitForTimeout(1_000);
  await shot("open");
});
if (looks) await at("desktop", "dark", "da", async (page, shot) => {
  await page.goto(`${panel}${path}/console`);
  await now(page, "connected");
  await page.waitForTimeout(1_000);
  await shot("open");
});
await end();
