// The live runtime of the dashboard. Pages are complete without it; with it they change in place.
//
//   frames    {at, ops: [[operation, target, html]]} over server-sent events, applied by a morph keyed by element id,
//             which keeps focus, selection, open details, typed text and scroll
//   rows      tables do not jump: under the pointer or the focus, order and membership freeze, newcomers wait
//   clocks    <time data-since> and <time data-until> tick here, and the open bars of a timeline grow here
//   visits    links and forms load their page by fetch and morph it in; without this script they simply load it
"use strict";
(() => {
const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const hovers = matchMedia("(hover: hover)");

// -- clocks: `skew` is the database's clock minus ours --------------------------------------------------------------
let skew = Number(root.dataset.now) ? Number(root.dataset.now) - Date.now() : 0;
const now = () => Date.now() + skew;

function words(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

function tick() {
  for (const clock of document.querySelectorAll("time[data-since], time[data-until]")) {
    const { since, until } = clock.dataset;
    const text = since ? words(now() - since) : until > now() ? `in ${words(until - now())}` : "now";
    if (clock.textContent !== text) clock.textContent = text;
  }
  const span = Number(byId("timeline")?.dataset.span);
  for (const bar of document.querySelectorAll("[data-grows]")) {
    const width = Math.min((now() - bar.dataset.grows) / span * 100, 100 - parseFloat(bar.getAttribute("x")));
    bar.setAttribute("width", `${Math.max(width, 0.35).toFixed(2)}%`);
  }
}

// -- the morph ------------------------------------------------------------------------------------------------------
const KEPT = new Set(["open", "value", "checked", "selected", "data-left", "data-busy"]); // people's, not the server's
const changed = new Set();

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function place(parent, node, before) {
  if (parent.contains(node) && parent.moveBefore) parent.moveBefore(node, before); // keeps focus and scroll
  else parent.insertBefore(node, before);
}

function morph(old, fresh, whole) {
  if (old.isEqualNode(fresh) && !whole) return;
  for (const { name, value } of fresh.attributes)
    if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes])
    if (!KEPT.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  if (whole) adopt(old, fresh);
  if (!old.matches("time[data-since], time[data-until], textarea")) morphChildren(old, fresh, whole);
}

function morphChildren(old, fresh, whole) {
  const keyed = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const there = next.id ? keyed.get(next.id) : at && !at.id ? at : null;
    if (!there || there.nodeName !== next.nodeName) {
      place(old, next, at);
      changed.add(next.nodeType === 1 ? next : old);
      continue;
    }
    if (there === at) at = at.nextSibling;
    else place(old, there, at);
    if (next.nodeType === 1) morph(there, next, whole);
    else if (there.data !== next.data) {
      there.data = next.data;
      changed.add(old);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// A page that was asked for brings its own values, but not over what is being typed; menus close.
function adopt(old, fresh) {
  if (old.matches("details.menu")) old.open = fresh.hasAttribute("open");
  if (old === document.activeElement) return;
  if (old.matches("input[type=checkbox], input[type=radio]")) old.checked = fresh.checked;
  else if (old.matches("input, textarea")) old.value = fresh.value;
  else if (old.matches("select")) queueMicrotask(() => { old.value = fresh.dataset.value ?? old.value; });
}

function flash() {
  if (!calm.matches) for (const node of changed)
    node.animate?.([{ backgroundColor: "color-mix(in srgb, var(--accent) 26%, transparent)" }, {}], { duration: 120 });
  changed.clear();
}

// -- tables ---------------------------------------------------------------------------------------------------------
const tables = new Map(); // tbody -> {order, waiting}: how it should look, and rows that are not in it yet

function isFrozen(body) {
  const table = body.closest("table[data-freeze]");
  if (!table || !body.rows.length) return false;
  return hovers.matches && table.matches(":hover") || table.contains(document.activeElement);
}

function settle(body, force) {
  const { order, waiting } = tables.get(body);
  const wanted = new Set(order), button = body.closest(".table-panel")?.querySelector(".newcomers");
  for (const row of body.rows) row.toggleAttribute("data-left", !wanted.has(row.id));
  const newcomers = order.filter((id) => waiting.has(id)).length;
  const frozen = !force && isFrozen(body);
  if (button) {
    button.hidden = !(frozen && newcomers);
    button.textContent = `${newcomers} new`;
  }
  if (frozen) return;
  let at = body.firstElementChild;
  for (const id of order) {
    const row = waiting.get(id) ?? byId(id);
    if (!row) continue;
    if (row === at) at = at.nextElementSibling;
    else place(body, row, at);
    if (waiting.has(id)) changed.add(row);
  }
  while (at) {
    const gone = at;
    at = at.nextElementSibling;
    gone.remove();
  }
  waiting.clear();
}

function settleAll(force) {
  for (const body of tables.keys()) settle(body, force === true);
  tick();
  flash();
}

const operations = {
  morph(target, html) {
    const old = byId(target), fresh = parse(html).firstElementChild;
    if (old && fresh) morph(old, fresh);
  },
  rows(target, html) {
    const body = byId(target), fresh = parse(html).querySelector("tbody");
    if (!body) return;
    const order = fresh.dataset.order.split(" ").filter(Boolean);
    const waiting = tables.get(body)?.waiting ?? new Map();
    for (const row of [...fresh.rows]) {
      const there = byId(row.id);
      if (there) morph(there, row);
      else waiting.set(row.id, row);
    }
    for (const id of [...waiting.keys()]) if (!order.includes(id)) waiting.delete(id);
    tables.set(body, { order, waiting });
    settle(body);
  },
};

// -- the stream -----------------------------------------------------------------------------------------------------
let source = null, heard = 0, state = "live", paused = false, retry = 0;

function hear(at) {
  heard = at;
  skew = Math.max(skew, at - Date.now());
  state = "live";
  say();
}

function say() {
  const light = byId("live"), behind = now() - heard;
  if (!light) return;
  light.hidden = !document.body.dataset.live;
  const shown = paused ? "paused" : state === "live" && heard && behind > 3000 ? "behind" : state;
  light.dataset.state = shown;
  light.textContent = shown === "behind" ? `${(behind / 1000).toFixed(1)} s behind`
    : shown === "reconnecting" ? "reconnecting…" : shown;
}

function disconnect() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function connect() {
  disconnect();
  const address = document.body.dataset.live;
  if (address && !paused && !document.hidden) {
    const stream = source = new EventSource(address);
    stream.addEventListener("frame", (event) => {
      const { at, ops } = JSON.parse(event.data);
      for (const [operation, target, html] of ops) operations[operation](target, html);
      hear(at);
      retitle();
      tick();
      flash();
    });
    stream.addEventListener("beat", (event) => hear(Number(event.data)));
    stream.addEventListener("error", () => {
      state = "reconnecting";
      say();
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(connect, 1000); // an answer, but no stream
    });
  }
  say();
}

function retitle() {
  const about = document.querySelector("[data-title]");
  if (!about || about.dataset.title === document.title) return;
  document.title = about.dataset.title;
  if (!about.dataset.icon) return;
  byId("icon").setAttribute("href", about.dataset.icon);
  byId("announcer").textContent = `${document.querySelector("h1")?.textContent} is ${about.dataset.status}`;
}

// -- visits ---------------------------------------------------------------------------------------------------------
let visiting = null;

async function visit(address, { push = true, restore = null, ...request } = {}) {
  visiting?.abort();
  const { signal } = visiting = new AbortController();
  let answer, html;
  try {
    answer = await fetch(address, { ...request, signal, headers: { accept: "text/html" } });
    html = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!request.body) location.assign(address); // the browser shows why it cannot be had
    else byId("announcer").textContent = document.title = "The server does not answer: nothing was sent";
    return;
  }
  const page = new DOMParser().parseFromString(html, "text/html");
  const script = page.querySelector("script[src]")?.getAttribute("src");
  if (script !== document.querySelector("script[src]").getAttribute("src")) location.assign(answer.url); // a new release
  else show(page, answer.url + new URL(address, location).hash, push && (!request.body || answer.redirected), restore);
}

function show(page, address, push, restore) {
  const elsewhere = new URL(address).pathname !== location.pathname;
  history.replaceState({ scroll: scrollY }, "");
  if (push && address !== location.href) history.pushState({}, "", address);
  else if (restore === null && push !== null && !elsewhere) history.replaceState({}, "", address);
  disconnect();
  tables.clear();
  for (const select of page.querySelectorAll("select")) select.dataset.value = select.value;
  root.dataset.theme = page.documentElement.dataset.theme;
  document.title = page.title;
  byId("icon").setAttribute("href", page.getElementById("icon").getAttribute("href"));
  if (elsewhere) byId("main").replaceChildren();
  morph(document.body, page.body, true);
  changed.clear();
  if (elsewhere) byId("main").focus({ preventScroll: true });
  document.querySelector("main [aria-invalid]")?.focus();
  const anchor = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (anchor) anchor.scrollIntoView();
  else if (elsewhere || restore !== null) scrollTo(0, restore ?? 0);
  heard = 0;
  tick();
  connect();
}

function submit(form, submitter, push) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  if (form.method === "post") return visit(form.action, { method: "POST", body: fields });
  for (const [name, value] of [...fields]) if (!value) fields.delete(name);
  const query = fields.toString();
  return visit(form.action.split("?")[0] + (query ? `?${query}` : ""), { push });
}

addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  try {
    await submit(form, event.submitter, true);
  } finally {
    delete form.dataset.busy;
  }
});

