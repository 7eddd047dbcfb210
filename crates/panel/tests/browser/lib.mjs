// What every browser test uses: Chromium, the two origins, pictures, and axe.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { lead } from "./bridge.mjs";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const panel = process.env.PANEL;
export const staff = process.env.STAFF;
const folder = process.env.SCREENS;

export const widths = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };

// However many browsers a script opens, there is one bridge.
let led = false;

export async function open() {
  if (process.env.BRIDGE && !led) {
    led = true;
    const server = await lead({ host: "127.0.0.1", port: Number(new URL(panel).port) }, { path: process.env.BRIDGE });
    server.unref();
  }
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--host-resolver-rules=MAP *.localhost 127.0.0.1"],
  });
}

export async function visitor(browser, { width = "desktop", scheme = "light", language = "en" } = {}) {
  const context = await browser.newContext({
    viewport: widths[width],
    deviceScaleFactor: width === "phone" ? 2 : 1,
    hasTouch: width === "phone",
    colorScheme: scheme,
    locale: language === "da" ? "da-DK" : "en-GB",
    ignoreHTTPSErrors: true,
    // axe is put into the page by the test, which the page's own policy forbids to anybody else.
    bypassCSP: process.env.AXE === "yes",
    permissions: [],
  });
  // It bounds what hangs and measures nothing: beside everything else that runs at once, a page may take its time.
  context.setDefaultTimeout(300_000);
  context.faults = [];
  context.on("page", (page) => {
    page.on("pageerror", (error) => context.faults.push(`${page.url()}: ${error.message}`));
    page.on("console", (line) => {
      if (line.type() === "error" && !/status of (4|5)\d\d/.test(line.text())) context.faults.push(`${page.url()}: ${line.text()}`);
    });
  });
  return context;
}

export async function picture(page, name) {
  mkdirSync(folder, { recursive: true });
  // The whole page as one window, so that what is fixed to the window's edge stands at the page's.
  const window = page.viewportSize();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: window.width, height: Math.max(window.height, height) });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
  await page.setViewportSize(window);
}

/** What axe finds serious on the page, where it may be put into it. */
export async function serious(page) {
  if (process.env.AXE !== "yes") return [];
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${page.url()}: ${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => `${node.target} (${node.any?.[0]?.message ?? ""})`).join(" | ")}`);
}

/** Nothing on the page is wider than the page. */
export async function overflow(page) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > width + 1).slice(0, 3).map((one) => one.outerHTML.slice(0, 120));
  });
  return wide.map((one) => `${page.url()} is wider than the window: ${one}`);
}

export function check(holds, what) {
  if (!holds) throw new Error(what);
}
