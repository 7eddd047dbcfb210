// The way from a browser in a network of its own to the panel. The browser stands alone, because Chromium gives up what it
// is loading whenever a link of the machine comes or goes, and a house under test makes links all the time.
//   node bridge.mjs SOCKET PORT   listens on the socket and leads to the port of this machine
import { connect, createServer } from "node:net";
import { rmSync } from "node:fs";
import { pathToFileURL } from "node:url";

export function lead(from, to) {
  return new Promise((resolve) => {
    const server = createServer((near) => {
      const far = connect(to);
      near.pipe(far).pipe(near);
      near.on("error", () => far.destroy());
      far.on("error", () => near.destroy());
    });
    server.listen(from, () => resolve(server));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [socket, port] = process.argv.slice(2);
  rmSync(socket, { force: true });
  await lead({ path: socket }, { host: "127.0.0.1", port: Number(port) });
  console.log("open");
}
