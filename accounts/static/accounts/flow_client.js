"use strict";

/* How does one client drive every flow? By one rule:
 *
 *   send cookies; send the CSRF token on unsafe methods;
 *   if credential.token is not null, send it as Authorization: Bearer.
 *
 * The twin of accounts/client.py. What only one flow knows stands in that flow's own flow.js, which
 * extends this class. The token lives in a field of an object and nowhere else: not in localStorage,
 * not in sessionStorage, not in a cookie that a script can read. A reload forgets it.
 */

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

// Without HTTPS and off this machine there are no Web Locks. Tabs are then out of step, and the
// server's grace interval has to forgive them.
const inTurn = (name, work) =>
  navigator.locks ? navigator.locks.request(name, work) : Promise.resolve(work());

class FlowClient extends EventTarget {
  static flows = new Map(); // key -> client, filled by each flow.js
  static csrfToken = null; // one browser has one, whatever the number of flows

  /* `under` is the path before the key: the lab mounts the same contract elsewhere. Clients of one
   * `jar` share a cookie, and with it a login: they take turns at it and tell one another of it.
   */
  constructor(key, { under = "/api/", jar = key } = {}) {
    super();
    this.key = key;
    this.base = `${under}${key}/`;
    this.jar = jar;
    this.handsOutTokens = false; // a flow with a Bearer scheme says true
    this.token = null;
    this.ends = null; // when `token`, or the cookie, is over: milliseconds since 1970
    this.loggedIn = null; // null: nobody has asked the server yet
    this.refreshing = null; // the refresh that is under way
    this.tabs = new BroadcastChannel(`authdemo-${jar}`);
    this.tabs.onmessage = (message) => this.hear(message.data);
  }

  // --- the contract ---------------------------------------------------------------------------

  login(username, password) {
    return this.takeTurn(async () => {
      const answer = await this.callWithCookie("POST", "login/", { username, password });
      FlowClient.csrfToken = null; // a login rotates it
      return this.adopt(answer);
    });
  }

  whoami() {
    return this.call("GET", "whoami/");
  }

  me() {
    return this.call("GET", "me/");
  }

  rename(displayName) {
    return this.call("PATCH", "me/", { display_name: displayName });
  }

  devices() {
    return this.call("GET", "devices/");
  }

  endDevice(id) {
    return this.call("DELETE", `devices/${encodeURIComponent(id)}/`);
  }

  changePassword(current, next) {
    const body = { current_password: current, new_password: next };
    return this.call("POST", "password/", body, { settle: (answer) => this.adopt(answer) });
  }

  logout() {
    return this.takeTurn(async () => this.forgetIfOver(await this.callWithCookie("POST", "logout/")));
  }

  logoutAll() {
    const settle = (answer) => this.forgetIfOver(answer);
    return this.call("POST", "logout-all/", undefined, { settle });
  }

  /** Whatever sets or ends the cookie waits for what was begun before, in this tab and in others.
   *
   * Otherwise the late answer to a refresh brings back who has logged out meanwhile.
   */
  takeTurn(work) {
    return inTurn(`authdemo-${this.jar}-refresh`, work);
  }

