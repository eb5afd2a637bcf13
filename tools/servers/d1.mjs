// Cloudflare D1 as it is (workerd, through miniflare), with the Worker of d1/ before it. Started by d1.py.
// Arguments: folder of node_modules, port, folder for the database.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, port, persist] = process.argv.slice(2);
const { Miniflare } = createRequire(modules + "/")("miniflare");
const worker = new URL("../../d1/src/worker.js", import.meta.url);
const server = new Miniflare({
  host: "127.0.0.1",
  port: Number(port),
  modules: true,
  script: readFileSync(worker, "utf8"),
  compatibilityDate: "2026-04-01",
  d1Databases: { DB: "athena-test", OTHER: "athena-other", CONTRACT: "athena-contract" },
  d1Persist: persist,
  bindings: { AUTH_TOKEN: "athena-test-token" },
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    await server.dispose();
    process.exit(0);
  });
}
await server.ready;
