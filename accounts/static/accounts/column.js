"use strict";

/* How does a flow come to stand in a column beside another one? One Column for each of them, and no
 * line that asks which flow it is: what differs is in the flow's own flow.js. The home page shows
 * them as they are; the lab's page builds on them.
 */

const EXCHANGES_KEPT = 12;
const ENTRIES_SHOWN = 3;
const REQUEST_HEADERS = ["Authorization", "X-CSRFToken", "Content-Type"];
const RESPONSE_HEADERS = ["Content-Type", "WWW-Authenticate", "Retry-After"];

const SECURE = document.documentElement.dataset.cookiePrefix ? " Secure;" : "";
// One for both flows, set by every login, and the only thing that a logout leaves behind.
const KNOWN_DEVICE = `${document.documentElement.dataset.cookiePrefix}known-device=…; HttpOnly; SameSite=Strict;${SECURE} Path=/`;

// What a person does next. The server's `detail` says what happened, these say what to do.
const NEXT = {
  bad_login: "Check both, then log in again.",
  not_authenticated: "",
  csrf_failed: "Reload this page, then try again.",
  throttled: "Nothing was checked.",
  store_unavailable: "Nothing was changed, and nobody was logged out.",
  no_answer: "Start it, then try again.",
};

/** An element with properties and children. Text goes in as text, never as markup. */
function el(tag, properties = {}, ...children) {
  const { data = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function span(seconds) {
  const left = Math.max(0, Math.round(seconds));
  if (left >= 2 * 86400) return `${Math.round(left / 86400)} days`;
  if (left >= 2 * 3600) return `${Math.round(left / 3600)} h`;
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

const secondsUntil = (moment) => (moment - Date.now()) / 1000;

/** A time that counts down by itself, until `ends` (milliseconds since 1970). */
const countdown = (ends) =>
  el("span", { className: "countdown", data: { ends } }, span(secondsUntil(ends)));

function tick() {
  for (const element of document.querySelectorAll("[data-ends]")) {
    const left = secondsUntil(Number(element.dataset.ends));
    element.textContent = left > 0 ? span(left) : "over";
    element.classList.toggle("over", left <= 0);
  }
}

class Column {
  constructor(root) {
    this.root = root;
    this.flow = FlowClient.flows.get(root.dataset.client);
    this.busy = false;
    this.behind = false; // another tab has told something while this column was busy
    this.user = null;
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.flow.addEventListener("exchange", (event) => this.showExchange(event.detail), { signal });
    this.flow.addEventListener("credential", () => this.showHoldings(), { signal });
    this.flow.addEventListener("elsewhere", () => this.catchUp(), { signal });
    for (const element of root.querySelectorAll("form[data-verb]")) {
      element.addEventListener("submit", (event) => {
        event.preventDefault();
        this.run(element.dataset.verb, new FormData(element));
      });
    }
    for (const element of root.querySelectorAll("button[data-verb]")) {
      element.addEventListener("click", () => this.run(element.dataset.verb));
    }
    for (const chip of root.querySelectorAll("[data-fill]")) {
      chip.addEventListener("click", () => this.fill(chip.dataset.fill));
    }
  }

  /** The column is taken off the page; its client, and what that holds, goes on. */
  leave() {
    this.listening.abort();
    this.root.remove();
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  fill(username) {
    this.root.querySelector('[name="username"]').value = username;
    this.root.querySelector('[name="password"]').value = `${username}-demo-password`;
  }

  loginForm() {
    return new FormData(this.root.querySelector('[data-verb="login"]'));
  }

  /** After a reload: does what the browser still holds open the door? */
  async resume() {
    await this.exclusively(async () => {
      const answer = await this.flow.resume();
      if (answer.ok) await this.verbs.me.call(this);
      else this.say(answer.status === 401 ? "Log in, then ask." : this.explain(answer));
    });
  }

  run(verb, values) {
    return this.exclusively(() => this.verbs[verb].call(this, values));
  }

  /** One thing at a time: a second click while the first is under way is not sent. */
  async exclusively(work) {
    if (this.busy) return;
    this.setBusy(true);
    try {
      await work();
    } finally {
      this.setBusy(false);
    }
    if (this.behind) return this.catchUp();
    this.showHoldings();
    await this.showRemembered();
  }

  /** Another tab may have logged in as somebody else: who is it now? Never lost, only put off. */
  async catchUp() {
    this.behind = this.busy;
    if (this.busy) return;
    if (!this.flow.loggedIn) return this.showRemembered();
    await this.exclusively(async () => {
      const answer = await this.flow.me();
      if (answer.ok) this.greet(answer.body);
    });
  }

  setBusy(busy) {
    this.busy = busy;
    this.root.setAttribute("aria-busy", String(busy));
    for (const button of this.root.querySelectorAll("button")) {
      button.setAttribute("aria-disabled", String(busy));
    }
  }

  // --- the verbs, in the words of the contract --------------------------------------------------

  verbs = {
    async login(values = this.loginForm()) {
      const answer = await this.flow.login(values.get("username"), values.get("password"));
      if (answer.ok) this.greet(answer.body.user);
      this.report(answer, () => `You are logged in as ${answer.body.user.username}.`);
    },

    async whoami() {
      const answer = await this.flow.whoami();
      this.report(answer, ({ id, device }) => `You are user ${id}, on device ${device}.`);
    },

    async me() {
      const answer = await this.flow.me();
      if (answer.ok) this.greet(answer.body);
      this.report(answer, (user) => `You are ${user.display_name || user.username}.`);
    },

    async rename(values) {
      const answer = await this.flow.rename(values.get("display_name"));
      if (answer.ok) this.greet(answer.body);
      this.report(answer, (user) => `Your display name is “${user.display_name}” now, in both flows.`);
    },

    async refresh() {
      const answer = await this.flow.refresh();
      this.report(answer, () => "You have a fresh credential; the old one is used up.");
    },

    async devices() {
      const answer = await this.flow.devices();
      const many = (count) => (count === 1 ? "one device" : `${count} devices, both flows together`);
      this.report(answer, (devices) => `You are logged in on ${many(devices.length)}.`);
      if (answer.ok) this.showDevices(answer.body);
    },

    async changePassword(values) {
      const answer = await this.flow.changePassword(
        values.get("current_password"),
        values.get("new_password"),
      );
      this.report(answer, () => "Your password is changed. This device goes on; every other one is logged out.");
    },

    async logout() {
      await this.end(() => this.flow.logout(), "You are logged out.");
    },

    async logoutAll() {
      await this.end(() => this.flow.logoutAll(), "You are logged out everywhere, in both flows.");
    },
  };

  async endDevice(device, row) {
    const answer = await this.flow.endDevice(device.id);
    this.report(answer, () => "The device is ended.");
    if (!answer.ok) return;
    const until = Date.now() + device.ends_within * 1000;
    const effect = device.ends_within > 0
      ? ["Ended. A copy of its access token may still be accepted for ", countdown(until), "."]
      : ["Ended. It is refused from now on."];
    row.replaceChildren(el("p", { className: "hint" }, ...effect));
    row.tabIndex = -1;
    row.focus();
  }

  async end(work, sentence) {
    const held = { token: this.flow.token, ends: this.flow.ends };
    const answer = await work();
    this.report(answer, () => sentence);
    if (!answer.ok) return;
    const after = this.flow.afterEnding(held);
    this.user = null;
    this.say(sentence, " ", after.says, ...(after.ends ? [" ", countdown(after.ends), "."] : []));
  }

  greet(user) {
    this.user = user;
    this.root.querySelector('[name="display_name"]').value = user.display_name;
  }

  // --- what a person sees -----------------------------------------------------------------------

  report(answer, sentence) {
    this.part("devices").replaceChildren();
    if (answer.ok) this.say(sentence(answer.body));
    else this.say(this.explain(answer));
    this.part("result").classList.toggle("error", !answer.ok);
  }

  say(...parts) {
    this.part("result").classList.remove("error");
    this.part("result").replaceChildren(...parts);
  }

  explain({ body, code }) {
    const fields = Object.values(body?.errors ?? {}).flat();
    return [body?.detail ?? "That did not work.", ...fields, NEXT[code]].filter(Boolean).join(" ");
  }

  showState() {
    const name = this.user?.username ?? "a user";
    const words = { true: `Logged in as ${name}`, false: "Not logged in", null: "Not asked yet" };
    this.part("state").textContent = words[this.flow.loggedIn];
    this.part("state").classList.toggle("on", this.flow.loggedIn === true);
  }

  showHoldings() {
    if (this.flow.loggedIn === false) this.user = null;
    this.showState();
    const things = this.flow.holds().map((thing) =>
      el(
        "li",
        {},
        el(
          "p",
          { className: "holding" },
          el("strong", {}, thing.name),
          el("span", { className: "hint" }, ` ${thing.where}`),
          thing.ends ? el("span", { className: "left" }, countdown(thing.ends), " left") : null,
        ),
        el("p", { className: "value" }, shortened(thing.value)),
        el("p", {}, ...thing.flags.map((flag) => el("span", { className: "flag" }, flag))),
        el("p", { className: "hint" }, thing.lesson),
      ),
    );
    const claims = this.flow.claims();
    const decoded = claims &&
      el(
        "details",
        {},
        el("summary", {}, "See the token, decoded (no key needed)"),
        el("p", { className: "value" }, this.flow.token),
        code(claims),
      );
    this.part("browser").replaceChildren(
      things.length ? el("ul", { className: "holdings" }, ...things) : hint("Nothing."),
      decoded ?? "",
    );
  }

  /** Asked from the lab, with this flow's own credential; not one of the exchanges below. */
  async showRemembered() {
    const panel = this.part("server");
    if (!panel) return;
    if (!this.flow.loggedIn) return panel.replaceChildren(hint("Log in to look."));
    const options = { quiet: true, once: true };
    const answer = await this.flow.call("GET", this.root.dataset.remembered, undefined, options);
    this.showState();
    if (!answer.ok) return panel.replaceChildren(hint("It did not say. Log in to look."));
    panel.replaceChildren(...this.remembered(answer.body));
  }

  remembered({ entries }) {
    if (!entries.length) return [hint("Nothing about this login.")];
    const rows = entries.map((entry) =>
      el(
        "li",
        {},
        el("p", {}, el("span", { className: "flag" }, entry.where), " ", el("strong", {}, entry.name)),
        el("p", { className: "value" }, entry.value),
        entry.expires_in === null
          ? null
          : el("p", { className: "hint" }, "dropped in ", countdown(Date.now() + entry.expires_in * 1000)),
      ),
    );
    const list = (some) => el("ul", { className: "holdings" }, ...some);
    const rest = rows.slice(ENTRIES_SHOWN);
    const more = rest.length && el("details", {}, el("summary", {}, `and ${rest.length} more`), list(rest));
    return [list(rows.slice(0, ENTRIES_SHOWN)), more || ""];
  }

  showDevices(devices) {
    this.part("devices").replaceChildren(...devices.map((device) => this.deviceRow(device)));
  }

  /** What a person calls the flow that a device belongs to; the lab's own have no column at home. */
  nameOf(flow) {
    return document.querySelector(`.column[data-client="${flow}"]`)?.dataset ?? { icon: "", title: flow };
  }

  deviceRow(device) {
    const { icon, title } = this.nameOf(device.flow);
    const effect = device.ends_within > 0 ? `within ${span(device.ends_within)}` : "at once";
    const seen = new Date(device.last_seen).toLocaleTimeString();
    const button = el("button", { type: "button" }, "End");
    button.setAttribute("aria-label", `End ${title} on ${device.name || device.user_agent}, last seen ${seen}`);
    const row = el(
      "li",
      { data: { flow: device.flow, device: device.id } },
      el("span", { className: "tag", data: { flow: device.flow } }, drawn(icon), ` ${title}`),
      el(
        "p",
        {},
        device.name || device.user_agent,
        device.current ? el("span", { className: "badge" }, "this one") : null,
        el("span", { className: "hint" }, ` last seen ${seen} · ending it takes effect ${effect}`),
      ),
      button,
    );
    button.addEventListener("click", () => this.exclusively(() => this.endDevice(device, row)));
    return row;
  }

  showExchange(exchange) {
    const { method, url, answer, duration } = exchange;
    const summary = el(
      "summary",
      {},
      el("code", { className: "call" }, el("b", {}, method), ` ${url.pathname}`),
      el("span", { className: `status ${answer.ok ? "good" : "bad"}` }, String(answer.status || "no answer")),
      el("span", { className: "hint" }, [`${duration.toFixed(1)} ms`, size(answer)].filter(Boolean).join(" · ")),
    );
    this.putAside(this.part("newest").querySelector("details"));
    const shown = el("details", { open: true }, summary, ...this.wire(exchange));
    this.part("newest").replaceChildren(el("li", {}, shown));
  }

  putAside(details) {
    if (!details) return;
    details.open = false;
    const list = this.part("earlier").querySelector("ol");
    list.prepend(details.parentElement);
    while (list.children.length > EXCHANGES_KEPT) list.lastElementChild.remove();
    this.part("earlier").hidden = false;
  }

  wire(exchange) {
    const { method, url, headers, body, answer } = exchange;
    const path = url.pathname.replace(this.flow.base, "");
    // After a reload only the answer tells that there was a cookie: these calls fail without one.
    const proven = answer.ok && ["refresh/", "whoami/"].includes(path);
    const cookieHeld = proven || this.flow.loggedIn === true;
    const unseen = this.flow.unseen({ path, answer, cookieHeld });
    if (answer.ok && path === "login/") unseen.response.push(["Set-Cookie", KNOWN_DEVICE]);
    const sent = REQUEST_HEADERS.filter((name) => headers[name]).map((name) => [name, shortened(headers[name])]);
    const value = (name) => answer.headers[name.toLowerCase()];
    const got = RESPONSE_HEADERS.filter(value).map((name) => [name, value(name)]);
    return [
      el("h4", {}, "Request"),
      message(`${method} ${url.pathname}`, sent, unseen.request, masked(body)),
      el("h4", {}, "Response"),
      message(`HTTP ${answer.status}`, got, unseen.response, answer.body),
      ...(globalThis.Receipt ? [Receipt.panel(exchange)] : []), // in the lab only
    ];
  }
}

/** A flow's character, hidden from screen readers: its name stands beside it. */
function drawn(character) {
  const icon = el("span", { className: "icon" }, character);
  icon.setAttribute("aria-hidden", "true");
  return icon;
}

const hint = (text) => el("p", { className: "hint" }, text);

const code = (value) => el("pre", { tabIndex: 0 }, JSON.stringify(value, null, 2));

/** A token in full stands once on the page, beside what it says when it is decoded. */
const shortened = (value) =>
  value.length > 100 ? `${value.slice(0, 24)}…${value.slice(-8)}  (${value.length} bytes)` : value;

/** A password was sent in clear, inside TLS; a projector needs not show it. */
function masked(body) {
  if (!body) return body;
  const hide = ([name, value]) => [name, name.includes("password") ? "••••••••" : value];
  return Object.fromEntries(Object.entries(body).map(hide));
}

const size = ({ headers }) => headers["content-length"] && `${headers["content-length"]} bytes`;

function message(firstLine, seen, unseen, body) {
  const line = ([name, value]) => el("span", { className: "header" }, el("b", {}, `${name}: `), value);
  const hiddenLine = ([name, value]) =>
    el("span", { className: "header unseen" }, el("b", {}, `${name}: `), value, el("i", {}, " (no script sees it)"));
  return el(
    "pre",
    { tabIndex: 0 },
    el("span", { className: "first" }, firstLine),
    ...seen.map(line),
    ...unseen.map(hiddenLine),
    body === undefined || body === null ? null : `\n${JSON.stringify(body, null, 2)}`,
  );
}

/** Buttons that do one thing in all columns; `columns` says which those are by now. */
function onEveryColumn(columns) {
  for (const button of document.querySelectorAll("[data-both]")) {
    button.addEventListener("click", async () => {
      // One after the other: a login rotates the CSRF token that the columns share.
      for (const column of columns()) await column.run(button.dataset.both);
    });
  }
}

setInterval(tick, 1000);
