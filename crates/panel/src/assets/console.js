// The console: noVNC on a WebSocket of this page's own, and the buttons around it.
import RFB from "./novnc/core/rfb.js";
import { strokes } from "./strokes.js";

const box = document.querySelector("[data-console]");
const glass = box.querySelector("[data-glass]");
const over = box.querySelector("[data-over]");
const form = box.querySelector("[data-typed]");
const skipped = form.querySelector("[data-skipped]");
// Time between two strokes: a guest reads its keyboard one key at a time, and forgets what comes too fast.
const STROKE_MS = 25;
const KEYS = { escape: [0xff1b, "Escape"], tab: [0xff09, "Tab"], enter: [0xff0d, "Enter"] };
const HELD = { shift: [0xffe1, "ShiftLeft"], altgr: [0xfe03, "AltRight"] };
let screen = null;
let opened = false;

function show(state, end) {
  for (const one of box.querySelectorAll("[data-state]")) one.hidden = one.dataset.state !== state;
  box.dataset.now = state;
  over.hidden = state !== "closed";
  for (const tool of box.querySelectorAll("[data-keys], [data-typed] button")) tool.disabled = state !== "connected";
  if (end) {
    const words = box.querySelector(`[data-end="${end}"]`) ?? box.querySelector('[data-end="else"]');
    box.querySelector("[data-why]").textContent = words.textContent;
  }
}

function connect() {
  show("connecting");
  opened = false;
  const address = new URL(box.dataset.console, location.href);
  address.protocol = "wss:";
  const socket = new WebSocket(address);
  screen = new RFB(glass, socket, { shared: true });
  screen.scaleViewport = true;
  screen.background = "#000";
  const mine = screen;
  socket.addEventListener("close", (event) => {
    if (screen === mine) show("closed", opened ? String(event.code) : "never");
  });
  screen.addEventListener("connect", () => {
    opened = true;
    show("connected");
    screen.focus();
  });
}

function press([keysym, code], down) {
  screen.sendKey(keysym, code, down);
}

async function type(text, layout) {
  const { made, skipped } = strokes(text, layout);
  for (const [code, ...held] of made) {
    held.forEach((name) => press(HELD[name], true));
    // Where a key lies says it all; the sign is for screens that know nothing of places.
    press([0x20, code], true);
    press([0x20, code], false);
    held.forEach((name) => press(HELD[name], false));
    await new Promise((wake) => setTimeout(wake, STROKE_MS));
  }
  return skipped;
}

box.querySelector("[data-again]").addEventListener("click", connect);
box.querySelector("[data-full]").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else glass.requestFullscreen?.().then(() => screen?.focus());
});
for (const tool of box.querySelectorAll("[data-keys]")) {
  tool.addEventListener("click", () => {
    if (tool.dataset.keys === "ctrl-alt-del") screen.sendCtrlAltDel();
    else screen.sendKey(...KEYS[tool.dataset.keys]);
    screen.focus();
  });
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [text, layout, enter] = ["text", "layout", "enter"].map((name) => form.querySelector(`#typed-${name}`));
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const unknown = await type(text.value + (enter.checked ? "\n" : ""), layout.value);
    skipped.hidden = unknown.length === 0;
    skipped.textContent = `${skipped.dataset.skipped} ${unknown.join(" ")}`;
    text.value = "";
  } finally {
    button.disabled = box.dataset.now !== "connected";
  }
});
addEventListener("pagehide", () => screen?.disconnect());
connect();
