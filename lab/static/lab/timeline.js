"use strict";

/* What happened when, and where? Exchanges as rows, oldest first, in four lanes: browser, server,
 * Redis, database. A row is whole in itself, so that one column is enough on a narrow screen.
 *
 * `new Timeline(ol)` puts its controls before the list, which has an `aria-labelledby`, and a log
 * around it; `add(exchange, {flow, label})` adds a row.
 * Exchanges stand here without their headers and bodies: nothing on it, or exported, is secret.
 */
{
  const { of, asMermaid, copy, el, button, many, milliseconds } = Receipt;
  const MOST_ROWS = 100;
  const MOST_LINES = 4; // of a cell; the rest opens on demand
  const LANES = ["Browser", "Server", "Redis", "Database"];

  class Timeline {
    constructor(list) {
      this.list = list;
      this.shown = []; // {exchange, flow, label, moment}
      this.waiting = []; // what came while paused
      this.isPaused = false;
      this.said = el("span", { className: "hint said", ariaLive: "polite" });
      this.pauseButton = button("Pause", () => this.pause(!this.isPaused));
      this.empty = el("li", { className: "hint" }, "Nothing yet. Press a button above.");
      list.classList.add("timeline");
      // Around the list: an <ol> that is a log itself would not be a list any more.
      this.log = el("div", { className: "timeline-log", role: "log", tabIndex: 0 });
      this.log.setAttribute("aria-labelledby", list.getAttribute("aria-labelledby"));
      list.replaceWith(this.controls(), this.head(), this.log);
      this.log.append(list);
      this.clear();
    }

    controls() {
      return el(
        "div",
        { className: "buttons" },
        this.pauseButton,
        button("Clear", () => this.clear()),
        button("Export as JSON", () => this.download()),
        button("Copy as Mermaid", () => copy(asMermaid(this.shown.map((row) => row.exchange)), "The diagram", this.said)),
        this.said,
      );
    }

    head() {
      const head = el("div", { className: "lanes" }, ["Time", ...LANES].map((name) => el("span", {}, name)));
      head.setAttribute("aria-hidden", "true"); // each cell says its lane itself
      return head;
    }

    add({ method, url, answer, duration }, { flow, label = "" } = {}) {
      const kept = { status: answer.status, headers: { "x-lab-receipt": answer.headers?.["x-lab-receipt"] } };
      const entry = { exchange: { method, url, answer: kept, duration }, flow, label, moment: new Date() };
      if (this.isPaused) {
        this.waiting.push(entry);
        this.waiting.splice(0, this.waiting.length - MOST_ROWS);
        this.pauseButton.textContent = `Go on (${this.waiting.length} waiting)`;
        return;
      }
      this.empty.remove();
      this.shown.push(entry);
      const isAtItsEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 8;
      this.list.append(row(entry));
      // Whoever has scrolled back to read is left there.
      if (isAtItsEnd) this.log.scrollTop = this.log.scrollHeight;
      if (this.shown.length > MOST_ROWS) {
        this.shown.shift();
        this.list.firstElementChild.remove();
      }
    }

    pause(isPaused) {
      this.isPaused = isPaused;
      this.pauseButton.textContent = isPaused ? "Go on" : "Pause";
      for (const { exchange, flow, label } of isPaused ? [] : this.waiting.splice(0)) this.add(exchange, { flow, label });
    }

    clear() {
      this.shown = [];
      this.list.replaceChildren(this.empty);
    }

    download() {
      const rows = this.shown.map(({ exchange: { method, url, answer, duration }, flow, label, moment }) => (
        { at: moment.toISOString(), flow, label, method, path: url.pathname, status: answer.status, milliseconds: duration, receipt: of(answer) }
      ));
      const file = new Blob([JSON.stringify(rows, null, 2)], { type: "application/json" });
      const link = el("a", { href: URL.createObjectURL(file), download: "timeline.json" });
      link.click();
      URL.revokeObjectURL(link.href);
      this.said.textContent = `${many(rows.length, "exchange")} exported.`;
    }
  }

  function row({ exchange, flow, label, moment }) {
    const { method, url, answer, duration } = exchange;
    const receipt = of(answer);
    const time = moment.toLocaleTimeString([], { hour12: false });
    return el(
      "li",
      { data: { flow } },
      el("time", { className: "when", dateTime: moment.toISOString() }, time),
      cell("Browser", [
        label ? el("span", { className: "tag" }, label) : null,
        el("code", {}, el("b", {}, method), ` ${url.pathname}`),
        el("span", {}, el("span", { className: `status ${answer.status < 400 && answer.status ? "good" : "bad"}` }, String(answer.status || "no answer")), ` after ${duration.toFixed(1)} ms`),
      ]),
      cell("Server", receipt ? onServer(receipt) : [el("span", { className: "hint" }, "no receipt")]),
      cell("Redis", inStore(receipt, "redis")),
      cell("Database", inStore(receipt, "database")),
    );
  }

  /** One lane of a row; its name is for ears, and for screens without room for the lanes. */
  const cell = (lane, content) =>
    el("div", { className: "lane", data: { lane: lane.toLowerCase() } }, el("span", { className: "lane-name" }, lane), content);

  function onServer({ counts, microseconds, refused_by: refused, view }) {
    return [
      refused
        ? el("span", { className: "refused" }, `✗ refused by “${refused}”`)
        : el("span", {}, `${many(counts.checks, "check")} in ${milliseconds(microseconds.authentication)}`),
      el("span", { className: "hint" }, `${view?.name.split(".").slice(-2).join(".") ?? "no view"}, ${milliseconds(microseconds.total)} in all`),
    ];
  }

  function inStore(receipt, lane) {
    const steps = (receipt?.steps ?? []).filter((step) => step.lane === lane);
    if (!steps.length) return [el("span", { className: "hint" }, receipt ? "not asked" : "")];
    const line = (step) => el("code", {}, step.text, el("span", { className: "hint" }, ` +${milliseconds(step.at)}`));
    const rest = steps.slice(MOST_LINES);
    const more = rest.length ? el("details", {}, el("summary", {}, `and ${rest.length} more`), rest.map(line)) : null;
    return [...steps.slice(0, MOST_LINES).map(line), more];
  }

  globalThis.Timeline = Timeline;
}
