"use strict";

/* How does the home page get its timeline? It listens to the same exchanges as the columns. */
{
  const timeline = new Timeline(document.querySelector("#timeline"));
  for (const [flow, client] of FlowClient.flows) {
    const label = document.querySelector(`.column[data-flow="${flow}"]`).dataset.title;
    client.addEventListener("exchange", (event) => timeline.add(event.detail, { flow, label }));
  }
}
