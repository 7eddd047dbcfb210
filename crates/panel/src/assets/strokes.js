// Which keys make a text: the places of keys are the same on every keyboard, and a layout says what stands on them.
const PLACES = [
  "Backquote", "Digit1", "Digit2", "Digit3", "Digit4", "Digit5", "Digit6", "Digit7", "Digit8", "Digit9", "Digit0", "Minus", "Equal",
  "KeyQ", "KeyW", "KeyE", "KeyR", "KeyT", "KeyY", "KeyU", "KeyI", "KeyO", "KeyP", "BracketLeft", "BracketRight",
  "KeyA", "KeyS", "KeyD", "KeyF", "KeyG", "KeyH", "KeyJ", "KeyK", "KeyL", "Semicolon", "Quote", "Backslash",
  "IntlBackslash", "KeyZ", "KeyX", "KeyC", "KeyV", "KeyB", "KeyN", "KeyM", "Comma", "Period", "Slash",
];
// A space where a key makes nothing by itself, such as one that waits for a letter to put an accent on.
const LAYOUTS = {
  us: [
    "`1234567890-=qwertyuiop[]asdfghjkl;'\\ zxcvbnm,./",
    "~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"| ZXCVBNM<>?",
    "",
  ],
  dk: [
    "½1234567890+ qwertyuiopå asdfghjklæø'<zxcvbnm,.-",
    "§!\"#¤%&/()=? QWERTYUIOPÅ ASDFGHJKLÆØ*>ZXCVBNM;:_",
    "  @£$€ {[]}  ",
  ],
};
// Keys that wait for a letter, and give their own sign with the space bar.
const WAITING = {
  us: {},
  dk: { "~": ["BracketRight", "altgr"], "^": ["BracketRight", "shift"], "¨": ["BracketRight"], "´": ["Equal"], "`": ["Equal", "shift"], "|": ["Equal", "altgr"] },
};
// What waits for nothing though it stands on such a key.
const AT_ONCE = "|";

function table(name) {
  const keys = new Map([["\n", ["Enter"]], ["\t", ["Tab"]], [" ", ["Space"]]]);
  LAYOUTS[name].forEach((row, level) => {
    [...row].forEach((sign, at) => {
      if (sign !== " " && !keys.has(sign)) keys.set(sign, [PLACES[at], ...[[], ["shift"], ["altgr"]][level]]);
    });
  });
  if (name === "dk") keys.set("\\", ["IntlBackslash", "altgr"]);
  return keys;
}

/** The strokes that make a text, each a place and what is held down, and the characters that the layout has no keys for. */
export function strokes(text, layout) {
  const keys = table(layout);
  const made = [];
  const skipped = new Set();
  for (const sign of text.replaceAll("\r\n", "\n")) {
    const waiting = WAITING[layout][sign];
    if (keys.has(sign)) made.push(keys.get(sign));
    else if (waiting) made.push(waiting, ...(AT_ONCE.includes(sign) ? [] : [["Space"]]));
    else skipped.add(sign);
  }
  return { made, skipped: [...skipped] };
}
