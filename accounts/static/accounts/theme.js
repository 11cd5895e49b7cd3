"use strict";

// Which colours does the page wear? Loaded in the head, without `defer`, so that the answer is there
// before the first paint. The choice is kept in a cookie: the pages promise an empty localStorage.

(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = document.cookie.match(/(?:^|; )theme=(light|dark)/)?.[1];

  if (chosen) root.dataset.theme = chosen;
  root.classList.add("js"); // parts that need a script show themselves only now

  const current = () => root.dataset.theme ?? (system.matches ? "dark" : "light");
  const other = () => (current() === "dark" ? "light" : "dark");

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    if (!button) return;
    const name = () => button.setAttribute("aria-label", `Switch to the ${other()} theme`);
    button.addEventListener("click", () => {
      root.dataset.theme = other();
      const secure = location.protocol === "https:" ? "; Secure" : "";
      document.cookie = `theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
      name();
    });
    system.addEventListener("change", name);
    name();
  });
})();
