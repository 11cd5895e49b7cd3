"use strict";

/* What is in this token, which check refuses it when it is changed, and what is a forgery worth?
 *
 * Three actions with three verdicts. Decoding and forging happen here; verifying and sending are
 * real requests. What is inspected is in the text field and in this object, and nowhere else.
 */
{
  const { el } = TokenDom;
  const { heading, cell, shortened } = TokenTable;

  class TokenSection extends LabSection {
    constructor(root) {
      super(root);
      this.base = ""; // as it was taken or pasted; edits and forgeries start from it
      this.claims = null; // the payload, once a claim was set
      this.forged = null; // what the text is if it is not the original, in words
      this.part("text").addEventListener("input", () => this.start(this.part("text").value));
      this.part("member").addEventListener("change", () => this.showMember());
      this.part("forgery").replaceChildren(
        ...FORGERIES.map((each, index) => el("option", { value: index }, each.title)));
      this.part("forgery").addEventListener("change", () => this.showStory());
      for (const chip of root.querySelectorAll("[data-middle]")) {
        chip.addEventListener("click", () => this.pointAt(Number(chip.dataset.middle)));
      }
      this.showStory();
    }

    get text() {
      return this.part("text").value;
    }

    /** Something new is inspected. */
    start(text) {
      this.base = text;
      this.claims = null;
      this.put(text);
    }

    /** Show a text: what was known of the one before is not known of this one. */
    put(text, forged = null) {
      this.forged = forged;
      if (this.text !== text) this.part("text").value = text;
      TokenDom.verdict(this.part("verified"), "none", "Not asked yet.");
      TokenDom.verdict(this.part("sent"), "none", "Not sent yet.");
      this.part("checks").replaceChildren(el("li", { className: "hint" }, "Not asked yet."));
      this.part("where").hidden = true;
      this.part("answer").hidden = this.part("receipt").hidden = true;
      this.decode();
    }

    // --- decode ---------------------------------------------------------------------------------

    decode() {
      const read = this.text === "" ? { wrong: "" } : TokenText.read(this.text);
      const isRead = read.wrong === null;
      this.part("decoding").hidden = !isRead;
      this.part("nothing-decoded").hidden = isRead;
      this.showSegments(read.parts);
      if (this.text === "") TokenDom.verdict(this.part("decoded"), "none", "Nothing to decode yet.");
      else if (!isRead) TokenDom.verdict(this.part("decoded"), "bad", read.wrong);
      if (!isRead) return this.part("member").replaceChildren();
      const words = "Read without a key, as anybody can who holds it. Whether it is true, only the signature tells.";
      TokenDom.verdict(this.part("decoded"), "good", words);
      for (const name of ["header", "payload"]) this.part(name).replaceChildren(...TokenTable.rows(name, read));
      this.showBudget(read);
      this.showChoices(read);
    }

    showSegments(parts) {
      this.part("segments").hidden = !parts;
      const spans = (parts ?? []).flatMap((part, index) => [
        ...(index ? ["."] : []),
        el("span", { className: `segment ${TokenText.PARTS[index]}`, title: TokenText.PARTS[index] }, part),
      ]);
      this.part("segments").replaceChildren(...spans);
      this.part("at").max = Math.max(1, this.text.length);
    }

    showBudget({ payloadBytes }) {
      const most = Number(this.root.dataset.most);
      const within = payloadBytes <= most ? "within" : "over";
      Object.assign(this.part("meter"), { max: Math.max(most, payloadBytes), value: payloadBytes });
      this.part("budget").textContent = `Payload: ${payloadBytes} bytes, ${within} the ${most} that our access tokens keep to`;
      const sent = "Authorization: Bearer ".length + this.text.length;
      this.part("wire").textContent = `The token has ${this.text.length} characters: base64url makes four of three bytes. Each request carries ${sent} bytes of it, header name included.`;
    }

    // --- change, and verify -----------------------------------------------------------------------

    showChoices(read) {
      const chosen = this.part("member").value;
      const group = (name) => {
        const options = Object.keys(read[name]).map((member) =>
          el("option", { value: `${name} ${member}` }, shortened(member)));
        return el("optgroup", { label: name }, ...options);
      };
      this.part("member").replaceChildren(group("payload"), group("header"));
      const values = [...this.part("member").options].map((option) => option.value);
      this.part("member").value = values.includes(chosen) ? chosen : values[0] ?? "";
      this.showMember();
    }

    chosen() {
      const [part, ...rest] = this.part("member").value.split(" ");
      return { part, name: rest.join(" ") };
    }

    showMember() {
      const { part, name } = this.chosen();
      const read = TokenText.read(this.text);
      if (read.wrong === null && part) this.part("value").value = JSON.stringify(read[part][name]) ?? "";
    }

    pointAt(index) {
      const parts = this.text.split(".");
      const before = parts.slice(0, index).reduce((sum, part) => sum + part.length + 1, 0);
      this.part("at").value = before + Math.ceil((parts[index]?.length ?? 1) / 2);
    }

    async verify() {
      const asked = this.text;
      const answer = await this.ask(this.root.dataset.verify, { token: asked });
      if (this.text !== asked) return null; // somebody has typed meanwhile: this is of another text
      if (!answer.ok) {
        TokenDom.verdict(this.part("verified"), "bad", `The server did not look at it. ${TokenDom.explain(answer)}`);
        return null;
      }
      const said = answer.body;
      TokenDom.verdict(this.part("verified"), said.refused_by ? "bad" : "good", TokenDom.sentence(said));
      TokenDom.checks(this.part("checks"), said);
      this.part("where").hidden = said.refused_by === null;
      const told = `. The client is told ${said.code}: “${said.detail}” The cause is for the log.`;
      if (said.where) {
        const place = `${said.where.path}, line ${said.where.line}`;
        this.part("where").replaceChildren("Refused in ", TokenDom.code(said.where, place), told);
      }
      return said;
    }

    // --- forge, and send --------------------------------------------------------------------------

    showStory() {
      this.part("story").textContent = FORGERIES[this.part("forgery").value].story;
    }

    /** What the attacker holds. Throws, in words, if there is no token to start from. */
    async given() {
      const read = TokenText.read(this.base);
      if (read.wrong !== null) throw new Error("Take yours or paste one first: a forgery starts from a token.");
      if (!globalThis.crypto?.subtle) throw new Error("This browser makes signatures only on https:// and on this machine’s own address.");
      const keys = await (await fetch(this.root.dataset.jwks)).json();
      const jwk = keys.keys.find(({ kid }) => kid === read.header.kid) ?? keys.keys[0];
      return { ...read, payload: this.claims ?? read.payload, jwk, another: () => this.another() };
    }

    async another() {
      const answer = await this.flow.refresh();
      if (!answer.ok || this.flow.token === null) throw new Error("It needs a second genuine token: log in by “Take mine”.");
      return this.flow.token;
    }

    /** A real request with the text as bearer token, and no cookie; the server adds its receipt. */
    async send(text) {
      const headers = { Authorization: `Bearer ${text}`, Accept: "application/json", "X-Lab-Receipt": "1" };
      const options = { headers, credentials: "omit", cache: "no-store" };
      let request;
      try {
        request = new Request(this.part("target").value, options);
      } catch {
        return { words: "No browser puts such a text into a header, so it cannot be sent.", ok: false };
      }
      try {
        const started = performance.now();
        const response = await fetch(request);
        const body = await response.text();
        const answer = { ok: response.ok, status: response.status, headers: Object.fromEntries(response.headers), body };
        const exchange = { method: "GET", url: new URL(request.url), headers, answer, duration: performance.now() - started };
        return { ...answer, exchange, ...this.judged(response, body) };
      } catch {
        return { words: "The server did not answer. Is it running?", ok: false };
      }
    }

    judged(response, body) {
      const { code = "", detail = "" } = parsed(body);
      if (!response.ok) return { code, words: `The server refused it: ${response.status} ${code}. “${detail}”` };
      const what = this.forged === null ? "It was let in, as it came" : `It got in, forged as it is (${this.forged})`;
      return { code: "", words: `${what}: ${response.status} for user ${parsed(body).id}.` };
    }

    async sendShown() {
      const text = this.text;
      const sent = await this.send(text);
      if (this.text === text) this.showSent(sent);
    }

    showSent(sent) {
      TokenDom.verdict(this.part("sent"), sent.ok ? "good" : "bad", sent.words);
      this.part("answer").hidden = this.part("receipt").hidden = sent.status === undefined;
      if (sent.status === undefined) return;
      this.part("answer").textContent = `GET ${this.part("target").value}\nHTTP ${sent.status}\n\n${sent.body}`;
      this.part("receipt").replaceChildren(Receipt.panel(sent.exchange));
    }

    verbs = {
      async take() {
        const isGood = this.flow.token !== null && this.flow.ends > Date.now();
        const answer = isGood ? { ok: true } : await this.flow.refresh();
        this.part("login").hidden = answer.ok;
        if (answer.ok) return this.start(this.flow.token);
        const words = answer.status === 401 ? "You have none yet. Log in below, and it is taken." : TokenDom.explain(answer);
        TokenDom.verdict(this.part("decoded"), "none", words);
      },

      async login() {
        const answer = await this.login();
        if (answer.ok) this.start(this.flow.token);
        else TokenDom.verdict(this.part("decoded"), "bad", TokenDom.explain(answer));
      },

      async verify() {
        await this.verify();
      },

      async flip() {
        const at = Math.min(Math.max(1, Number(this.part("at").value) || 1), this.text.length) - 1;
        if (this.text === "") return TokenDom.verdict(this.part("verified"), "none", "Take yours or paste one first.");
        this.put(TokenText.flip(this.text, at), `one bit of character ${at + 1} flipped`);
        await this.verify();
      },

      async set() {
        const read = TokenText.read(this.text);
        const { part, name } = this.chosen();
        if (read.wrong !== null || !part) {
          return TokenDom.verdict(this.part("verified"), "none", "Nothing was set: only what can be decoded has members.");
        }
        const value = parsed(this.part("value").value, null);
        if (value === null && this.part("value").value.trim() !== "null") {
          return TokenDom.verdict(this.part("verified"), "bad", "Not JSON. Text stands in double quotes: \"admin\".");
        }
        const changed = { ...read[part], [name]: value };
        if (part === "payload") this.claims = changed;
        this.put(TokenText.withPart(read.parts, part, changed), `${name} changed`);
        await this.verify();
      },

      async send() {
        await this.sendShown();
      },

      async forge() {
        const forgery = FORGERIES[this.part("forgery").value];
        try {
          this.put(await forgery.make(await this.given()), forgery.title);
        } catch (error) {
          return TokenDom.verdict(this.part("sent"), "bad", error.message);
        }
        await this.verify();
        await this.sendShown();
      },

      async forgeAll() {
        try {
          await this.forgeAll(await this.given());
        } catch (error) {
          TokenDom.verdict(this.part("sent"), "bad", error.message);
        }
      },

      back() {
        this.start(this.base);
      },

      clear() {
        this.start("");
        this.part("all").hidden = true;
        this.part("text").focus();
      },
    };

    async forgeAll(given) {
      this.part("rows").replaceChildren();
      this.part("all").hidden = false;
      let got = 0;
      for (const forgery of FORGERIES) {
        const { check, answer, ok } = await this.tried(forgery, given);
        got += ok ? 1 : 0;
        this.part("rows").append(el("tr", { data: { ok } },
          heading(forgery.title), cell(["Check", check]), cell(["Answer", answer])));
      }
      this.put(this.base);
      const words = `${got} of ${FORGERIES.length} forgeries got in.`;
      TokenDom.verdict(this.part("sent"), got ? "bad" : "good", words);
    }

    async tried(forgery, given) {
      try {
        this.put(await forgery.make(given), forgery.title);
      } catch (error) {
        return { check: "–", answer: `not made: ${error.message}`, ok: false };
      }
      const said = await this.verify();
      const { status, code, words, ok } = await this.send(this.text);
      return { check: said?.refused_by ?? "none", answer: status ? `${status} ${code}` : words, ok };
    }
  }

  function parsed(text, otherwise = {}) {
    try {
      return JSON.parse(text) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  const root = document.getElementById("token");
  if (root) new TokenSection(root);
}
