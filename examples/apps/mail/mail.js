// Postbox: one page, views chosen by the URL's hash, state kept by the server.
"use strict";
const FOLDERS = ["Inbox", "Starred", "Sent", "Drafts", "Archive", "Receipts", "Bin"];
const view = document.getElementById("view");
let account = { name: "", email: "" };

const show = (hash) => {
  if (location.hash === hash) route();
  else location.hash = hash;
};
const setTitle = (text) => (document.title = `${text} – Postbox`);

function drawFolders(current, unread) {
  const links = FOLDERS.map((name) =>
    h(
      "a",
      { href: "#/" + name.toLowerCase(), "aria-current": name === current ? "page" : null },
      name === "Inbox" && unread ? `Inbox (${unread})` : name,
    ),
  );
  links.push(
    h("a", { href: "#/settings", "aria-current": current === "Settings" ? "page" : null }, "Settings"),
  );
  document.getElementById("folders").replaceChildren(...links);
}

async function act(message, what, body, said) {
  await api("POST", `/api/messages/${message.id}/${what}`, body);
  if (said) toast(said);
}

function listRow(message) {
  const star = message.starred ? "Unstar" : "Star";
  return h(
    "li",
    { class: message.unread ? "unread" : "" },
    h(
      "button",
      {
        class: "star",
        type: "button",
        "aria-label": `${star} ${message.subject}`,
        onclick: async () => {
          await act(message, message.starred ? "unstar" : "star", {});
          route();
        },
      },
      message.starred ? "★" : "☆",
    ),
    h(
      "a",
      { href: "#/message/" + message.id },
      h("span", { class: "from" }, message.from.name),
      " ",
      message.subject,
      h("span", { class: "muted" }, " – " + message.body.slice(0, 60)),
    ),
    h("span", { class: "muted" }, message.date),
    ["Archive", "Delete"].map((label) =>
      h(
        "button",
        {
          class: "small",
          type: "button",
          "aria-label": `${label} ${message.subject}`,
          onclick: async () => {
            await act(message, label.toLowerCase(), {}, `Message ${label.toLowerCase()}d`);
            route();
          },
        },
        label,
      ),
    ),
  );
}

function drawList(heading, data) {
  setTitle(heading === "Inbox" ? `Inbox (${data.unread}) – ${account.email}` : heading);
  view.replaceChildren(
    h("h1", {}, heading),
    data.messages.length
      ? h("ul", { class: "list", "aria-label": heading }, data.messages.map(listRow))
      : h("p", { class: "muted" }, "Nothing here."),
  );
}

function drawMessage(message) {
  setTitle(`${message.subject} – ${message.from.name}`);
  const leave = (what, said) => async () => {
    await act(message, what, {}, said);
    show("#/inbox");
  };
  const mover = h(
    "select",
    {
      name: "folder",
      onchange: async () => {
        await act(message, "move", { folder: mover.value }, `Moved to ${mover.value}`);
      },
    },
    h("option", { value: "", disabled: true, selected: true }, "Choose…"),
    ["Inbox", "Archive", "Receipts", "Bin"].map((name) => h("option", { value: name }, name)),
  );
  const answer = h("div", { id: "answer" });
  view.replaceChildren(
    h(
      "div",
      { class: "row toolbar" },
      h("button", { type: "button", onclick: () => history.back() }, "Back to list"),
      h("button", { type: "button", onclick: () => drawAnswer(message, answer) }, "Reply"),
      h("button", { type: "button", onclick: leave("archive", "Message archived") }, "Archive"),
      h("button", { type: "button", onclick: leave("delete", "Message deleted") }, "Delete"),
      h("span", { class: "grow" }),
      h("label", { for: "mover" }, "Move to folder"),
      Object.assign(mover, { id: "mover" }),
    ),
    h(
      "article",
      { class: "sheet" },
      h("h1", {}, message.subject),
      h("div", {}, `${message.from.name} <${message.from.email}>`),
      h("div", { class: "muted" }, `to ${message.to} · ${message.date}`),
      h("div", { class: "letter" }, message.body),
    ),
    answer,
  );
}

