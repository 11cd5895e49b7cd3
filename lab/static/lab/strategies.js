"use strict";

/* What does the browser hold under each strategy? A client for each, on top of its flow's own.
 *
 * Most strategies differ on the server only: their client is the flow's, at another address, and
 * those of one flow share its cookie, as two tabs do. Three keep something else in the browser.
 */

const COOKIE_PREFIX = document.documentElement.dataset.cookiePrefix;
const NAIVE_TOKEN = "lab-naive-token";

/* key -> what its client does otherwise; each of these has a login of its own. */
const KEPT_OTHERWISE = {
  "session-database": (Flow) =>
    class extends Flow {
      holds() {
        return super.holds().map((thing, index) =>
          index ? thing : { ...thing, value: "a user number and 256 random bits; what they mean stands in a row of the database." },
        );
      }
    },

  "jwt-cookie": (Flow) =>
    class extends Flow {
      constructor(...where) {
        super(...where);
        this.handsOutTokens = false;
      }

      /** After a reload nothing is lost: both cookies are still there. */
      async resume() {
        const answer = await this.whoami();
        if (answer.ok || answer.status !== 401) return answer;
        const refreshed = await this.refresh();
        return refreshed.ok ? this.whoami() : refreshed;
      }

      holds() {
        const [refresh] = super.holds();
        if (!refresh) return [];
        const access = {
          ...refresh,
          name: `${COOKIE_PREFIX}access`,
          value: "the access token, signed; the server alone reads it.",
          ends: this.ends,
          lesson: "No script can read it, so an XSS cannot carry it away. The browser sends it with " +
            "every request by itself, which is why unsafe calls need a CSRF token.",
        };
        return [access, refresh];
      }

      unseen(exchange) {
        const { request, response } = super.unseen(exchange);
        const access = ([name, value]) => [name, value.replaceAll(this.cookie, `${COOKIE_PREFIX}access`)];
        const both = (lines) => [...lines.map(access), ...lines];
        return { request: both(request), response: both(response) };
      }
    },

  // Weak on purpose, and the only place of the project where a script keeps a credential.
  "jwt-naive": (Flow) =>
    class extends Flow {
      constructor(...where) {
        super(...where);
        this.handsOutTokens = false;
        const kept = JSON.parse(localStorage.getItem(NAIVE_TOKEN) ?? "null");
        if (kept) Object.assign(this, kept);
      }

      hold(known) {
        localStorage.setItem(NAIVE_TOKEN, JSON.stringify(known));
        super.hold(known);
      }

      forget(options) {
        localStorage.removeItem(NAIVE_TOKEN);
        super.forget(options);
      }

      /** There is nothing to refresh with; being told so ends nothing. */
      refresh() {
        return this.callWithCookie("POST", "refresh/");
      }

      resume() {
        return this.whoami();
      }

      holds() {
        if (this.token === null) return [];
        return [
          {
            name: "access token",
            where: "localStorage",
            value: this.token,
            flags: ["readable by scripts", "stays after a reload", "stays after the browser was closed"],
            ends: this.ends,
            lesson: "Any script of this site can read it and send it elsewhere, now or tomorrow, and " +
              "it opens everything for a day. A logout only forgets this copy.",
          },
        ];
      }

      unseen() {
        return { request: [], response: [] };
      }
    },
};

/** The client of the column's strategy; made once, so that a column that comes back goes on. */
function clientOf({ client: key, flow, cookie, livesAfter, livesOn }) {
  const known = FlowClient.flows.get(key);
  if (known) return known;
  const Flow = FlowClient.flows.get(flow).constructor;
  const keepsOtherwise = KEPT_OTHERWISE[key];
  const Kept = keepsOtherwise?.(Flow) ?? Flow;

  class Strategy extends Kept {
    /** The server has ended the login: what became of it, its last token may ask. */
    noteEnd({ code }, token) {
      if (["credential_reused", "credential_revoked"].includes(code)) this.ended = { token };
    }

    async refreshNow(stale) {
      const { token } = this; // a refusal drops it
      const answer = await super.refreshNow(stale);
      this.noteEnd(answer, token);
      return answer;
    }

    believe(answer) {
      this.noteEnd(answer, this.token);
      return super.believe(answer);
    }

    /** The flow's own words are about its default strategy. */
    afterEnding(held) {
      if (livesOn !== undefined) {
        return { says: "Had anybody made a copy of its credential, it would still be accepted for", ends: held.ends };
      }
      return { says: `And a copy of its credential? It lives on: ${livesAfter}`, ends: null };
    }
  }

  const client = new Strategy(key, { under: "/lab/strategies/", jar: keepsOtherwise ? key : flow });
  client.cookie = cookie;
  FlowClient.flows.set(key, client);
  return client;
}
