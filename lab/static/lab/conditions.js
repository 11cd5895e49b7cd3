"use strict";

/* Under which conditions do the columns work? A store may be away, and times may be short. What is not
 * as usual stands in a banner on top for as long as it lasts.
 */

const LOOK_EVERY = 1000; // milliseconds, while something is going on

const banners = () => document.querySelector("[data-banners]");
const saying = () => document.querySelector('[data-part="outage"]');

/** One banner for each kind of condition; null takes it away. Only a new one is announced. */
function showBanner(kind, content) {
  const shown = banners().querySelector(`[data-kind="${kind}"]`);
  if (content === null) return shown?.remove();
  if (shown) return;
  banners().append(el("div", { className: "banner", data: { kind } }, ...content));
}

function pressable(label, work) {
  const button = el("button", { type: "button" }, label);
  button.addEventListener("click", async () => {
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    await work();
    button.ariaDisabled = "false";
  });
  return button;
}

// --- outages -----------------------------------------------------------------------------------

let looking = null;

function showOutage(outage) {
  clearTimeout(looking);
  if (outage === null) return showBanner("outage", null);
  const words = el("p", {}, el("strong", {}, outage.title), ". Back in ", countdown(Date.now() + outage.seconds * 1000), " at the latest.");
  showBanner("outage", [words, pressable("End it now", endOutage)]);
  looking = setTimeout(lookForOutage, LOOK_EVERY);
}

async function lookForOutage() {
  const answer = await lab.send("GET", "outage/", undefined, { quiet: true });
  if (answer.ok) showOutage(answer.body.outage);
  else looking = setTimeout(lookForOutage, LOOK_EVERY);
}

async function endOutage() {
  const answer = await lab.send("DELETE", "outage/", undefined, { quiet: true });
  if (answer.ok) showOutage(answer.body.outage);
}

function listenToOutages() {
  const form = document.querySelector("[data-outage]");
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    const [kind, seconds] = ["kind", "seconds"].map((name) => form.elements[name].value);
    saying().textContent = "It is about to begin …";
    const answer = await lab.send("POST", "outage/", { kind, seconds: Number(seconds) }, { quiet: true });
    saying().textContent = answer.ok
      ? "It has begun. Press the calls below, in any column."
      : answer.body?.detail ?? "It did not begin.";
    if (answer.ok) showOutage(answer.body.outage);
    busy = false;
  });
}

// --- demo times --------------------------------------------------------------------------------

function showTimes(times) {
  document.querySelector("[data-times]").hidden = times.on;
  if (!times.on) return showBanner("times", null);
  const words = el(
    "p",
    {},
    el("strong", {}, "Demo times"),
    `: access tokens ${span(times.access)} and ${times.leeway} s of leeway, refresh tokens ${span(times.refresh)}, `,
    `idle sessions ${span(times.session)}, grace ${times.grace} s. What was handed out before keeps its own: log in again.`,
  );
  showBanner("times", [words, pressable("Usual times", () => switchTimes(false))]);
}

async function switchTimes(on) {
  const answer = await lab.send("POST", "times/", { on }, { quiet: true });
  if (answer.ok) showTimes(answer.body);
}

async function lookForTimes() {
  const answer = await lab.send("GET", "times/", undefined, { quiet: true });
  if (answer.ok) showTimes(answer.body);
}

document.querySelector("[data-times]").addEventListener("click", () => switchTimes(true));
listenToOutages();
lookForOutage();
lookForTimes();
