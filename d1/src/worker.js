/**
 * The proxy between Athena and a Cloudflare D1 database: it runs one SQL text for each request and gives the rows back.
 * README.md says how to deploy it and what goes over the wire.
 */

const MAX_BODY_BYTES = 8 * 1024 * 1024;
const SESSION_MODES = ["first-primary", "first-unconstrained"];
const BLOB = "__athena_blob_hex";

export default {
  async fetch(request, env) {
    if (!(await isAuthorized(request, env))) return failure(401, "unauthorized");
    if (new URL(request.url).pathname.replace(/^\/+|\/+$/g, "") !== "query") return failure(404, "there is only /query");
    if (request.method !== "POST") return failure(405, "only POST", { allow: "POST" });
    const body = await readBody(request);
    if (body instanceof Response) return body;
    const database = Object.hasOwn(env, body.databaseBinding) ? env[body.databaseBinding] : undefined;
    if (typeof database?.withSession !== "function") return failure(400, "unknown database binding");
    return run(database, body);
  },
};

/** Runs the statement in a session, which goes on from the bookmark if there is one. */
async function run(database, body) {
  let session;
  const begun = Date.now();
  try {
    session = database.withSession(body.bookmark || body.sessionMode || "first-unconstrained");
    const statement = session.prepare(body.query);
    const bound = body.params.length > 0 ? statement.bind(...body.params.map(toD1)) : statement;
    const result = await bound.all();
    const rows = result.results ?? [];
    const columns = rows.length > 0 ? Object.keys(rows[0]) : [];
    for (const row of rows) markBlobs(row);
    const meta = result.meta ?? {};
    return answer(200, session, {
      rows,
      columns,
      durationMs: Date.now() - begun,
      count: meta.changes ?? 0,
      bookmark: session.getBookmark() ?? null,
      meta,
    });
  } catch (error) {
    const message = String(error?.message ?? error);
    return answer(statusOf(message), session, { message });
  }
}

/** A statement that failed is the caller's matter (400); a database that is away or busy is not (503), nor our limits. */
function statusOf(message) {
  if (/: SQLITE_|D1_TYPE_ERROR|Wrong number of parameter|SQL statement|SQL code|execute a transaction/i.test(message)) {
    return 400;
  }
  if (/overloaded|Too many requests queued|limit/i.test(message)) return 503;
  return 500;
}

/** Bytes travel as {"__athena_blob_hex": "00ff"} in both directions: JSON has none. */
function toD1(value) {
  if (value === null || typeof value !== "object") return value;
  const hex = value[BLOB];
  if (typeof hex !== "string" || Object.keys(value).length !== 1 || !/^([0-9a-f]{2})*$/i.test(hex)) {
    throw new Error("D1_TYPE_ERROR: a parameter is neither null, boolean, number, text nor bytes");
  }
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** D1 gives bytes as an array of numbers; nothing else of it is an array. */
function markBlobs(row) {
  for (const [name, value] of Object.entries(row)) {
    if (!Array.isArray(value) && !(value instanceof ArrayBuffer)) continue;
    const hex = Array.from(new Uint8Array(value), (byte) => byte.toString(16).padStart(2, "0")).join("");
    Object.defineProperty(row, name, { value: { [BLOB]: hex }, enumerable: true });
  }
}

/** The body as an object of the protocol, or the answer that says what is wrong with it. */
async function readBody(request) {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) return failure(413, "the body is too large");
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > MAX_BODY_BYTES) return failure(413, "the body is too large");
  let body;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return failure(400, "the body is not JSON");
  }
  if (typeof body !== "object" || body === null) return failure(400, "the body is not an object");
  const { query, params = [], databaseBinding, sessionMode = null, bookmark = null } = body;
  if (typeof query !== "string" || query.trim() === "") return failure(400, "query must be a text");
  if (!Array.isArray(params)) return failure(400, "params must be an array");
  if (typeof databaseBinding !== "string") return failure(400, "databaseBinding must be a text");
  if (sessionMode !== null && !SESSION_MODES.includes(sessionMode)) {
    return failure(400, `sessionMode must be one of ${SESSION_MODES.join(", ")}`);
  }
  if (bookmark !== null && typeof bookmark !== "string") return failure(400, "bookmark must be a text");
  return { query, params, databaseBinding, sessionMode, bookmark };
}

/** Compares digests, so that neither length nor content of the token shows in the time that it takes. */
async function isAuthorized(request, env) {
  const [scheme, token = ""] = (request.headers.get("authorization") ?? "").split(/ (.*)/s);
  if (!env.AUTH_TOKEN || scheme.toLowerCase() !== "bearer") return false;
  const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [given, expected] = await Promise.all([digest(token.trim()), digest(env.AUTH_TOKEN)]);
  return crypto.subtle.timingSafeEqual(given, expected);
}

function answer(status, session, body) {
  const bookmark = session?.getBookmark();
  return Response.json(body, { status, headers: bookmark ? { "x-athena-d1-bookmark": bookmark } : {} });
}

function failure(status, message, headers = {}) {
  return Response.json({ message }, { status, headers });
}
