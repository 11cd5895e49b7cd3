"use strict";

/* What do both inspectors do with the page? They put text into it, as text, and times that count. */
const TokenDom = {
  el: Receipt.el,

  /** How far a moment is, in words: “in 4 min 10 s”, “3 days ago”. */
  distance(moment) {
    const left = Math.round((moment - Date.now()) / 1000);
    const seconds = Math.abs(left);
    const units = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const first = units.findIndex(([, length]) => seconds >= length);
    if (first < 0) return "now";
    let rest = seconds;
    const words = units.slice(first, first + 2).map(([unit, length]) => {
      const count = Math.floor(rest / length);
      rest -= count * length;
      return `${count} ${unit}${unit === "day" && count !== 1 ? "s" : ""}`;
    });
    return left > 0 ? `in ${words.join(" ")}` : `${words.join(" ")} ago`;
  },

  /** A distance that goes on counting, without a word to screen readers each second. */
  counting(moment) {
    return TokenDom.el("span", { className: "countdown", data: { moment } }, TokenDom.distance(moment));
  },

  tick() {
    for (const element of document.querySelectorAll("[data-moment]")) {
      element.textContent = TokenDom.distance(Number(element.dataset.moment));
    }
  },

  /** Say a verdict: in words, with a mark beside them that is no colour alone. */
  verdict(element, state, words) {
    const marks = { good: "✔", bad: "✖", none: "–" };
    element.dataset.state = state;
    element.querySelector("[role=status]").replaceChildren(TokenDom.mark(marks[state]), ` ${words}`);
  },

  /** The checks in the order the server runs them, each with the code that asks. */
  checks(list, answer) {
    const marks = { passed: "✔", refused: "✖" };
    list.replaceChildren(...answer.checks.map(({ name, verdict, words, against, where }) => {
      const code = TokenDom.code(where, "code", `The code of the check ${name}`);
      return TokenDom.el("li", { data: { check: name, verdict } },
        TokenDom.el("p", {}, TokenDom.mark(marks[verdict] ?? "·"), " ", TokenDom.el("strong", {}, name), ` ${verdict} `, code),
        TokenDom.el("p", {}, ...TokenDom.words(`${words}.`)),
        TokenDom.el("p", { className: "hint" }, ...TokenDom.words(`Keeps out: ${against}.`)));
    }));
  },

  /** A sign beside a word that says the same. */
  mark: (sign) => TokenDom.el("span", { className: "mark", ariaHidden: "true" }, sign),

  /** What shows the code that runs at a place, over this page, so that nothing typed here is lost. */
  code(where, text, label = text) {
    if (!where) return null;
    return Receipt.button(text, () => Receipt.showCode(where.path, where.line), { className: "chip", label });
  },

  /** A text in which `names` stand between backticks. */
  words(text) {
    return text.split("`").map((piece, index) => (index % 2 ? TokenDom.el("code", {}, piece) : piece));
  },

  /** One sentence for what the server's checks said. */
  sentence(answer) {
    const count = answer.checks.length;
    const asked = answer.checks.filter(({ verdict }) => verdict === "passed").length;
    if (answer.refused_by === null) return `Passed: all ${asked} checks that there are for it.`;
    if (count === 0) return `Refused: ${answer.cause}.`;
    const at = answer.checks.findIndex((check) => check.name === answer.refused_by) + 1;
    return `Refused at check ${at} of ${count}, ${answer.refused_by}: ${answer.cause}.`;
  },

  explain: (answer) => answer.body?.detail ?? "The server did not answer. Is it running?",
};

setInterval(TokenDom.tick, 1000);

/* One half of the page: its buttons and forms, each with a verb, and one thing at a time. */
class LabSection {
  constructor(root) {
    this.root = root;
    this.flow = FlowClient.flows.get(root.dataset.flow);
    this.busy = false;
    for (const form of root.querySelectorAll("form[data-verb]")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault(); // nothing that was typed ever gets into a URL
        this.run(form.dataset.verb);
      });
    }
    for (const button of root.querySelectorAll("button[data-verb]")) {
      button.addEventListener("click", () => this.run(button.dataset.verb));
    }
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  /** One thing at a time: a second click while the first is under way is not sent. */
  async run(verb) {
    if (this.busy) return;
    this.busy = true;
    this.root.setAttribute("aria-busy", "true");
    try {
      await this.verbs[verb].call(this);
    } finally {
      this.busy = false;
      this.root.setAttribute("aria-busy", "false");
    }
  }

  /** A call of the lab, with the CSRF token. */
  ask(url, body) {
    return this.flow.callWithCookie("POST", url, body, { quiet: true });
  }

  async login() {
    const values = new FormData(this.part("login"));
    const answer = await this.flow.login(values.get("username"), values.get("password"));
    this.part("login").hidden = answer.ok;
    return answer;
  }
}
