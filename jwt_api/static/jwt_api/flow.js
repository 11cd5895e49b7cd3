"use strict";

/* What does the browser hold in the jwt flow, and how does a page come back after a reload?
 *
 * Compare sessions_api/flow.js: the same names, other bodies. The class between, FlowClient, makes
 * the requests of both and knows no flow.
 */
{
  const prefix = document.documentElement.dataset.cookiePrefix; // "__Host-" wherever cookies are Secure
  const secure = prefix ? " Secure;" : "";

  class Flow extends FlowClient {
    constructor(key = "jwt", where = {}) {
      super(key, where);
      this.cookie = `${prefix}refresh`;
      this.handsOutTokens = true; // `credential.token` is the access token
    }

    /** After a reload: the access token is gone with the page. The refresh cookie gets a new one. */
    async resume() {
      const refreshed = await this.refresh();
      return refreshed.ok ? this.whoami() : refreshed;
    }

    /** What lies in this browser because of a login, with what a script may see of it. */
    holds() {
      if (!this.loggedIn) return [];
      return [
        {
          name: this.cookie,
          where: "cookie jar",
          value: "the refresh token: used once, then replaced by its successor.",
          flags: ["HttpOnly", "SameSite=Strict", ...(prefix ? ["Secure"] : []), "Path=/"],
          ends: null,
          lesson: "No script can read it. The browser sends it with every request, but only " +
            "refresh and logout look at it, and those are CSRF-checked.",
        },
        {
          name: "access token",
          where: "memory of this page",
          value: this.token === null ? "none: the next call fetches one" : this.token,
          flags: this.token === null ? [] : ["readable by scripts", "gone after a reload"],
          ends: this.ends,
          lesson: "A script must hold it to send it, so an XSS can use it and copy it. " +
            "That is why it lives for minutes, and in memory only.",
        },
      ];
    }

    /** The header lines that the browser adds and hides: no script can show the real ones. */
    unseen({ path, answer, cookieHeld }) {
      const name = this.cookie;
      const request = cookieHeld ? [["Cookie", `${name}=…`]] : [];
      const response = [];
      if (answer.ok && ["login/", "refresh/", "password/"].includes(path)) {
        response.push(["Set-Cookie", `${name}=…; HttpOnly; SameSite=Strict;${secure} Path=/`]);
      }
      if (answer.ok && ["logout/", "logout-all/"].includes(path)) {
        response.push(["Set-Cookie", `${name}=; Max-Age=0; Path=/`]);
      }
      return { request, response };
    }

    /** What still works after this login was ended? `held` is what was held until then. */
    afterEnding(held) {
      return {
        says: "It cannot be renewed any more, and this page has dropped its access token. " +
          "A copy of that token, had anybody made one, may still be accepted for",
        ends: held.ends,
      };
    }

    /** What can be read out of the credential without asking the server? */
    claims() {
      if (this.token === null) return null;
      const payload = this.token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      return JSON.parse(atob(payload)); // base64, not encryption: anybody who holds it can read it
    }
  }

  FlowClient.flows.set("jwt", new Flow());
}
