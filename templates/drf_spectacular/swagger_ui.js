"use strict";

// "Try it out" follows the client rule of the contract. The original would write one CSRF token into
// this script and go on sending it after a login has rotated it.
async function followTheClientRule(request) {
  if (["GET", "HEAD", undefined].includes(request.method)) return request;
  const answer = await fetch("{% url 'csrf' %}");
  request.headers["X-CSRFToken"] = (await answer.json()).csrf_token;
  return request;
}

SwaggerUIBundle({
  url: "{{ schema_url|escapejs }}",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  requestInterceptor: followTheClientRule,
  ...{{ settings|safe }},
});
