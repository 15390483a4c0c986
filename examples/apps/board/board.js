// Lanes: a board whose cards are dragged between lanes, and a dialog for the details of a card.
"use strict";
const TITLES = { "spring-launch": "Spring launch", "team-garden": "Team garden" };
const root = document.getElementById("board");
const filter = document.getElementById("filter");
let board = { lanes: [], members: [], labels: [], cards: [] };
let boardName = "spring-launch";
let dragged = null;

const setTitle = (card) =>
  (document.title = [card?.title, TITLES[boardName], "Lanes"].filter(Boolean).join(" – "));

async function load() {
  board = await api("GET", "/api/boards/" + boardName);
  draw();
}

async function change(card, what, value) {
  const updated = await api("PATCH", `/api/cards/${card.id}/${what}`, { title: card.title, value });
  Object.assign(card, updated);
  await load();
  return card;
}

/** A double click on a title turns it into a text field; Enter keeps the new title. */
function rename(card, title) {
  const input = h("input", { "aria-label": "Card title", autocomplete: "off", value: card.title });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") change(card, "title", input.value);
    if (event.key === "Escape") draw();
  });
  input.addEventListener("blur", () => draw());
  title.replaceWith(input);
  input.focus();
  input.select();
}

function drawCard(card) {
  const title = h("span", { class: "title" }, card.title);
  title.addEventListener("dblclick", () => rename(card, title));
  const details = [
    card.assignee === "Nobody" ? "" : card.assignee,
    `${card.estimate} pt`,
    card.due_date && `due ${card.due_date}`,
    card.blocked && "blocked",
  ];
  return h(
    "div",
    {
      class: card.blocked ? "card blocked" : "card",
      draggable: "true",
      "aria-label": card.title,
      ondragstart: (event) => {
        dragged = card;
        event.dataTransfer.setData("text/plain", String(card.id));
        event.dataTransfer.effectAllowed = "move";
        event.currentTarget.classList.add("dragged");
      },
      ondragend: () => draw(),
    },
    h(
      "div",
      { class: "row" },
      title,
      h("button", { type: "button", "aria-label": `Open ${card.title}`, onclick: () => openCard(card) }, "⋯"),
    ),
    h(
      "div",
      { class: "meta" },
      card.labels.map((label) => h("span", { class: "tag" }, label)),
      details.filter(Boolean).join(" · "),
    ),
  );
}

function drawAdder(lane) {
  const place = h("div", { class: "adder" });
  const closed = () =>
    h(
      "button",
      { type: "button", "aria-label": `Add a card to ${lane}`, onclick: () => opened() },
      "+ Add a card",
    );
  const opened = () => {
    const input = h("input", { "aria-label": "Title of the new card", autocomplete: "off" });
    const create = async () => {
      await api("POST", "/api/cards", { board: boardName, title: input.value, lane });
      await load();
    };
    input.addEventListener("keydown", (event) => event.key === "Enter" && create());
    place.replaceChildren(
      input,
      h("button", { class: "main", type: "button", onclick: create }, "Add card"),
      " ",
      h("button", { type: "button", onclick: () => place.replaceChildren(closed()) }, "Cancel"),
    );
    input.focus();
  };
  place.append(closed());
  return place;
}

function drawLane(lane) {
  const word = filter.value.toLowerCase();
  const cards = board.cards.filter(
    (card) => card.lane === lane && card.title.toLowerCase().includes(word),
  );
  const section = h(
    "section",
    {
      class: "lane",
      "aria-label": lane,
      ondragover: (event) => {
        event.preventDefault();
        section.classList.add("over");
      },
      ondragleave: () => section.classList.remove("over"),
      ondrop: async (event) => {
        event.preventDefault();
        await api("POST", `/api/cards/${dragged.id}/move`, { title: dragged.title, lane });
        await load();
      },
    },
    h("h2", {}, `${lane} (${cards.length})`),
    cards.map(drawCard),
    drawAdder(lane),
  );
  return section;
}

function draw() {
  root.replaceChildren(...board.lanes.map(drawLane));
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.hash.endsWith(boardName)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** The dialog of one card; every field is saved when it changes. */
function openCard(card) {
  setTitle(card);
  const close = () => {
    shade.remove();
    setTitle();
  };
  const pick = (name, values, current, save) => {
    const select = h(
      "select",
      { name, onchange: () => save(select.value) },
      values.map((value) => h("option", { selected: value === current }, value)),
    );
    return select;
  };
  const due = h("input", { type: "date", value: card.due_date });
  due.addEventListener("change", () => due.value >= "2000" && change(card, "due_date", due.value));
  const estimate = h("input", {
    type: "number", min: 1, max: 40, value: card.estimate,
    onchange: () => change(card, "estimate", Number(estimate.value)),
  });
  const blocked = h("input", {
    type: "checkbox", id: "blocked", checked: card.blocked,
    onchange: () => change(card, "blocked", blocked.checked),
  });
  const comments = h("div");
  const drawComments = () =>
    comments.replaceChildren(
      ...card.comments.map(({ by, text }) => h("div", { class: "comment" }, h("strong", {}, by), `: ${text}`)),
    );
  drawComments();
  const text = h("textarea", {});
  const send = async () => {
    const body = { title: card.title, text: text.value };
    Object.assign(card, await api("POST", `/api/cards/${card.id}/comments`, body));
    text.value = "";
    drawComments();
    await load();
  };
  text.addEventListener("keydown", (event) => event.key === "Enter" && event.ctrlKey && send());
  const move = async (lane) => {
    await api("POST", `/api/cards/${card.id}/move`, { title: card.title, lane });
    await load();
  };
  const labels = board.labels.map((label) => {
    const button = h(
      "button",
      {
        type: "button",
        "aria-label": `Label ${label}`,
        "aria-pressed": String(card.labels.includes(label)),
        onclick: async () => {
          const body = { title: card.title, label };
          Object.assign(card, await api("POST", `/api/cards/${card.id}/labels`, body));
          button.setAttribute("aria-pressed", "true");
          button.classList.add("main");
          await load();
        },
      },
      label,
    );
    return button;
  });
  const archive = async () => {
    await api("POST", `/api/cards/${card.id}/archive`, { title: card.title });
    close();
    await load();
    toast(`“${card.title}” archived`);
  };
  const shade = h(
    "div",
    { class: "shade" },
    h(
      "div",
      { class: "dialog wide", role: "dialog", "aria-modal": "true", "aria-label": card.title },
      h("h2", {}, card.title),
      h(
        "div",
        { class: "columns" },
        field("Assignee", pick("assignee", board.members, card.assignee, (name) => change(card, "assignee", name))),
        field("Lane", pick("lane", board.lanes, card.lane, move)),
        field("Due date", due),
        field("Estimate (points)", estimate),
      ),
      h("div", { class: "check" }, blocked, h("label", { for: "blocked" }, "Blocked")),
      h("div", { class: "row labels" }, labels),
      comments,
      field("Write a comment", text),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", onclick: send }, "Add comment"),
        h("button", { type: "button", onclick: archive }, "Archive card"),
        h("button", { class: "main", type: "button", onclick: close }, "Close"),
      ),
    ),
  );
  document.body.append(shade);
}

filter.addEventListener("input", draw);
async function route() {
  boardName = location.hash.split("/")[2] || "spring-launch";
  setTitle();
  await load();
  beacon(boardName);
}
addEventListener("hashchange", route);
route();
