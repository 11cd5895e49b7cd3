"use strict";

/* How does a page open when a navigation carries no token? It is asked for twice.
 *
 * The browser follows a link and sends its cookies, nothing else. A flow that authenticates by a
 * token answers with this script in the page; the script asks for the same address once more, with
 * what the flow's client holds, and puts the answer's <main> in place. Forms go the same way.
 * In a flow whose cookie travels by itself there is nothing to repeat, and the same lines still send
 * what an HTML form cannot: PATCH, DELETE and JSON.
 */

const main = () => document.querySelector("main");
const client = FlowClient.flows.get(main().dataset.flow);
const HTML = { accept: "text/html" };

/** Send one request of this page and show its answer. */
async function visit(method, path, body) {
  main().setAttribute("aria-busy", "true");
  const answer = await knock(method, path, body);
  main().removeAttribute("aria-busy");
  const page = answer.body;
  if (!(page instanceof Document && page.querySelector("main"))) return complain(answer);
  const { loginUrl } = page.querySelector("main").dataset;
  if (loginUrl) return location.assign(loginUrl); // still nobody: it is the waiting page again
  show(page, answer.url);
}

/** The token in memory may be older than the cookie: another tab logged in, or changed the password. */
async function knock(method, path, body) {
  // After a navigation there is never a token yet: fetch one first, instead of a refusal more.
  if (client.handsOutTokens && client.token === null) {
    const refreshed = await client.refresh();
    if (!refreshed.ok && refreshed.status !== 401) return refreshed;
  }
  const answer = await client.call(method, path, body, HTML);
  const stale = answer.status === 401 && client.token !== null;
  if (!stale) return answer;
  const renewed = await client.refresh();
  if (!renewed.ok) return renewed.status === 401 ? answer : renewed;
  // What redirected us was done already; only the page that it led to was refused.
  if (answer.redirected) return client.call("GET", answer.url, undefined, HTML);
  return client.call(method, path, body, HTML);
}

function show(page, url) {
  const fresh = document.adoptNode(page.querySelector("main"));
  main().replaceWith(fresh);
  document.title = page.title;
  if (url !== location.href) history.replaceState(null, "", url);
  listen();
  fresh.focus({ preventScroll: true });
}

function complain({ body }) {
  const note = document.createElement("p");
  note.className = "note error";
  note.setAttribute("role", "alert");
  note.textContent = body?.detail ?? "The server did not answer as expected. Reload the page.";
  main().prepend(note);
}

function submit(event) {
  const form = event.target;
  event.preventDefault();
  if (main().ariaBusy === "true") return;
  const method = form.dataset.method ?? form.method.toUpperCase();
  const json = form.querySelector("[data-json]");
  const fields = () => new URLSearchParams(new FormData(form, event.submitter));
  visit(method, form.action, json ? json.value : fields());
}

/** Forms that prove a password, and logout, need no token: the browser sends them by itself. */
function listen() {
  for (const form of main().querySelectorAll("form:not([data-plain])")) {
    form.addEventListener("submit", submit);
  }
  if (main().querySelector("[data-ended]")) client.forget({ tellTabs: true });
}

listen();
if (client.handsOutTokens && main().dataset.code) visit("GET", location.href);
