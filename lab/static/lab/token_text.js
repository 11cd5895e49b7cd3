"use strict";

/* What can be read out of a token, or of any other text, with no key and no server? All of it.
 *
 * Nothing here touches the page, and nothing here says whether a token is good: only the server
 * can, and `token.js` asks it.
 */
class TokenText {
  static MOST_CHARACTERS = 65536; // the server reads 4096; this is what a page can take apart at once
  static MOST_NESTED = 100;
  static ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  static PARTS = ["header", "payload", "signature"];

  /** Take a text apart. Returns {wrong}: why it is no token; or {header, payload, parts, bytes}. */
  static read(text) {
    const wrong = TokenText.whyNot(text);
    if (wrong !== null) return { wrong };
    const parts = text.split(".");
    const found = { parts, wrong: null };
    for (const [index, name] of ["header", "payload"].entries()) {
      const { value, bytes, error } = TokenText.readPart(parts[index]);
      if (error) return { wrong: `Not a token: the ${name} ${error}.` };
      Object.assign(found, { [name]: value, [`${name}Bytes`]: bytes });
    }
    return found;
  }

  /** What is wrong with the text alone; null if nothing is. */
  static whyNot(text) {
    const count = text.length.toLocaleString("en");
    if (text.length > TokenText.MOST_CHARACTERS) return `Not a token: ${count} characters. The server reads 4096 at most.`;
    const parts = text.split(".");
    if (parts.length === 5) return "Not a signed token: it has 5 parts, as an encrypted one (JWE). The server takes none.";
    if (parts.length !== 3) return `Not a token: it has ${parts.length} part${parts.length === 1 ? "" : "s"}, and a signed token has 3, with dots between.`;
    for (const [index, part] of parts.entries()) {
      const name = TokenText.PARTS[index];
      const at = [...part].findIndex((character) => !TokenText.ALPHABET.includes(character));
      if (at >= 0) return `Not base64url: ${named([...part][at])} at character ${at + 1} of the ${name}.`;
      if (part.length % 4 === 1) return `Not base64url: the ${name} has a lone character at its end.`;
      if (part === "" && name !== "signature") return `Not a token: the ${name} is empty.`;
    }
    return null;
  }

  static readPart(part) {
    const bytes = TokenText.decode(part);
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return { error: "is not UTF-8" };
    }
    const nested = TokenText.depth(text);
    if (nested > TokenText.MOST_NESTED) return { error: `is nested ${nested} deep` };
    try {
      const value = JSON.parse(text);
      if (value === null || typeof value !== "object" || Array.isArray(value)) return { error: "is JSON, but no object" };
      return { value, bytes: bytes.length };
    } catch {
      return { error: "is not JSON" };
    }
  }

  /** How deep brackets stand inside each other. Counted, because who recurses runs out of stack. */
  static depth(text) {
    let deepest = 0;
    let now = 0;
    for (const [found] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
      if (found === "[" || found === "{") deepest = Math.max(deepest, (now += 1));
      if (found === "]" || found === "}") now -= 1;
    }
    return deepest;
  }

  /** What each member of an object costs, in bytes, and what is left for braces and commas. */
  static budget(object, total) {
    const size = (value) => TokenText.bytes(JSON.stringify(value)).length;
    const members = Object.entries(object).map(([name, value]) => ({
      name,
      value,
      bytes: size(name) + 1 + size(value),
    }));
    return { members, rest: total - members.reduce((sum, each) => sum + each.bytes, 0), total };
  }

  /** Change one bit of what a character stands for. */
  static flip(text, at) {
    const index = TokenText.ALPHABET.indexOf(text[at]);
    const other = index < 0 ? "A" : TokenText.ALPHABET[index ^ 32];
    return text.slice(0, at) + other + text.slice(at + 1);
  }

  /** The same token with another header or payload; the signature stays what it was. */
  static withPart(parts, name, object) {
    const changed = [...parts];
    changed[TokenText.PARTS.indexOf(name)] = TokenText.encode(TokenText.bytes(JSON.stringify(object)));
    return changed.join(".");
  }

  static bytes = (text) => new TextEncoder().encode(text);

  static encode(bytes) {
    const characters = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("");
    return btoa(characters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  static decode(part) {
    const characters = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(characters, (character) => character.charCodeAt(0));
  }
}

/** A character that can be read on a projector: U+0000 has no shape of its own. */
function named(character) {
  const number = character.codePointAt(0);
  const code = `U+${number.toString(16).toUpperCase().padStart(4, "0")}`;
  return number > 32 && number !== 127 ? `“${character}” (${code})` : code;
}
