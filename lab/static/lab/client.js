"use strict";

/* What does an application do with its login? It logs in, shows who is there, and logs out.
 *
 * One script for every strategy. `data-keeps` says where the token lies between two calls: nowhere
 * (a cookie has it), in this object, or in localStorage, which is what `jwt-naive` is about.
 */
{
  const box = document.querySelector("[data-client]");
  const state = box.querySelector("[data-part=state]");

  class LabClient extends FlowClient {
    constructor({ client, base, keeps }) {
      super(client);
      this.base = base;
      this.inStorage = keeps === "localStorage";
      this.handsOutTokens = keeps === "memory"; // and a reload needs the refresh cookie
      if (this.inStorage) this.token = localStorage.getItem("token");
    }

    hold(known) {
      super.hold(known);
      if (this.inStorage) localStorage.setItem("token", this.token);
    }

    forget(options) {
      super.forget(options);
      if (this.inStorage) localStorage.removeItem("token");
    }
  }

  const client = new LabClient(box.dataset);
  FlowClient.flows.set(client.key, client);

  const say = ({ ok, status, body }) => {
    if (!ok) state.textContent = body?.detail ?? `The server answered ${status}.`;
    else if (status === 204) state.textContent = "Logged out.";
    else state.textContent = `Logged in as ${(body.user ?? body).username}.`;
  };

  const run = async (work) => {
    if (box.ariaBusy === "true") return; // a second click
    box.ariaBusy = "true";
    say(await work());
    box.ariaBusy = "false";
  };

  const calls = { me: () => client.me(), logout: () => client.logout() };
  for (const button of box.querySelectorAll("[data-call]"))
    button.addEventListener("click", () => run(calls[button.dataset.call]));

  box.querySelector("[data-part=login]").addEventListener("submit", (event) => {
    event.preventDefault();
    const { username, password } = event.target;
    run(() => client.login(username.value, password.value)).then(() => (password.value = ""));
  });
}