function drawAnswer(message, place) {
  const text = h("textarea", { name: "reply" });
  place.replaceChildren(
    h(
      "form",
      {
        class: "sheet",
        style: "margin-top: 10px",
        onsubmit: async (event) => {
          event.preventDefault();
          await act(message, "replies", { subject: message.subject, body: text.value }, "Reply sent");
          place.replaceChildren();
        },
      },
      field("Your reply", text),
      h(
        "div",
        { class: "row" },
        h("button", { class: "main", type: "submit" }, "Send reply"),
        h("button", { type: "button", onclick: () => place.replaceChildren() }, "Cancel"),
      ),
    ),
  );
  text.focus();
}

function drawCompose() {
  setTitle("New message");
  const inputs = {
    to: h("input", { name: "to", type: "email", autocomplete: "off" }),
    cc: h("input", { name: "cc", type: "email", autocomplete: "off" }),
    subject: h("input", { name: "subject", autocomplete: "off" }),
    body: h("textarea", { name: "body" }),
  };
  const values = () =>
    Object.fromEntries(
      Object.entries(inputs)
        .map(([name, input]) => [name, input.value])
        .filter(([, value]) => value),
    );
  const send = async () => {
    await api("POST", "/api/messages", values());
    toast("Message sent");
    show("#/inbox");
  };
  const discard = async () => {
    const answer = await ask(
      "Discard this message?",
      "What you have written will be lost.",
      "Keep editing",
      "Discard",
    );
    if (answer === "Discard") show("#/inbox");
  };
  view.replaceChildren(
    h(
      "form",
      {
        class: "sheet",
        onsubmit: (event) => {
          event.preventDefault();
          send();
        },
        onkeydown: (event) => {
          if (event.key === "Enter" && event.ctrlKey) send();
        },
      },
      h("h1", {}, "New message"),
      field("To", inputs.to),
      field("Cc", inputs.cc),
      field("Subject", inputs.subject),
      field("Message", inputs.body),
      h(
        "div",
        { class: "row" },
        h("button", { class: "main", type: "button", onclick: send }, "Send"),
        h(
          "button",
          {
            type: "button",
            onclick: async () => {
              await api("POST", "/api/drafts", values());
              toast("Draft saved");
              show("#/drafts");
            },
          },
          "Save draft",
        ),
        h("button", { type: "button", onclick: discard }, "Discard"),
      ),
    ),
  );
}

async function drawSettings() {
  const settings = await api("GET", "/api/settings/vacation");
  setTitle("Settings");
  const enabled = h("input", { type: "checkbox", id: "vacation", checked: settings.enabled });
  const days = h("input", { type: "number", name: "days_away", min: 1, max: 60, value: settings.days_away });
  const message = h("textarea", { name: "message" }, settings.message);
  view.replaceChildren(
    h(
      "form",
      {
        class: "sheet",
        onsubmit: async (event) => {
          event.preventDefault();
          await api("PUT", "/api/settings/vacation", {
            enabled: enabled.checked,
            days_away: Number(days.value),
            message: message.value,
          });
          toast("Settings saved");
        },
      },
      h("h1", {}, "Settings"),
      h("h2", {}, "Vacation reply"),
      h("div", { class: "check" }, enabled, h("label", { for: "vacation" }, "Send a vacation reply")),
      field("Days away", days),
      field("Vacation message", message),
      h("button", { class: "main", type: "submit" }, "Save changes"),
    ),
  );
}

async function route() {
  const [, name = "inbox", argument] = (location.hash || "#/inbox").split("/");
  let current = FOLDERS.find((folder) => folder.toLowerCase() === name);
  const summary = await api("GET", `/api/folders/${name === "search" ? "inbox" : current ? name : "inbox"}`);
  if (name === "message") {
    const message = await api("GET", "/api/messages/" + argument);
    drawMessage(message);
    current = message.folder;
  } else if (name === "compose") drawCompose();
  else if (name === "settings") {
    await drawSettings();
    current = "Settings";
  } else if (name === "search") {
    const query = decodeURIComponent(argument || "");
    document.getElementById("query").value = query;
    drawList(`Results for “${query}”`, await api("GET", "/api/search?q=" + encodeURIComponent(query)));
  } else drawList(current || "Inbox", summary);
  drawFolders(current, summary.inbox_unread);
  beacon(name);
}

document.getElementById("compose").addEventListener("click", () => show("#/compose"));
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  show("#/search/" + encodeURIComponent(document.getElementById("query").value));
});
addEventListener("hashchange", route);
(async () => {
  account = await api("GET", "/api/account");
  sessionStorage.setItem("token", account.token);
  document.getElementById("who").textContent = `${account.name} · ${account.email}`;
  route();
})();
