"use strict";

/* What is a session id worth, to its owner, to a thief, and to somebody who guesses?
 *
 * No script can read one's own, so the server is asked, and answers with the digest. Compare
 * token.js: there is nothing to decode here, and nothing to forge.
 */
{
  const { el } = TokenDom;
  const YEAR = 31557600;

  class SessionSection extends LabSection {
    constructor(root) {
      super(root);
      this.showCosts();
    }

    async verdict(answer) {
      if (!answer.ok) return TokenDom.verdict(this.part("verified"), "bad", TokenDom.explain(answer));
      if (answer.body.length === 0) {
        this.part("login").hidden = false;
        return TokenDom.verdict(this.part("verified"), "none", "This browser has no session. Log in, then look.");
      }
      TokenDom.verdict(this.part("verified"), answer.body.refused_by ? "bad" : "good", TokenDom.sentence(answer.body));
      TokenDom.checks(this.part("checks"), answer.body);
    }

    show({ digest, key, held, length }) {
      this.digest = digest;
      this.part("at").max = length;
      this.part("held").hidden = held === null;
      if (held === null) return;
      this.part("digest").textContent = digest;
      this.part("key").textContent = key;
      this.part("ttl").replaceChildren(TokenDom.counting(Date.now() + held.ttl * 1000));
      this.part("absolute").replaceChildren(TokenDom.counting(Date.now() + held.absolute * 1000));
      this.part("size").textContent = `The browser sends ${length} characters; Redis keeps ${held.bytes} bytes for them. First as they stand there, then with names; an HMAC of the password’s hash is left out:`;
      this.part("record").textContent = `${held.raw}\n\n${JSON.stringify(held.record, null, 2)}`;
    }

    async lookAtMine() {
      const answer = await this.ask(this.root.dataset.session, {});
      await this.verdict(answer);
      this.part("edited").hidden = true;
      if (answer.ok && answer.body.length !== 0) {
        this.part("login").hidden = true;
        this.show(answer.body);
      }
    }

    note(words) {
      this.part("edited").hidden = false;
      this.part("edited").textContent = words;
    }

    // --- guessing -------------------------------------------------------------------------------

    showCosts() {
      const [rate, live] = ["rate", "live"].map((name) => Math.max(1, Number(this.part(name).value) || 1));
      const { accountLimit, limitSeconds } = this.root.dataset;
      const limited = Number(accountLimit) / Number(limitSeconds);
      const rows = [
        [`one of ${number(live)} session ids`, 256, rate, live],
        ["the signature of one token (ES256: about 128 bits of work)", 128, rate, 1],
        ["one user’s password, if it is among the 10000 most used, without a limit", Math.log2(10000), rate, 1],
        [`the same under the login limit: ${accountLimit} tries in ${limitSeconds} s for each account`, Math.log2(10000), limited, 1],
      ];
      this.part("costs").replaceChildren(...rows.map(([what, bits, tries, many]) => {
        const cells = [["Bits", number(bits)], ["Tries per second", number(tries)], ["On average", span(bits, tries, many)]];
        return el("tr", {}, TokenTable.heading(what), ...cells.map(TokenTable.cell));
      }));
      this.part("formula").textContent =
        `years = 2^bits ÷ (2 × live × tries per second × ${YEAR})\n` +
        `      = 2^256 ÷ (2 × ${live} × ${rate} × ${YEAR})\n      = 10^${Math.floor(log10Seconds(256, rate, live) - Math.log10(YEAR))}`;
      TokenDom.verdict(this.part("guessed"), "good", `One of ${number(live)} live sessions falls after ${span(256, rate, live)}, at ${number(rate)} tries per second.`);
    }

    verbs = {
      async take() {
        await this.lookAtMine();
      },

      async login() {
        const answer = await this.login();
        if (answer.ok) await this.lookAtMine();
        else TokenDom.verdict(this.part("verified"), "bad", TokenDom.explain(answer));
      },

      async edit() {
        const at = Math.max(1, Number(this.part("at").value) || 1) - 1;
        const answer = await this.ask(this.root.dataset.session, { edit: at });
        await this.verdict(answer);
        if (!answer.ok || answer.body.length === 0) return;
        const now = answer.body.digest === null ? "It has no digest: it is no session id any more." : `Its digest is ${answer.body.digest}.`;
        this.note(`Character ${at + 1} of your id was changed by one bit, on the server. ${now}${this.digest ? ` Yours is ${this.digest}.` : ""} Your cookie is what it was.`);
      },

      async check() {
        const text = this.part("text").value;
        if (text === "") return TokenDom.verdict(this.part("verified"), "none", "Paste an id first.");
        const answer = await this.ask(this.root.dataset.session, { id: text });
        await this.verdict(answer);
        this.note(answer.body?.digest ? `Its digest is ${answer.body.digest}.` : "It has no digest: it is no session id.");
      },

      guess() {
        this.showCosts();
      },
    };
  }

  const number = (value) => value.toLocaleString("en", { maximumSignificantDigits: 4 });

  /** The logarithm, because 2^256 seconds are more than anybody wants to read. */
  const log10Seconds = (bits, rate, live) => (bits - 1) * Math.log10(2) - Math.log10(rate) - Math.log10(live);

  function span(bits, rate, live) {
    const log = log10Seconds(bits, rate, live);
    if (log > Math.log10(YEAR) + 4) return `10^${Math.floor(log - Math.log10(YEAR))} years`;
    const seconds = 10 ** log;
    const [unit, length] = [["years", YEAR], ["days", 86400], ["hours", 3600], ["minutes", 60]].find(([, each]) => seconds >= 2 * each) ?? ["s", 1];
    return `${number(seconds / length)} ${unit}`;
  }

  const root = document.getElementById("session");
  if (root) new SessionSection(root);
}