  /** Exchange the cookie for a fresh credential. Calls in this tab share one; tabs take turns. */
  refresh(stale = this.token) {
    this.refreshing ??= this.takeTurn(() => this.refreshNow(stale)).finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  async refreshNow(stale) {
    const handedOver = this.token !== null && this.token !== stale; // by a tab that was before us
    if (handedOver) return { ok: true, status: 200, code: null, body: null };
    const answer = await this.callWithCookie("POST", "refresh/");
    if (answer.status === 401) this.forget();
    return this.adopt(answer);
  }

  // --- one call -------------------------------------------------------------------------------

  /** Send a call; when the token has expired, or a reload has lost it, refresh once and repeat.
   *
   * What a call that changes the cookie has to `settle` is done before anybody else's turn.
   */
  async call(method, path, body, options = {}) {
    const token = this.token;
    const once = () => this.callWithCookie(method, path, body, options);
    const { settle } = options;
    const send = settle ? () => this.takeTurn(async () => settle(await once())) : once;
    const answer = await send();
    if (answer.status !== 401) return this.believe(answer);
    const renewable = answer.code === "credential_expired" || (this.handsOutTokens && token === null);
    if (renewable && !options.once && !answer.redirected) {
      const fresher = this.token !== null && this.token !== token;
      const renewed = fresher ? { ok: true } : await this.refresh(token);
      if (renewed.ok) return this.believe(await send());
      if (renewed.status !== 401) return renewed; // no answer, or a server's error: nothing is over
    }
    return this.believe(answer);
  }

  /** Send a call that a refresh could not help. The code `csrf_failed` asks for a new CSRF token. */
  async callWithCookie(method, path, body, options = {}) {
    const answer = await this.send(method, path, body, options);
    if (answer.code !== "csrf_failed") return answer;
    FlowClient.csrfToken = null;
    return this.send(method, path, body, options);
  }

  /** Make one HTTP request. Resolves to {ok, status, code, body, headers, url}; never rejects. */
  async send(method, path, body, { accept = "application/json", quiet = false } = {}) {
    const url = new URL(path, new URL(this.base, location.href));
    const headers = { Accept: accept };
    if (document.documentElement.dataset.receipts) headers["X-Lab-Receipt"] = "1"; // in the lab only
    if (!SAFE_METHODS.has(method)) headers["X-CSRFToken"] = await this.csrf();
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    const isForm = body instanceof URLSearchParams; // fetch names its type by itself
    if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
    const payload = isForm || typeof body !== "object" ? body : JSON.stringify(body);

    const started = performance.now();
    let answer;
    try {
      const response = await fetch(url, { method, headers, body: payload, cache: "no-store" });
      answer = await read(response);
    } catch {
      answer = unanswered(url);
    }
    const duration = performance.now() - started;
    if (!quiet) this.tell("exchange", { method, url, headers, body, answer, duration });
    return answer;
  }

  async csrf() {
    FlowClient.csrfToken ??= (await this.send("GET", "/api/csrf/")).body?.csrf_token ?? "";
    return FlowClient.csrfToken;
  }

  // --- what the answers mean ------------------------------------------------------------------

  adopt(answer) {
    const credential = answer.ok ? answer.body?.credential : null;
    if (!credential) return answer;
    const known = { token: credential.token, ends: Date.now() + credential.expires_in * 1000 };
    this.hold(known);
    this.tabs.postMessage(known); // from memory to memory, same origin only
    return answer;
  }

  /** A 2xx proves a login, a 401 its end. Anything else, a 503 above all, proves nothing. */
  believe(answer) {
    if (answer.ok) this.loggedIn = true;
    if (answer.status === 401) this.loggedIn = false;
    return answer;
  }

  hold({ token, ends }) {
    Object.assign(this, { token, ends, loggedIn: true });
    this.tell("credential");
  }

  forget({ tellTabs = false } = {}) {
    Object.assign(this, { token: null, ends: null, loggedIn: false });
    if (tellTabs) this.tabs.postMessage({ over: true });
    this.tell("credential");
  }

  forgetIfOver(answer) {
    if (answer.ok) this.forget({ tellTabs: true });
    return answer; // a 503 has ended nothing, so nothing is forgotten
  }

  hear(message) {
    if (message.over) this.forget();
    else this.hold(message);
    this.tell("elsewhere"); // another tab may have logged in as somebody else
  }

  tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

async function read(response) {
  const text = await response.text();
  const type = response.headers.get("Content-Type") ?? "";
  const body = parse(text, type);
  return {
    ok: response.ok,
    status: response.status,
    code: body?.code ?? body?.querySelector?.("[data-code]")?.dataset.code ?? null,
    body,
    headers: Object.fromEntries(response.headers),
    url: response.url,
    redirected: response.redirected, // then the call itself was done, and must not be repeated
  };
}

function parse(text, type) {
  if (type.startsWith("text/html")) return new DOMParser().parseFromString(text, "text/html");
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return text;
  }
}

function unanswered(url) {
  const detail = "The server did not answer. Is it running?";
  return { ok: false, status: 0, code: "no_answer", body: { detail }, headers: {}, url: url.href };
}
