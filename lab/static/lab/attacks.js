"use strict";

/* How does a cell open? When its reader has said what to expect; then it shows what really happened.
 * Guesses live in sessionStorage: they go with the tab.
 */

const KEPT = "lab-attacks-guesses";
const POLL_MS = 1000;
const VERDICTS = ["succeeds", "stopped", "does not apply"];

const main = document.querySelector("main");
const dialog = document.querySelector("dialog.outcome");
const title = document.getElementById("outcome-title");
const body = document.querySelector("[data-outcome]");
const score = document.querySelector("[data-score]");
const cells = [...document.querySelectorAll(".cell")];
// What each reader said of a cell, by "attack strategy"; "" was opened without a guess.
let guesses = JSON.parse(sessionStorage.getItem(KEPT) || "{}");
let shown = null; // the cell that the dialog is about

/** An element with properties and children. Text goes in as text, never as markup. */
function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** A sentence; what stands between backticks in it is code. */
function prose(text, className = "") {
  const parts = text.split("`").map((part, index) => (index % 2 ? el("code", { textContent: part }) : part));
  return el("p", { className }, ...parts);
}

const keyOf = (cell) => `${cell.dataset.attack} ${cell.dataset.strategy}`;
const isOpen = (cell) => keyOf(cell) in guesses;

function paint(cell) {
  const { verdict, sign } = cell.dataset;
  const open = isOpen(cell) && verdict;
  cell.dataset.open = open ? verdict : "";
  cell.textContent = open ? `${sign} ${verdict}` : verdict ? "?" : "not run";
  const about = cell.getAttribute("aria-label").replace(/: [^:]*$/, "");
  cell.setAttribute("aria-label", `${about}: ${open ? verdict : "not opened yet"}`);
}

function tellScore() {
  const guessed = cells.filter((cell) => guesses[keyOf(cell)] && cell.dataset.verdict);
  const right = guessed.filter((cell) => guesses[keyOf(cell)] === cell.dataset.verdict).length;
  score.textContent = guessed.length
    ? `${right} of ${guessed.length} guesses ${right === 1 ? "was" : "were"} right.`
    : "Nothing guessed yet.";
}

function keep() {
  sessionStorage.setItem(KEPT, JSON.stringify(guesses));
  cells.forEach(paint);
  tellScore();
}

// --- the dialog ----------------------------------------------------------------------------------

async function show(cell) {
  shown = cell;
  title.textContent = `${cell.closest("tr").querySelector("th").firstChild.textContent.trim()}: ${cell.dataset.strategy}`;
  body.replaceChildren(el("p", { textContent: "One moment …" }));
  if (!dialog.open) dialog.showModal();
  const found = await fetchJson(cell.dataset.url);
  if (shown !== cell) return;
  if (!found.attack) {
    body.replaceChildren(el("p", { className: "note error", textContent: found.detail }));
    return;
  }
  const story = [
    prose(found.attack.story),
    prose(`It needs: ${found.attack.precondition}`, "hint"),
  ];
  const settings = Object.entries(found.attack.environment).map(([name, value]) => `${name}=${value}`);
  if (settings.length) story.push(el("p", { className: "hint", textContent: `The server's settings: ${settings.join(", ")}` }));
  const rest = found.outcome && !isOpen(cell) ? [question(cell, found)] : result(cell, found.outcome);
  body.replaceChildren(...story, ...rest);
}

function question(cell, found) {
  const choices = VERDICTS.map((verdict) => el("button", {
    type: "button",
    textContent: verdict,
    onclick: () => {
      guesses[keyOf(cell)] = verdict;
      keep();
      const rest = result(cell, found.outcome);
      body.querySelector("fieldset").replaceWith(...rest);
      rest[0].focus();
    },
  }));
  return el("fieldset", {}, el("legend", { textContent: "What do you expect?" }), el("div", { className: "buttons" }, ...choices));
}

