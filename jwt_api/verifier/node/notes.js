/* Does another language believe the same tokens? The notes once more, in Node, by npm's `jose`.
 *
 *     npm ci && node notes.js --jwks http://127.0.0.1:8000/.well-known/jwks.json
 *
 * Compare ../keys.py, ../tokens.py and ../app.py: the same rules, and another library that keeps
 * them. It is told the same four things, and knows nothing else of the site.
 */

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const { values: told } = parseArgs({
  options: {
    jwks: { type: "string", default: "http://127.0.0.1:8000/.well-known/jwks.json" },
    issuer: { type: "string", default: "authdemo" },
    audience: { type: "string", default: "programs" },
    port: { type: "string", default: "8002" },
    cooldown: { type: "string", default: "30" }, // seconds
  },
});

const SCOPE = "notes:read";
const RULES = {
  issuer: told.issuer,
  audience: told.audience,
  typ: "at+jwt",
  algorithms: ["ES256", "RS256", "EdDSA"],
  clockTolerance: 30, // seconds
  requiredClaims: ["exp", "iat", "jti", "sub", "client_id"],
};
const MAX_AGE = 300_000; // ms, as the issuer's Cache-Control says
const COOLDOWN = Number(told.cooldown) * 1000;

/* jose reads the keys anew by itself, but then a failing issuer is asked for every token, and keys
 * that are due end with it. So it is told never to, and asked to at most once per cool-down. */
const NEVER = { cacheMaxAge: Infinity, cooldownDuration: Infinity, timeoutDuration: 3000 };
const keys = createRemoteJWKSet(new URL(told.jwks), NEVER);
let askedAt = -Infinity;
let asking = null;

function readKeys() {
  if (Date.now() - askedAt >= COOLDOWN) {
    askedAt = Date.now();
    asking = keys.reload().catch(() => console.error("keys not read, the last good ones stay"));
  }
  return asking;
}

async function keyOf(header, token) {
  // jose would take the only key that fits; a token of ours always names its own.
  if (typeof header.kid !== "string") throw new errors.JWKSNoMatchingKey();
  if (Date.now() - askedAt > MAX_AGE) readKeys(); // whose key is known does not wait for it
  if (!keys.jwks()) await readKeys();
  if (!keys.jwks()) throw new Unavailable();
  try {
    return await keys(header, token);
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    await readKeys();
    return keys(header, token);
  }
}

class Unavailable extends Error {}

async function answer(request) {
  if (new URL(request.url, "http://notes").pathname !== "/notes/") return [404, "not_found"];
  if (request.method !== "GET") return [405, "method_not_allowed", { Allow: "GET" }];
  const [scheme, token, ...rest] = (request.headers.authorization ?? "").trim().split(/\s+/);
  if (scheme.toLowerCase() !== "bearer") return refused(401, "no_token", "");
  if (!token || rest.length) return refused(400, "invalid_request");
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(token, keyOf, RULES));
  } catch (error) {
    if (error instanceof Unavailable) return [503, "keys_unavailable", { "Retry-After": "30" }];
    return refused(401, "invalid_token");
  }
  const { scope = "", aud, sub, client_id, iat } = claims;
  // What jose leaves to us: `aud` may be a list there that has ours among others, and `iat` is
  // looked at only together with a greatest age.
  const shapely = [scope, aud, sub, client_id].every((each) => typeof each === "string");
  const early = iat > Date.now() / 1000 + RULES.clockTolerance;
  if (!shapely || early) return refused(401, "invalid_token");
  if (!scope.split(" ").includes(SCOPE)) {
    return refused(403, "insufficient_scope", `, error="insufficient_scope", scope="${SCOPE}"`);
  }
  const notes = ["This is another language and another library: the standard verifies."];
  return [200, null, {}, { reader: sub, program: client_id, notes }];
}

/** An error with its challenge (RFC 6750, section 3). */
function refused(status, error, more = `, error="${error}"`) {
  return [status, error, { "WWW-Authenticate": `Bearer realm="notes"${more}` }];
}

const server = createServer(async (request, response) => {
  const [status, error, headers = {}, body = { error }] = await answer(request);
  const fixed = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  response.writeHead(status, { ...fixed, ...headers }).end(JSON.stringify(body));
});
server.requestTimeout = 10_000;
server.listen(Number(told.port), "127.0.0.1", () => {
  console.log(`The notes are at http://127.0.0.1:${server.address().port}/notes/, by ${told.jwks}`);
});
