// Is the audit over? Asks every two seconds, and shows its report as soon as there is one.
"use strict";

const EVERY = 2000;

async function look(state) {
  try {
    const answer = await fetch(state.dataset.state, { headers: { Accept: "application/json" } });
    if (answer.ok && !(await answer.json()).is_running) {
      location.reload();
      return;
    }
  } catch {
    state.textContent = "The server does not answer. This page goes on asking.";
  }
  setTimeout(look, EVERY, state);
}

const state = document.querySelector("[data-state]");
if (state) setTimeout(look, EVERY, state);