function result(cell, outcome) {
  if (!outcome) return [el("p", { textContent: "This one has not been run yet." }), runner(cell)];
  const guess = guesses[keyOf(cell)];
  const parts = [el("p", {
    className: `verdict ${outcome.verdict.replaceAll(" ", "-")}`,
    tabIndex: -1,
    textContent: `${cell.dataset.sign} It ${outcome.verdict === "stopped" ? "was stopped" : outcome.verdict}.`,
  })];
  if (guess) {
    parts.push(el("p", { textContent: guess === outcome.verdict ? "You were right." : `You had expected: ${guess}.` }));
  }
  parts.push(prose(outcome.lesson));
  if (outcome.held) {
    const { path, line, name } = outcome.held;
    // As it stands now: the run may be older than the code.
    const href = `${document.documentElement.dataset.receipts}?${new URLSearchParams({ path, line })}`;
    const place = el("a", { href }, el("code", { textContent: `${path}:${line}` }));
    parts.push(el("p", {}, "What held: ", place, ", in ", el("code", { textContent: name })));
  }
  if (outcome.evidence.length) {
    parts.push(el("h3", { textContent: "What went over the wire" }), el("ol", { className: "steps" }, ...outcome.evidence.map(step)));
  }
  parts.push(runner(cell));
  return parts;
}

function step(exchange) {
  const { who, method, url, note, status, cause } = exchange;
  if (!method) return el("li", {}, el("span", { className: "who", textContent: who ? `${who}: ` : "" }), note);
  const path = new URL(url).pathname + new URL(url).search;
  const summary = el("summary", {},
    el("span", { className: "who", textContent: who }),
    el("span", { textContent: note.replaceAll("`", "") }),
    el("code", { textContent: `${method} ${path}` }),
    el("span", { className: `status ${status && status < 400 ? "good" : "bad"}`, textContent: status || "no answer" }));
  const lines = (headers) => headers.map(([name, value]) => `${name}: ${value}`);
  const request = [`${method} ${path}`, ...lines(exchange.request_headers), "", exchange.request_body];
  const answer = [`${status || "no answer"}`, ...lines(exchange.response_headers), "", exchange.response_body];
  return el("li", {}, el("details", {}, summary,
    cause ? el("p", { className: "hint", textContent: `The server's log: ${cause}` }) : null,
    el("pre", { tabIndex: 0, textContent: request.join("\n").trim() }),
    el("pre", { tabIndex: 0, textContent: answer.join("\n").trim() })));
}

// --- run one -------------------------------------------------------------------------------------

function runner(cell) {
  const told = el("p", { className: "hint" });
  told.setAttribute("role", "status");
  const button = el("button", { type: "button", textContent: "Run it now" });
  button.addEventListener("click", () => run(cell, button, told));
  return el("div", { className: "stack" }, button, told);
}

async function run(cell, button, told) {
  button.disabled = true;
  const form = new FormData(document.querySelector("[data-token]"));
  form.set("attack", cell.dataset.attack);
  form.set("strategy", cell.dataset.strategy);
  let answer = await fetchJson(main.dataset.run, { method: "POST", body: form });
  while (answer.state === "running") {
    told.textContent = `A private site is started and attacked: ${answer.seconds} s …`;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    answer = await fetchJson(main.dataset.run);
  }
  button.disabled = false;
  if (answer.state !== "done") {
    told.textContent = answer.detail || answer.error || "It broke off. Look into the server's log.";
    return;
  }
  const found = await fetchJson(cell.dataset.url);
  if (!found.outcome) {
    told.textContent = found.detail ?? "";
    return;
  }
  cell.dataset.verdict = found.outcome.verdict;
  cell.dataset.sign = { succeeds: "✗", stopped: "✓" }[found.outcome.verdict] || "·";
  if (!isOpen(cell)) guesses[keyOf(cell)] = "";
  keep();
  if (shown === cell && dialog.open) await show(cell);
}

async function fetchJson(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { headers: { Accept: "application/json" }, ...options });
  } catch {
    return { detail: "The server did not answer. Start it, then try again." };
  }
  try {
    return await answer.json();
  } catch {
    // A page: of the CSRF check, or of a proxy.
    return { detail: `The server answered ${answer.status}. Load this page again, then try again.` };
  }
}

// --- beginnings ----------------------------------------------------------------------------------

cells.forEach((cell) => cell.addEventListener("click", () => show(cell)));
document.querySelector("[data-open-all]").addEventListener("click", () => {
  for (const cell of cells) guesses[keyOf(cell)] ??= "";
  keep();
});
document.querySelector("[data-reset]").addEventListener("click", () => {
  guesses = {};
  keep();
});
document.querySelector("[data-filters]").addEventListener("change", (event) => {
  for (const section of document.querySelectorAll("[data-group]")) {
    section.hidden = Boolean(event.target.value) && section.dataset.group !== event.target.value;
  }
});
keep();
