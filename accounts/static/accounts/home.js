"use strict";

/* How do both flows come to stand side by side? One Column for each that the page has. */

const columns = [...document.querySelectorAll(".column")].map((root) => new Column(root));
onEveryColumn(() => columns);
for (const column of columns) column.resume();
