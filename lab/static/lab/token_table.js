"use strict";

/* What does each member of a token say, cost and mean? One row for each, and one for what is left. */
const TokenTable = (() => {
  const { el } = TokenDom;
  const KNOWN = JSON.parse(document.getElementById("known-claims")?.textContent ?? "{}");
  const SHOWN = 300; // characters of one value

  /** The rows of the header's table or of the payload's; `read` is what `TokenText.read` returned. */
  function rows(part, read) {
    const { members, rest, total } = TokenText.budget(read[part], read[`${part}Bytes`]);
    return [
      ...members.map((member) => row(part, member)),
      tr("the rest", "", rest, "braces, commas, white space"),
      tr("all of it", "", total, ""),
    ];
  }

  function row(part, { name, value, bytes }) {
    const known = Object.hasOwn(KNOWN[part], name) ? KNOWN[part][name] : null;
    const shown = el("div", { className: "value" }, shortened(JSON.stringify(value)));
    const content = el("div", {}, shown, ...(known?.is_time ? moments(value) : []));
    const what = known ? [known.what, " ", source(known)] : ["Not a claim that we issue or look at."];
    const made = tr(el("code", {}, shortened(name)), content, bytes, el("span", {}, ...what));
    made.dataset.claim = name;
    return made;
  }

  const tr = (name, value, bytes, what) =>
    el("tr", {}, heading(name), cell(["Value", value]), cell(["Bytes", bytes]), cell(["What it is for", what]));

  function heading(content) {
    const th = el("th", {}, content);
    th.scope = "row";
    return th;
  }

  const cell = ([label, content]) =>
    el("td", content === "" ? {} : { data: { label } }, content instanceof Node ? content : String(content));

  const shortened = (text) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text);

  /** A time as machines count it, in UTC, where the reader is, and from now. */
  function moments(value) {
    const milliseconds = value * 1000;
    const isTime = typeof value === "number" && !Number.isNaN(new Date(milliseconds).getTime());
    if (!isTime) return [el("div", { className: "hint" }, "not a time")];
    const utc = new Date(milliseconds).toISOString().replace("T", " ").replace(".000Z", " UTC");
    const local = new Date(milliseconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    return [el("div", { className: "hint" }, `${utc} · ${local} · `, TokenDom.counting(milliseconds))];
  }

  function source({ rfc, section }) {
    if (!rfc) return el("span", { className: "hint" }, "Our own.");
    const href = `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`;
    return el("a", { href, rel: "noreferrer" }, `RFC ${rfc}, section ${section}`);
  }

  return { rows, heading, cell, shortened };
})();
