"use strict";

/* What does the browser hold in the sessions flow, and how does a page come back after a reload?
 *
 * Compare jwt_api/flow.js: the same names, other bodies. The class between, FlowClient, makes the
 * requests of both and knows no flow.
 */
{
  const prefix = document.documentElement.dataset.cookiePrefix; // "__Host-" wherever cookies are Secure
  const secure = prefix ? " Secure;" : "";

  class Flow extends FlowClient {
    constructor(key = "sessions", where = {}) {
      super(key, where);
      this.cookie = `${prefix}sessionid`;
      this.handsOutTokens = false; // `credential.token` is always null here
    }

    /** After a reload: nothing was lost, because a script never held anything. Just ask. */
    async resume() {
      return this.whoami();
    }

    /** What lies in this browser because of a login, with what a script may see of it. */
    holds() {
      if (!this.loggedIn) return [];
      return [
        {
          name: this.cookie,
          where: "cookie jar",
          value: "a user number and 256 random bits; what they mean, the server looks up in Redis.",
          flags: ["HttpOnly", "SameSite=Lax", ...(prefix ? ["Secure"] : []), "Path=/"],
          ends: this.ends,
          lesson: "No script can read it, so an XSS cannot carry it away. The browser sends it " +
            "with every request by itself, which is why unsafe calls need a CSRF token.",
        },
        {
          name: "memory",
          where: "this page",
          value: "nothing",
          flags: [],
          ends: null,
          lesson: "A session needs no script: these pages work with JavaScript switched off.",
        },
      ];
    }

    /** The header lines that the browser adds and hides: no script can show the real ones. */
    unseen({ path, answer, cookieHeld }) {
      const name = this.cookie;
      const request = cookieHeld ? [["Cookie", `${name}=…`]] : [];
      const response = [];
      if (answer.ok && ["login/", "refresh/", "password/"].includes(path)) {
        response.push(["Set-Cookie", `${name}=…; HttpOnly; SameSite=Lax;${secure} Path=/`]);
      }
      if (answer.ok && ["logout/", "logout-all/"].includes(path)) {
        response.push(["Set-Cookie", `${name}=; Max-Age=0; Path=/`]);
      }
      return { request, response };
    }

    /** What still works after this login was ended? `held` is what was held until then. */
    afterEnding(held) {
      return {
        says: "The server has forgotten the session. Whoever has a copy of the cookie is refused " +
          "at the next request.",
        ends: null,
      };
    }

    /** What can be read out of the credential without asking the server? */
    claims() {
      return null; // an opaque id: there is nothing in it to read
    }
  }

  FlowClient.flows.set("sessions", new Flow());
}