let typed = 0;
addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-live-form]");
  if (!form) return;
  clearTimeout(typed);
  typed = setTimeout(() => submit(form, null, target.matches("select")), target.matches("select") ? 0 : 200);
});

addEventListener("click", async (event) => {
  const { target } = event, link = target.closest("a[href]"), copy = target.closest("[data-copy]");
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  if (target.closest("#live")) {
    paused = !paused;
    connect();
  } else if (target.closest(".newcomers")) {
    settleAll(true);
  } else if (copy) {
    await navigator.clipboard?.writeText(byId(copy.dataset.copy).textContent);
    copy.textContent = navigator.clipboard ? "copied" : "not allowed here";
  } else if (link && link.origin === location.origin && !link.target && !link.hasAttribute("download")) {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const inPage = link.hash && link.href.split("#")[0] === location.href.split("#")[0];
    if (!plain || inPage || link.pathname.includes("/api/")) return;
    event.preventDefault();
    visit(link.href);
  }
});

addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

const later = () => setTimeout(settleAll, 250);
addEventListener("pointerout", (event) => event.target.closest?.("table[data-freeze]") && later());
addEventListener("focusout", later);
addEventListener("popstate", (event) => visit(location.href, { push: null, restore: event.state?.scroll ?? 0 }));
addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => event.persisted && connect());
history.scrollRestoration = "manual";
root.dataset.js = "yes";
setInterval(() => { tick(); say(); }, 100);
connect();
})();
