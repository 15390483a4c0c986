// Orchard Lane: product list, product page, basket and checkout of a small grocery shop.
"use strict";
const view = document.getElementById("view");
const filters = { q: "", sort: "popular", max: 12, organic: false };
const SORTINGS = { popular: "Most popular", cheap: "Price: low to high", dear: "Price: high to low", name: "Name" };
const money = (number) => number.toFixed(2);
const setTitle = (text) => (document.title = `${text} – Orchard Lane`);

function picture(product, scale = 1) {
  const box = h("div", { class: "picture", role: "img", "aria-label": `Picture of ${product.name}` });
  const hue = product.hue;
  box.style.background = `hsl(${hue} 60% 90%)`;
  box.innerHTML =
    `<svg viewBox="0 0 60 60" width="${64 * scale}" height="${64 * scale}">` +
    `<circle cx="30" cy="32" r="20" fill="hsl(${hue} 55% 55%)"/>` +
    `<circle cx="23" cy="25" r="6" fill="hsl(${hue} 70% 80%)"/>` +
    `<path d="M30 12 q4 -8 12 -6 q-3 8 -12 6" fill="#4b8f55"/></svg>`;
  return box;
}

function drawBasketLink(basket) {
  document.getElementById("basket-link").textContent = `Basket (${basket.pieces})`;
}

async function add(product, quantity) {
  const body = { id: product.id, product: product.name, quantity };
  drawBasketLink(await api("POST", "/api/basket", body));
  toast(`${quantity} × ${product.name} added to the basket`);
}

async function favour(product) {
  await api("POST", "/api/favourites", { id: product.id, product: product.name });
  toast(`${product.name} is a favourite now`);
}

/** The quick menu that a long press on a product opens. */
function openMenu(product) {
  document.querySelector(".menu")?.remove();
  const item = (label, act) =>
    h(
      "button",
      {
        type: "button",
        role: "menuitem",
        onclick: async () => {
          menu.remove();
          await act?.();
        },
      },
      label,
    );
  const menu = h(
    "div",
    { class: "menu", role: "menu", "aria-label": product.name },
    h("div", { class: "muted" }, product.name),
    item("Add to basket", () => add(product, 1)),
    item("Add to favourites", () => favour(product)),
    item("Close"),
  );
  document.body.append(menu);
}

function card(product) {
  let held = 0;
  const release = () => clearTimeout(held);
  return h(
    "li",
    {
      class: "product",
      "aria-label": product.name,
      // A finger that rests for half a second opens the menu, as does the right mouse button.
      ontouchstart: () => (held = setTimeout(() => openMenu(product), 550)),
      ontouchmove: release,
      ontouchend: release,
      oncontextmenu: (event) => {
        event.preventDefault();
        openMenu(product);
      },
    },
    picture(product),
    h("a", { href: "#/product/" + product.id }, product.name),
    h("div", { class: "muted" }, `${product.unit} · ${money(product.price)}`),
    product.organic ? h("span", { class: "badge" }, "organic") : h("span", {}, "\u00a0"),
    h(
      "button",
      { type: "button", "aria-label": `Add ${product.name} to basket`, onclick: () => add(product, 1) },
      "Add to basket",
    ),
  );
}

