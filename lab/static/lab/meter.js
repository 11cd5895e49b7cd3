"use strict";

/* After how many milliseconds is an ended login refused? The server measures, worker by worker; this
 * shows it. One measurement at a time: two would time each other.
 */

const lab = new FlowClient("side", { under: "/lab/" }); // the lab's own calls, with the CSRF token

const way = () => document.querySelector("#how");
const milliseconds = (count) => `${count < 10 ? count.toFixed(1) : Math.round(count)} ms`;
const many = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

class Meter {
  static running = false;

  constructor(column) {
    this.column = column;
    this.part("measure").addEventListener("click", () => runMeters([this]));
  }

  part(name) {
    return this.column.part(name);
  }

  async run() {
    const how = way().value;
    const began = performance.now();
    const stopwatch = setInterval(() => {
      this.say(`Measuring … ${((performance.now() - began) / 1000).toFixed(1)} s`);
    }, 100);
    this.part("workers").replaceChildren();
    const body = { strategy: this.column.root.dataset.client, how };
    const answer = await lab.send("POST", "revoke/", body, { quiet: true });
    clearInterval(stopwatch);
    if (!answer.ok) return this.say(this.column.explain(answer));
    if (answer.body.not_offered) return this.say(answer.body.not_offered);
    this.show(answer.body, how);
  }

  show({ workers, took, watched, until, because }, how) {
    const [known, unknown] = how === "role" ? ["Known", "Not known yet"] : ["Refused", "Still accepted"];
    const last = Math.max(...workers.map(({ after }) => after ?? Infinity));
    const by = `by ${many(workers.length, "worker")}, after “${way().selectedOptions[0].text}”, which took ${milliseconds(took)}. `;
    const stated = because || `What the strategy states: ${this.column.root.dataset.livesAfter}`;
    const ends = [" until ", el("b", {}, clock(until)), ", in ", countdown(until * 1000)];
    const verdict = Number.isFinite(last)
      ? [el("span", { className: "status good" }, `${known} after ${milliseconds(last)}`)]
      : [el("span", { className: because ? "status" : "status bad" }, because ? "Goes on" : `${unknown},`), ...ends];
    this.say(...verdict, el("span", { className: "hint" }, ` ${by}${stated}`));
    this.part("workers").replaceChildren(
      ...workers.map((worker, index) =>
        el(
          "li",
          {},
          `worker ${index + 1} of ${workers.length}: `,
          worker.after === null
            ? el("span", {}, el("b", {}, unknown.toLowerCase()), `, ${many(worker.accepted, "time")} in ${watched} s`)
            : el("span", {}, `${known.toLowerCase()} after `, el("b", {}, milliseconds(worker.after)), ` (${probe(worker)})`),
          el("span", { className: "hint" }, ` process ${worker.pid}${worker.code ? `, ${worker.code}` : ""}`),
        ),
      ),
    );
  }

  say(...parts) {
    this.part("verdict").replaceChildren(...parts);
  }
}

const probe = ({ accepted }) => (accepted === 0 ? "the first probe" : `probe ${accepted + 1}`);

/** A moment more than a day away needs its date. */
function clock(seconds) {
  const moment = new Date(seconds * 1000);
  return moment - Date.now() > 86400e3 ? moment.toLocaleString() : moment.toLocaleTimeString();
}

async function runMeters(meters) {
  if (Meter.running) return;
  Meter.running = true;
  const buttons = [...document.querySelectorAll("button.revoke")];
  for (const button of buttons) button.setAttribute("aria-disabled", "true");
  try {
    for (const meter of meters) await meter.run();
  } finally {
    Meter.running = false;
    for (const button of document.querySelectorAll("button.revoke")) button.removeAttribute("aria-disabled");
  }
}

function listenToMeters(columns) {
  document.querySelector("[data-meter]").addEventListener("submit", (event) => {
    event.preventDefault();
    runMeters(columns().map((column) => column.meter));
  });
}
