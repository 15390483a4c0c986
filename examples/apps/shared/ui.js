// Tiny DOM and API helpers shared by the demo applications.
"use strict";

/** h("button", {class: "x", onclick: f}, "text", child…) makes an element. */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A labelled form field: the label wraps nothing and points to the field by id. */
function field(label, control, className = "field") {
  control.id = control.id || "f-" + label.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return h("div", { class: className }, h("label", { for: control.id }, label), control);
}

async function api(method, path, body) {
  const headers = { Accept: "application/json" };
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = "Bearer " + token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 401) {
    location.href = "/login";
    return new Promise(() => {});
  }
  const data = await response.json();
  if (!response.ok) throw new Error(data.error || response.statusText);
  return data;
}

/** Usage statistics, as most real pages send them; nothing reads the answer. */
function beacon(view) {
  navigator.sendBeacon("/telemetry/collect", JSON.stringify({ view, width: innerWidth }));
}

let toastTimer = 0;
function toast(text) {
  document.querySelector(".toast")?.remove();
  const node = h("div", { class: "toast", role: "status" }, text);
  document.body.append(node);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => node.remove(), 2500);
}

/** Shows a modal dialog and resolves with the label of the button that closed it. */
function ask(title, text, ...buttons) {
  return new Promise((resolve) => {
    const close = (answer) => {
      shade.remove();
      resolve(answer);
    };
    const shade = h(
      "div",
      { class: "shade" },
      h(
        "div",
        { class: "dialog", role: "dialog", "aria-label": title, "aria-modal": "true" },
        h("h2", {}, title),
        h("p", {}, text),
        h(
          "div",
          { class: "row" },
          buttons.map((label) => h("button", { type: "button", onclick: () => close(label) }, label)),
        ),
      ),
    );
    document.body.append(shade);
  });
}