async function drawProducts() {
  const grid = h("ul", { class: "grid", "aria-label": "Products" });
  const heading = h("h1", {});
  const load = async () => {
    const query = new URLSearchParams({ q: filters.q, sort: filters.sort, max: filters.max, organic: filters.organic });
    const { products } = await api("GET", "/api/products?" + query);
    const title = filters.q ? `Results for “${filters.q}”` : "All products";
    heading.textContent = `${title} (${products.length})`;
    setTitle(title);
    grid.replaceChildren(...products.map(card));
  };
  const sort = h(
    "select",
    { name: "sort", onchange: () => ((filters.sort = sort.value), load()) },
    Object.entries(SORTINGS).map(([value, label]) =>
      h("option", { value, selected: value === filters.sort }, label),
    ),
  );
  const shown = h("output", {}, ` ${filters.max}`);
  const price = h("input", {
    type: "range", name: "max_price", min: 2, max: 12, step: 1, value: filters.max,
    oninput: () => (shown.textContent = ` ${price.value}`),
    onchange: () => ((filters.max = Number(price.value)), load()),
  });
  const organic = h("input", {
    type: "checkbox", id: "organic", checked: filters.organic,
    onchange: () => ((filters.organic = organic.checked), load()),
  });
  await load();
  const priceField = field("Highest price", price);
  priceField.append(shown);
  view.replaceChildren(
    heading,
    h(
      "div",
      { class: "filters" },
      field("Sort by", sort),
      priceField,
      h("div", { class: "check" }, organic, h("label", { for: "organic" }, "Organic only")),
    ),
    grid,
  );
}

/** Two fingers zoom the picture; one finger shows the next or the previous product. */
function makeTouchable(box, product) {
  const svg = box.querySelector("svg");
  const distance = (touches) =>
    Math.hypot(touches[0].clientX - touches[1].clientX, touches[0].clientY - touches[1].clientY);
  let from = null;
  let zoom = 1;
  box.addEventListener("touchstart", (event) => {
    const { touches } = event;
    from = touches.length > 1 ? { apart: distance(touches), zoom } : { x: touches[0].clientX };
  });
  box.addEventListener("touchmove", (event) => {
    if (event.touches.length < 2 || !from?.apart) return;
    zoom = Math.min(3, Math.max(0.5, (from.zoom * distance(event.touches)) / from.apart));
    svg.style.transform = `scale(${zoom})`;
  });
  box.addEventListener("touchend", (event) => {
    const moved = from && "x" in from ? event.changedTouches[0].clientX - from.x : 0;
    from = null;
    if (Math.abs(moved) > 60) location.hash = "#/product/" + Math.max(1, product.id - Math.sign(moved));
  });
}

async function drawProduct(number) {
  const product = await api("GET", "/api/products/" + number);
  setTitle(product.name);
  const quantity = h("input", { type: "number", name: "quantity", min: 1, max: 20, value: 1 });
  const image = picture(product, 2.6);
  makeTouchable(image, product);
  const stars = [1, 2, 3, 4, 5].map((count) =>
    h(
      "span",
      {
        role: "radio",
        tabindex: 0,
        "aria-label": count === 1 ? "1 star" : `${count} stars`,
        "aria-checked": String(product.stars === count),
        onclick: async () => {
          await api("POST", "/api/ratings", { id: product.id, product: product.name, stars: count });
          drawProduct(number);
          toast("Thank you for rating");
        },
      },
      count <= product.stars ? "★" : "☆",
    ),
  );
  view.replaceChildren(
    h("p", {}, h("a", { href: "#/products" }, "‹ All products")),
    h(
      "div",
      { class: "detail" },
      image,
      h(
        "div",
        { class: "grow" },
        h("h1", {}, product.name),
        h("p", { class: "muted" }, `${product.unit} · ${money(product.price)}${product.organic ? " · organic" : ""}`),
        field("Quantity", quantity),
        h(
          "div",
          { class: "row" },
          h(
            "button",
            { class: "main", type: "button", onclick: () => add(product, Number(quantity.value)) },
            "Add to basket",
          ),
          h("button", { type: "button", onclick: () => favour(product) }, "Add to favourites"),
        ),
        h("div", { class: "stars", role: "radiogroup", "aria-label": "Your rating" }, stars),
      ),
    ),
  );
}

