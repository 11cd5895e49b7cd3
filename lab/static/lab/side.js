"use strict";

/* How do strategies come to stand side by side, and change places without a loss? The server renders
 * the columns that the address names. Where one is chosen anew, its column alone is replaced, so that
 * the others keep what they have shown; the back button goes the same way.
 */

const title = (key) => document.querySelector(`select[data-column] option[value="${key}"]`)?.text ?? key;

class StrategyColumn extends Column {
  constructor(root) {
    clientOf(root.dataset);
    super(root);
    this.meter = new Meter(this);
    const { flow, title: label } = root.dataset;
    const tell = (event) => timeline?.add(event.detail, { flow, label });
    this.flow.addEventListener("exchange", tell, { signal: this.listening.signal });
  }

  /** A strategy by its title; what another page's flow has begun, by its key. */
  nameOf(flow) {
    const { icon } = document.querySelector(`.column[data-flow="${flow}"]`)?.dataset ?? { icon: "" };
    return { icon, title: title(flow) };
  }

  remembered(body) {
    const families = body.families.map((family, index) => familyTree(family, index === 0));
    return [...super.remembered(body), ...(families.length ? [el("h4", {}, "Token families"), ...families] : [])];
  }

  /** After the server has ended the login: what it holds of that one goes on being shown. */
  async showRemembered() {
    if (this.flow.loggedIn) await super.showRemembered(); // which may be told that it was ended
    const { ended } = this.flow;
    this.flow.ended = null;
    if (this.flow.loggedIn) this.past = null;
    else if (ended) this.past = (await this.lookBack(ended)) ?? this.past;
    if (this.flow.loggedIn) return;
    if (!this.past) return super.showRemembered();
    this.part("server").replaceChildren(hint("This login was ended. What is held of it, asked with its last token:"), ...this.past);
  }

  async lookBack({ token }) {
    const { endedLogin } = this.root.dataset;
    if (!endedLogin) return null;
    const headers = { Accept: "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
    try {
      const response = await fetch(endedLogin, { headers, cache: "no-store" });
      return response.ok ? this.remembered(await response.json()) : null;
    } catch {
      return null; // no answer is no news
    }
  }

  /** Two columns of one cookie are one login that is checked in two ways. */
  showSharing(columns) {
    const { cookie } = this.root.dataset;
    const others = columns.filter((each) => each !== this && cookie && each.root.dataset.cookie === cookie);
    const names = others.map((each) => `“${each.root.dataset.title}”`).join(" and ");
    this.part("shares").hidden = others.length === 0;
    this.part("shares").textContent = `${names} and this column share the cookie ${cookie}: what logs in, refreshes or logs out in one does so in the other.`;
  }
}

/** One login as its secrets, the newest on top. */
function familyTree({ device, live, reused, state, generations }, open) {
  const rows = generations.map(({ number, state: word, issued }) =>
    el(
      "li",
      { data: { state: word } },
      el("b", {}, `generation ${number}`),
      el("span", { className: "flag" }, word),
      el("span", { className: "hint" }, issued ? `made at ${new Date(issued).toLocaleTimeString()}` : "no row is needed of it any more"),
    ),
  );
  const older = generations.at(-1)?.number - 1;
  if (older > 0) rows.push(el("li", { className: "hint" }, `and ${older} before, all used`));
  const tree = el("ol", { className: "generations", reversed: true }, ...rows);
  const summary = el("summary", {}, `${device}: `, el("span", { className: live ? "status good" : "status bad" }, reused ? `⚠ ${state}` : state));
  const alarm = reused
    ? el("p", { className: "alarm" }, "Reuse: a token of this family came again after it had been exchanged. Somebody holds a copy. Which one came twice, no row says.")
    : null;
  return el("details", { className: "family", open, data: { reused } }, summary, alarm, tree);
}

// --- which columns there are -------------------------------------------------------------------

let columns = [];
let latest = 0; // which of the pages asked for is the newest
const timeline = globalThis.Timeline ? new Timeline(document.querySelector("#timeline")) : null;

const chooser = () => document.querySelector(".choose");
const keysShown = () => columns.map((column) => column.root.dataset.client);

function adopt(roots) {
  const known = new Map(columns.map((column) => [column.root.dataset.client, column]));
  const added = [];
  const next = roots.map((root) => {
    const kept = known.get(root.dataset.client);
    if (kept) return kept;
    const column = new StrategyColumn(root);
    added.push(column);
    return column;
  });
  for (const column of columns) if (!next.includes(column)) column.leave();
  columns = next;
  document.querySelector(".columns").append(...columns.map((column) => column.root));
  for (const column of columns) column.showSharing(columns);
  resume(added);
}

/** One after the other: two columns of one cookie would else exchange it twice. */
async function resume(added) {
  for (const column of added) await column.resume();
}

async function go(keys) {
  const url = new URL(location);
  const present = url.searchParams.has("present") ? "&present" : "";
  url.search = `?columns=${keys.join(",")}${present}`; // a person shall be able to read it
  history.pushState(null, "", url);
  await show(url);
}

async function show(url) {
  const asked = ++latest;
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  if (!response.ok) return location.assign(url);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (asked !== latest) return; // somebody has chosen again meanwhile
  const focused = document.activeElement?.id;
  present(url.searchParams.has("present"));
  chooser().replaceWith(document.adoptNode(page.querySelector(".choose")));
  listenToChooser();
  adopt([...page.querySelectorAll(".column")].map((root) => document.adoptNode(root)));
  if (focused) document.getElementById(focused)?.focus();
}

function listenToChooser() {
  const selects = [...chooser().querySelectorAll("[data-column]")];
  for (const select of selects) {
    select.addEventListener("change", () => go(selects.map((each) => each.value)));
  }
  const free = () => selects[0].querySelector("option:not(:disabled):not(:checked)").value;
  chooser().querySelector("[data-add]")?.addEventListener("click", () => go([...keysShown(), free()]));
  chooser().querySelector("[data-remove]")?.addEventListener("click", () => go(keysShown().slice(0, -1)));
}

// --- on a projector ----------------------------------------------------------------------------

/** Bigger type, and only what can be read from the last row. It stands in the address as well. */
function present(on) {
  document.querySelector("main").dataset.present = on ? "on" : "off";
  document.querySelector("[data-present-toggle]").setAttribute("aria-pressed", String(on));
}

function listenToPresenter() {
  document.querySelector("[data-present-toggle]").addEventListener("click", (event) => {
    const on = event.target.getAttribute("aria-pressed") !== "true";
    const columns = `columns=${keysShown().join(",")}`;
    history.replaceState(null, "", `?${columns}${on ? "&present" : ""}`);
    present(on);
  });
}

listenToPresenter();
addEventListener("popstate", () => show(new URL(location)));
listenToChooser();
onEveryColumn(() => columns);
listenToMeters(() => columns);
adopt([...document.querySelectorAll(".column")]);
