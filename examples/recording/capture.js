// Observes trusted input events of a page in the capture phase and hands each to the recorder.
// Loaded before every document; `__record` is the binding that the recorder exposes.
(() => {
  "use strict";
  const MOVE_MS = 30;
  const SCROLL_MS = 60;
  const MAX_TEXT = 200;
  const POINT_TYPES = [
    "mousedown", "mouseup", "mousemove", "click", "dblclick", "auxclick", "contextmenu", "wheel",
    "dragstart", "drop", "dragend",
  ];
  const KEY_TYPES = ["keydown", "keyup"];
  const TOUCH_TYPES = ["touchstart", "touchmove", "touchend", "touchcancel"];
  const OTHER_TYPES = [
    "input", "paste", "compositionstart", "compositionend", "focus", "blur", "change", "submit",
    "scroll",
  ];
  const ROLES = {
    A: "link", BUTTON: "button", SELECT: "combobox", TEXTAREA: "textbox", OPTION: "option",
    LI: "listitem", UL: "list", NAV: "navigation", MAIN: "main", HEADER: "banner", FORM: "form",
    H1: "heading", H2: "heading", H3: "heading", IMG: "img", ARTICLE: "article", SECTION: "region",
  };
  const INPUT_ROLES = {
    checkbox: "checkbox", radio: "radio", range: "slider", number: "spinbutton",
    search: "searchbox", submit: "button", button: "button",
  };
  const INTERACTIVE =
    "a,button,input,select,textarea,option,label,[role=button],[role=menuitem],[role=option]," +
    "[role=radio],[role=slider],[role=img],[draggable=true],li[aria-label],summary";

  const clip = (text) => (text || "").replace(/\s+/g, " ").trim().slice(0, MAX_TEXT);
  const round = (number) => Math.round(number * 10) / 10;

  function roleOf(element) {
    if (element.getAttribute("role")) return element.getAttribute("role");
    if (element.tagName === "INPUT") return INPUT_ROLES[element.type] || "textbox";
    return ROLES[element.tagName] || null;
  }

  function labelOf(element) {
    return element.labels && element.labels.length ? clip(element.labels[0].textContent) : null;
  }

  /** The accessible name, as far as these simple pages need it. */
  function nameOf(element) {
    const given = element.getAttribute("aria-label") || labelOf(element);
    if (given) return clip(given);
    if (element.matches("a,button,option,h1,h2,h3,label,[role],[draggable=true]")) {
      if (!element.matches("[role=list],[role=dialog],[role=search]")) {
        return clip(element.textContent);
      }
    }
    return clip(element.alt || element.title || element.placeholder) || null;
  }

  function boundsOf(element) {
    const box = element.getBoundingClientRect();
    return [round(box.x), round(box.y), round(box.width), round(box.height)];
  }

  function selectorOf(element) {
    const path = [];
    for (let node = element; node && node.nodeType === 1; node = node.parentElement) {
      if (node.id) {
        path.unshift("#" + CSS.escape(node.id));
        break;
      }
      let step = node.tagName.toLowerCase();
      const same = node.parentElement
        ? [...node.parentElement.children].filter((other) => other.tagName === node.tagName)
        : [];
      if (same.length > 1) step += `:nth-of-type(${same.indexOf(node) + 1})`;
      path.unshift(step);
    }
    return path.join(" > ");
  }

  function describe(element) {
    const text = element.matches("input,textarea,select") ? null : clip(element.innerText);
    const all = {
      tag: element.tagName.toLowerCase(),
      id: element.id || null,
      role: roleOf(element),
      name: nameOf(element),
      label: labelOf(element),
      text: text || null,
      input_type: element.tagName === "INPUT" ? element.type : null,
      autocomplete: element.getAttribute("autocomplete"),
      selector: selectorOf(element),
      bounds: boundsOf(element),
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
  }

  /** The whole value of a field; what a password field holds is never read. */
  function valueOf(element) {
    if (element.type === "password") return undefined;
    if (element.type === "checkbox" || element.type === "radio") return element.checked;
    return typeof element.value === "string" ? element.value : undefined;
  }

  function base(type, timestamp) {
    return {
      type,
      timestamp: performance.timeOrigin + timestamp,
      url: location.href,
      window: document.title,
      viewport: {
        width: innerWidth,
        height: innerHeight,
        device_pixel_ratio: devicePixelRatio,
      },
    };
  }

  const send = (record) => window.__record(JSON.stringify(record));
  const last = { mousemove: -1e9, touchmove: -1e9, scroll: -1e9 };

  function observe(event) {
    if (!event.isTrusted) return;
    const type = event.type;
    const gap = type === "scroll" ? SCROLL_MS : MOVE_MS;
    if (type === "mousemove" || type === "touchmove" || type === "scroll") {
      if (event.timeStamp - last[type] < gap) return;
      last[type] = event.timeStamp;
    }
    const record = base(type, event.timeStamp);
    const info = {};
    let element = event.target instanceof Element ? event.target : null;
    if ((type === "focus" || type === "blur") && !element) return;
    if (POINT_TYPES.includes(type)) {
      Object.assign(record, { x: round(event.clientX), y: round(event.clientY) });
      if (type !== "mousemove") Object.assign(record, { button: event.button });
      record.buttons = event.buttons;
      if (element) element = element.closest(INTERACTIVE) || element;
      if (event.pointerType) info.pointer_type = event.pointerType;
      if (event.sourceCapabilities?.firesTouchEvents) info.from_touch = true;
      if (event.detail > 1) info.click_count = event.detail;
    }
    if (type === "wheel") Object.assign(record, { delta_x: event.deltaX, delta_y: event.deltaY });
    if (KEY_TYPES.includes(type)) {
      Object.assign(record, { key: event.key, code: event.code });
      if (event.repeat) info.repeat = true;
    }
    if (POINT_TYPES.includes(type) || KEY_TYPES.includes(type)) {
      record.modifiers = ["Control", "Shift", "Alt", "Meta"].filter((name) =>
        event.getModifierState(name),
      );
    }
    if (TOUCH_TYPES.includes(type)) {
      record.touches = [...event.touches].map((touch) => ({
        id: touch.identifier,
        x: round(touch.clientX),
        y: round(touch.clientY),
      }));
      const point = event.touches[0] || event.changedTouches[0];
      if (point) Object.assign(record, { x: round(point.clientX), y: round(point.clientY) });
      if (element) element = element.closest(INTERACTIVE) || element;
    }
    if (type === "input" || type === "change") {
      const value = valueOf(element);
      if (value !== undefined) record.value = value;
      if (event.data && element.type !== "password") record.text = event.data;
      if (element.tagName === "SELECT") record.text = clip(element.selectedOptions[0]?.textContent);
      if (event.inputType) info.input_type = event.inputType;
      if (event.isComposing) info.is_composing = true;
    }
    if (type === "paste") record.text = event.clipboardData?.getData("text/plain");
    if (type.startsWith("composition")) record.text = event.data;
    if (type === "scroll") {
      const scroller = element || document.scrollingElement;
      info.scroll_left = round(scroller.scrollLeft);
      info.scroll_top = round(scroller.scrollTop);
    }
    // Moves come in crowds and need no description of what lies beneath.
    if (element && type !== "mousemove" && type !== "touchmove") record.target = describe(element);
    if (Object.keys(info).length) record.additional_info = info;
    send(record);
  }

  for (const type of [...POINT_TYPES, ...KEY_TYPES, ...TOUCH_TYPES, ...OTHER_TYPES]) {
    window.addEventListener(type, observe, { capture: true, passive: true });
  }

  function navigated() {
    send(base("navigation", performance.now()));
  }
  document.addEventListener("DOMContentLoaded", navigated);
  // The pages set their titles after the request that a change of hash starts.
  window.addEventListener("hashchange", () => setTimeout(navigated, 120));

  /** A tree of what is visible, for the DOM snapshots, without what password fields hold. */
  window.__snapshot = () => {
    const skip = new Set(["SCRIPT", "STYLE", "LINK", "META", "TITLE", "HEAD", "NOSCRIPT"]);
    const walk = (element) => {
      if (skip.has(element.tagName)) return null;
      const style = getComputedStyle(element);
      if (style.display === "none" || style.visibility === "hidden") return null;
      const inner = element.tagName === "svg" ? [] : [...element.children];
      const children = inner.map(walk).filter(Boolean);
      const own = [...element.childNodes]
        .filter((node) => node.nodeType === 3)
        .map((node) => node.data)
        .join(" ");
      const node = { tag: element.tagName.toLowerCase() };
      if (element.id) node.id = element.id;
      const role = roleOf(element);
      if (role) node.role = role;
      const name = nameOf(element);
      if (name) node.name = name;
      const text = element.matches("textarea,option") ? "" : clip(own);
      if (text) node.text = text;
      if (element.matches("input,textarea,select")) {
        const value = valueOf(element);
        if (value !== undefined && value !== "") node.value = value;
        if (element.tagName === "INPUT") node.input_type = element.type;
      }
      if (element === document.activeElement && element !== document.body) node.focused = true;
      node.bounds = boundsOf(element);
      if (children.length) node.children = children;
      return node;
    };
    return walk(document.body);
  };
})();
