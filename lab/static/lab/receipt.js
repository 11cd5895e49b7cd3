"use strict";

/* What did the server do for one exchange? Its receipt, as a panel, a curl line and a Mermaid text.
 *
 * `lab/receipts/receipt.py` says what stands in one. An exchange is what flow_client.js tells:
 * {method, url, headers, body, answer, duration}. Nothing here shows or copies a secret: cookies,
 * tokens and passwords become placeholders such as $COOKIE.
 */
{
  const CODE = document.documentElement.dataset.receipts; // where the lab shows code; absent without it
  const LANES = { server: "Server", redis: "Redis", database: "Database" };

  /** An element with properties and children. Text goes in as text, never as markup. */
  function el(tag, properties = {}, ...children) {
    const { data = {}, label, ...rest } = properties;
    const element = Object.assign(document.createElement(tag), rest);
    Object.assign(element.dataset, data);
    if (label) element.setAttribute("aria-label", label);
    element.append(...children.flat().filter((child) => child !== null));
    return element;
  }

  function button(text, work, properties = {}) {
    const made = el("button", { type: "button", ...properties }, text);
    made.addEventListener("click", () => work(made));
    return made;
  }

  const many = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

  const milliseconds = (microseconds) => `${(microseconds / 1000).toFixed(microseconds < 10000 ? 2 : 1)} ms`;

  /** The receipt of an answer; null where it has none, or none that can be read. */
  function of(answer) {
    try {
      return JSON.parse(answer?.headers?.["x-lab-receipt"] ?? "null");
    } catch {
      return null;
    }
  }

  // --- the panel ------------------------------------------------------------------------------

  function panel(exchange) {
    const receipt = of(exchange.answer);
    const said = el("span", { className: "hint said", ariaLive: "polite" });
    const copying = (text, what) => () => copy(text, what, said);
    const tools = [button("Copy as curl", copying(asCurl(exchange), "The curl line"))];
    if (receipt === null) {
      const none = "This answer came without a receipt.";
      return el("section", { className: "receipt", label: "Receipt" }, el("p", { className: "hint" }, none), el("p", { className: "buttons" }, tools, said));
    }
    tools.push(button("Copy as Mermaid", copying(asMermaid([exchange]), "The diagram")));
    if (receipt.view?.path) {
      tools.push(button("Show the code", () => showCode(receipt.view.path, receipt.view.line)));
    }
    return el(
      "section",
      { className: "receipt", label: "Receipt" },
      el("h4", {}, "Receipt of the server"),
      costs(receipt),
      checks(receipt),
      steps(receipt),
      receipt.left_out
        ? el("p", { className: "hint" }, `${many(receipt.left_out, "line")} more did not fit; the counts are of all.`)
        : null,
      el("p", { className: "buttons" }, tools, said),
    );
  }

  function costs({ counts, microseconds, bytes }) {
    const cost = (name, value, note) =>
      el("div", {}, el("dt", {}, name), el("dd", {}, String(value), note ? el("span", { className: "hint" }, ` ${note}`) : null));
    return el(
      "dl",
      { className: "costs" },
      cost("SQL", counts.sql, counts.sql ? milliseconds(microseconds.sql) : ""),
      cost("Redis", counts.redis, counts.redis ? milliseconds(microseconds.redis) : ""),
      cost("Time", milliseconds(microseconds.total)),
      cost("of it, checking", milliseconds(microseconds.authentication)),
      cost("Bytes in, out", `${bytes.in}, ${bytes.out}`),
    );
  }

  /** The checks in the order in which they began; open where one of them refused. */
  function checks({ checks, counts, refused_by: refused }) {
    if (!checks.length) return null;
    const row = (check) =>
      el(
        "li",
        { className: check.passed ? "passed" : "refused" },
        el("span", { className: "verdict" }, check.passed ? "✓" : "✗", el("span", { className: "for-ears" }, check.passed ? " passed: " : " refused: ")),
        el(
          "span",
          {},
          el("b", {}, check.name),
          ` ${check.words}`,
          check.because ? el("span", { className: "because" }, ` ${check.because}`) : null,
        ),
        button("code", () => showCode(check.path, check.line), { className: "chip", label: `Show the code of the check ${check.name}` }),
      );
    const verdict = refused ? `refused by “${refused}”` : checks.every((each) => each.passed) ? "all passed" : "let in all the same";
    return el(
      "details",
      { open: refused !== null },
      el("summary", {}, `${many(counts.checks, "check")}, ${verdict}`),
      el("ol", { className: "checks" }, checks.map(row)),
    );
  }

  /** SQL statements and Redis commands, with the moment at which each was sent. */
  function steps({ steps, counts }) {
    const stores = steps.filter((step) => step.lane !== "server");
    if (!stores.length) return el("p", { className: "hint" }, "It asked neither Redis nor the database.");
    const parts = [counts.sql && many(counts.sql, "statement"), counts.redis && many(counts.redis, "command")];
    return el(
      "details",
      {},
      el("summary", {}, parts.filter(Boolean).join(" and ") || "The stores"),
      el("ol", { className: "steps" }, stores.map(stepRow)),
    );
  }

  const stepRow = (step) =>
    el(
      "li",
      { data: { lane: step.lane } },
      el("span", { className: "flag" }, LANES[step.lane]),
      el("code", {}, step.text),
      el("span", { className: "hint when" }, `after ${milliseconds(step.at)}, took ${milliseconds(step.took)}`),
    );

  // --- copies ---------------------------------------------------------------------------------

  async function copy(text, what, said) {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = `${what} is copied.`;
    } catch {
      // No clipboard without HTTPS off this machine, or it was not allowed: then by hand.
      show(what, el("textarea", { value: text, rows: 14, readOnly: true, label: what }));
    }
  }

  const PLACEHOLDER = "\u0000"; // in no text that was typed

  /** Inside double quotes of a shell, where only the placeholders are variables. */
  const quoted = (text) =>
    `"${text.replace(/[\\"$`]/g, "\\$&").replaceAll(PLACEHOLDER, "$")}"`;

  /** The request as a curl line for a shell; what is secret, as variables to be set before. */
  function asCurl({ method, url, headers, body }) {
    const hidden = { Authorization: `Bearer ${PLACEHOLDER}TOKEN`, "X-CSRFToken": `${PLACEHOLDER}CSRF` };
    const lines = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${hidden[name] ?? value}`)}`);
    lines.push(`-H ${quoted(`Cookie: ${PLACEHOLDER}COOKIE`)}`);
    if (body !== undefined && body !== null) lines.push(`--data ${quoted(withoutSecrets(body))}`);
    return [`curl -i -X ${method} ${quoted(String(url))}`, ...lines].join(" \\\n  ");
  }

  function withoutSecrets(body) {
    if (typeof body !== "object") return String(body);
    const isForm = body instanceof URLSearchParams;
    const hide = ([name, value]) =>
      [name, /password|token|secret/i.test(name) ? PLACEHOLDER + name.toUpperCase() : value];
    const fields = [...(isForm ? body : Object.entries(body))].map(hide);
    if (isForm) return fields.map(([name, value]) => `${name}=${value}`).join("&");
    // JSON writes a NUL as an escape.
    return JSON.stringify(Object.fromEntries(fields)).replaceAll("\\u0000", PLACEHOLDER);
  }

  /** The exchanges as one Mermaid sequence diagram: browser, server, Redis, database. */
  function asMermaid(exchanges) {
    const plain = (text) => text.replace(/[#;\n]/g, (each) => `#${each.charCodeAt(0)};`);
    const lines = ["sequenceDiagram", "  participant B as Browser", "  participant S as Server", "  participant R as Redis", "  participant D as Database"];
    for (const { method, url, answer } of exchanges) {
      const receipt = of(answer);
      lines.push(`  B->>S: ${method} ${plain(url.pathname)}`);
      for (const step of grouped(receipt?.steps ?? [])) {
        if (step.lane === "server") lines.push(`  Note over S: ${plain(step.text)}`);
        else lines.push(`  S->>${step.lane === "redis" ? "R" : "D"}: ${plain(step.text)}`);
      }
      if (receipt?.left_out) lines.push(`  Note over S: ${receipt.left_out} more`);
      lines.push(`  S-->>B: ${answer.status}${receipt ? `, ${milliseconds(receipt.microseconds.total)}` : ""}`);
    }
    return `${lines.join("\n")}\n`;
  }

  /** Checks that ran one after the other, in one line. */
  function grouped(steps) {
    const found = [];
    for (const step of steps) {
      const last = found.at(-1);
      if (step.lane === "server" && last?.lane === "server") last.text += `, ${step.text}`;
      else found.push({ ...step });
    }
    return found;
  }

  // --- the code -------------------------------------------------------------------------------

  async function showCode(path, line) {
    const address = `${CODE}?${new URLSearchParams({ path, line })}`;
    let shown;
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      shown = codeLines(await response.json());
    } catch {
      shown = el("p", {}, "The server did not show it. Is it running, and in the lab?");
    }
    show(path, shown, el("p", {}, el("a", { href: address }, "Open as a page")));
  }

  function codeLines({ first, line, lines, path }) {
    if (!lines) return el("p", {}, "There is no such code here.");
    const rows = lines.map((text, index) => {
      const row = el("li", {}, text);
      if (first + index === line) row.setAttribute("aria-current", "true");
      return row;
    });
    return el("ol", { className: "code-lines", start: first, tabIndex: 0, label: path }, rows);
  }

  function show(title, ...content) {
    const dialog = el("dialog", { className: "code-dialog", label: title });
    const close = button("Close", () => dialog.close());
    dialog.append(el("header", {}, el("h2", {}, title), close), ...content);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("textarea")?.select();
  }

  globalThis.Receipt = { of, panel, asCurl, asMermaid, showCode, copy, el, button, many, milliseconds };
}