async function drawBasket() {
  const basket = await api("GET", "/api/basket");
  drawBasketLink(basket);
  setTitle(`Basket (${basket.pieces})`);
  const line = (item) =>
    h(
      "div",
      { class: "line" },
      h("strong", { class: "grow" }, item.name),
      h("span", { class: "muted" }, money(item.price)),
      h("input", {
        type: "number", min: 1, max: 20, value: item.quantity, "aria-label": `Quantity of ${item.name}`,
        onchange: async (event) => {
          await api("PATCH", "/api/basket/" + item.id, { product: item.name, quantity: Number(event.target.value) });
          drawBasket();
        },
      }),
      h(
        "button",
        {
          type: "button",
          "aria-label": `Remove ${item.name}`,
          onclick: async () => {
            await api("DELETE", "/api/basket/" + item.id);
            drawBasket();
            toast(`${item.name} removed`);
          },
        },
        "Remove",
      ),
    );
  const code = h("input", { name: "voucher", autocomplete: "off", value: basket.voucher || "" });
  const problem = h("p", { class: "problem", role: "alert" });
  const redeem = async (event) => {
    event.preventDefault();
    try {
      await api("POST", "/api/voucher", { code: code.value });
      await drawBasket();
      toast("Voucher applied");
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  view.replaceChildren(
    h("h1", {}, "Your basket"),
    h(
      "div",
      { class: "sheet" },
      basket.lines.length ? basket.lines.map(line) : h("p", { class: "muted" }, "The basket is empty."),
      h("p", {}, h("strong", {}, `Total ${money(basket.total)}`)),
    ),
    h(
      "form",
      { class: "sheet", onsubmit: redeem },
      field("Voucher code", code),
      problem,
      h("button", { type: "submit" }, "Apply voucher"),
    ),
    h(
      "div",
      { class: "row" },
      h("button", { class: "main", type: "button", onclick: () => (location.hash = "#/checkout") }, "Go to checkout"),
      h("button", { type: "button", onclick: () => (location.hash = "#/products") }, "Continue shopping"),
    ),
  );
}

async function drawCheckout() {
  const basket = await api("GET", "/api/basket");
  setTitle("Checkout");
  const name = h("input", { name: "full_name", autocomplete: "name" });
  const phone = h("input", { name: "phone", type: "tel", autocomplete: "tel" });
  const address = h("input", { name: "address", autocomplete: "street-address" });
  const slot = h(
    "select",
    { name: "slot" },
    ["Any time", "Morning (8–12)", "Afternoon (12–17)", "Evening (17–21)"].map((label) => h("option", {}, label)),
  );
  const door = h("input", { type: "checkbox", id: "door" });
  const order = async (event) => {
    event.preventDefault();
    const answer = await api("POST", "/api/orders", {
      full_name: name.value,
      phone: phone.value,
      address: address.value,
      delivery_slot: slot.value,
      leave_at_door: door.checked,
    });
    setTitle("Thank you");
    drawBasketLink({ pieces: 0 });
    view.replaceChildren(
      h(
        "div",
        { class: "sheet" },
        h("h1", {}, `Thank you, ${name.value}`),
        h("p", {}, `Order ${answer.order} · ${money(answer.total)} · ${address.value}`),
        h("p", {}, h("a", { href: "#/products" }, "Back to the shop")),
      ),
    );
  };
  view.replaceChildren(
    h("h1", {}, "Checkout"),
    h(
      "form",
      { class: "sheet", onsubmit: order },
      h(
        "div",
        { class: "columns" },
        field("Full name", name),
        field("Phone", phone),
        field("Delivery address", address),
        field("Delivery time", slot),
      ),
      h("div", { class: "check" }, door, h("label", { for: "door" }, "Leave at the door")),
      h("p", {}, h("strong", {}, `Total ${money(basket.total)}`)),
      h("button", { class: "main", type: "submit" }, "Place order"),
    ),
  );
}

async function route() {
  const [, name = "products", argument] = (location.hash || "#/products").split("/");
  if (name === "product") await drawProduct(argument);
  else if (name === "basket") await drawBasket();
  else if (name === "checkout") await drawCheckout();
  else await drawProducts();
  beacon(name);
}

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  filters.q = document.getElementById("query").value;
  if (location.hash.startsWith("#/products") || !location.hash) drawProducts();
  else location.hash = "#/products";
});
addEventListener("hashchange", route);
(async () => {
  drawBasketLink(await api("GET", "/api/basket"));
  route();
})();
