// The live runtime of the dashboard. Pages are complete without it; with it they change in place.
//
//   morph    brings an element up to date, keyed by id: focus, selection, open details, typed text and scroll stay
//   tables   do not jump: under the pointer or the focus, order and membership freeze, and newcomers wait
//   stream   server-sent events, {at, ops: [[operation, target, html]]}; after a reconnect a snapshot comes first
//   clocks   <time data-since> and <time data-until> tick here, and the open bars of a timeline grow here
//   visits   links and forms load their page by fetch and morph it in; without this script they simply load it
const root = document.documentElement;
const byId = (id) => document.getElementById(id), all = (selector) => document.querySelectorAll(selector);

// -- morph ----------------------------------------------------------------------------------------------------------
const PEOPLES = new Set(["open", "value", "checked", "selected", "data-left", "data-busy"]); // not the server's
const TICKING = "time[data-since], time[data-until]";
const changed = new Set();

const parse = (html) => Object.assign(document.createElement("template"), { innerHTML: html }).content;

function place(parent, node, before) {
  if (parent.contains(node) && parent.moveBefore) parent.moveBefore(node, before); // keeps focus and scroll
  else parent.insertBefore(node, before);
}

function cutFrom(node) {
  while (node?.nextSibling) node.nextSibling.remove();
  node?.remove();
}

// `whole` is set for a page that was asked for: it brings its own values, but not over what is being typed.
function morph(old, fresh, whole) {
  if (!whole && old.isEqualNode(fresh)) return;
  for (const { name, value } of fresh.attributes)
    if (!PEOPLES.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes])
    if (!PEOPLES.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  if (whole && old.matches("details.menu")) old.open = fresh.hasAttribute("open");
  if (whole && old !== document.activeElement && old.matches("input, textarea, select")) {
    old.checked = fresh.checked;
    if (old.matches("select")) queueMicrotask(() => { old.value = fresh.dataset.value; }); // its options come after it
    else old.value = fresh.value;
  }
  if (!old.matches(`${TICKING}, textarea`)) morphChildren(old, fresh, whole);
}

function morphChildren(old, fresh, whole) {
  const keyed = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const there = next.id ? keyed.get(next.id) : at && !at.id ? at : null;
    if (there?.nodeName !== next.nodeName) {
      place(old, next, at);
      changed.add(next.nodeType === Node.ELEMENT_NODE ? next : old);
      continue;
    }
    if (there === at) at = at.nextSibling;
    else place(old, there, at);
    if (next.nodeType === Node.ELEMENT_NODE) morph(there, next, whole);
    else if (there.data !== next.data) {
      there.data = next.data;
      changed.add(old);
    }
  }
  cutFrom(at);
}

function flash() {
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) for (const node of changed)
    node.animate?.([{ backgroundColor: "color-mix(in srgb, var(--accent) 26%, transparent)" }, {}], { duration: 120 });
  changed.clear();
}

// -- tables ---------------------------------------------------------------------------------------------------------
const tables = new Map(); // tbody -> {order, waiting}: how it should be, and rows that are not in it yet

function isFrozen(body) {
  const table = body.rows.length && body.closest("table[data-freeze]"), hovers = matchMedia("(hover: hover)").matches;
  return table && (hovers && table.matches(":hover") || table.contains(document.activeElement));
}

function settle(body, force) {
  const { order, waiting } = tables.get(body), wanted = new Set(order);
  for (const row of body.rows) row.toggleAttribute("data-left", !wanted.has(row.id));
  const frozen = !force && isFrozen(body), button = body.closest(".table-panel")?.querySelector(".newcomers") ?? {};
  button.hidden = !(frozen && waiting.size);
  button.textContent = `${waiting.size} new`;
  if (frozen) return;
  let at = body.firstElementChild;
  for (const id of order) {
    const row = waiting.get(id) ?? byId(id);
    if (waiting.has(id)) changed.add(row);
    if (row === at) at = at?.nextElementSibling;
    else if (row) place(body, row, at);
  }
  cutFrom(at);
  waiting.clear();
}

function settleAll(force) {
  for (const body of tables.keys()) settle(body, force);
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
    const order = fresh.dataset.order.split(" ").filter(Boolean), waiting = tables.get(body)?.waiting ?? new Map();
    for (const row of [...fresh.rows]) {
      if (byId(row.id)) morph(byId(row.id), row);
      else waiting.set(row.id, row);
    }
    for (const id of [...waiting.keys()]) if (!order.includes(id)) waiting.delete(id);
    tables.set(body, { order, waiting });
  },
};

// -- stream ---------------------------------------------------------------------------------------------------------
let source = null, heard = 0, state = "live", paused = false, retry = 0;

function connect() {
  disconnect();
  const address = document.body.dataset.live;
  if (address && !paused && !document.hidden) {
    const stream = source = new EventSource(address);
    stream.addEventListener("frame", ({ data }) => {
      const { at, ops } = JSON.parse(data);
      for (const [operation, target, html] of ops) operations[operation](target, html);
      hear(at);
      retitle();
      settleAll(false);
    });
    stream.addEventListener("beat", ({ data }) => hear(Number(data)));
    stream.addEventListener("error", async () => {
      state = "reconnecting";
      say();
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      const answer = await fetch(address, { method: "HEAD" }).catch(() => null); // what was it, if no stream?
      if (stream !== source) return;
      if (answer?.status === 401) state = "login";
      else retry = setTimeout(connect, 1000);
      say();
    });
  }
  say();
}

function disconnect() {
  clearTimeout(retry);
  source = source?.close(); // nothing
}

function hear(at) {
  [heard, skew, state] = [at, Math.max(skew, at - Date.now()), "live"];
  say();
}

function say() {
  const light = byId("live"), behind = now() - heard;
  light.hidden = !document.body.dataset.live || state === "login";
  byId("login").hidden = state !== "login";
  light.dataset.state = paused ? "paused" : state === "live" && heard && behind > 1500 ? "behind" : state;
  const told = { behind: `${(behind / 1000).toFixed(1)} s behind`, reconnecting: "reconnecting…" };
  light.textContent = told[light.dataset.state] ?? light.dataset.state;
}

function retitle() {
  const about = document.querySelector("[data-title]");
  if (!about || about.dataset.title === document.title) return;
  document.title = about.dataset.title;
  if (!about.dataset.icon) return; // a list
  byId("icon").setAttribute("href", about.dataset.icon);
  byId("announcer").textContent = `${document.querySelector("h1").textContent} is ${about.dataset.status}`;
}

// -- clocks: `skew` is the database's clock minus ours --------------------------------------------------------------
let skew = Number(root.dataset.now) ? Number(root.dataset.now) - Date.now() : 0;
const now = () => Date.now() + skew;

function words(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), [min, h, d] = [60, 3600, 86400].map((unit) => Math.floor(s / unit));
  if (min < 60) return min ? `${min} min ${s % 60} s` : `${s} s`;
  return d ? `${d} d ${h % 24} h` : `${h} h ${min % 60} min`;
}

function tick() {
  for (const clock of all(TICKING)) {
    const { since, until } = clock.dataset;
    const text = since ? words(now() - since) : until > now() ? `in ${words(until - now())}` : "now";
    if (clock.textContent !== text) clock.textContent = text;
  }
  const span = Number(byId("timeline")?.dataset.span);
  for (const bar of all("[data-grows]")) {
    const width = Math.min((now() - bar.dataset.grows) / span * 100, 100 - parseFloat(bar.getAttribute("x")));
    bar.setAttribute("width", `${Math.max(width, 0.35).toFixed(2)}%`);
  }
}

// -- visits ---------------------------------------------------------------------------------------------------------
let visiting = null, typed = 0;

// `push`: true adds to the history, false replaces, null leaves it (a step back); `scroll` is where to go there.
async function visit(address, { push = true, scroll = null, ...request } = {}) {
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
  const [ours, theirs] = [document, page].map((one) => one.querySelector("script[src]")?.getAttribute("src"));
  if (request.body && !answer.redirected) push = null; // the form again, with what is wrong
  if (ours !== theirs) location.assign(answer.url); // another release, or no page
  else show(page, answer.url + new URL(address, location).hash, push, scroll);
}

function show(page, address, push, scroll) {
  const elsewhere = new URL(address).pathname !== location.pathname;
  if (push) history.replaceState({ scroll: scrollY }, "");
  if (push && address !== location.href) history.pushState({}, "", address);
  else if (push === false) history.replaceState({}, "", address);
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
  else if (elsewhere || scroll !== null) scrollTo(0, scroll ?? 0);
  heard = 0;
  connect();
}

function submit(form, submitter, push) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  if (form.method === "post") return visit(form.action, { method: "POST", body: fields });
  for (const [name, value] of [...fields]) if (!value) fields.delete(name);
  return visit(`${form.action.split("?")[0]}?${fields}`.replace(/\?$/, ""), { push });
}

addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.dataset.busy) return; // once is enough
  form.dataset.busy = "yes";
  await submit(form, event.submitter, true).finally(() => delete form.dataset.busy);
});

addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-live-form]"), chosen = target.matches("select");
  clearTimeout(typed);
  if (form) typed = setTimeout(() => submit(form, null, chosen), chosen ? 0 : 200);
});

addEventListener("click", async (event) => {
  const { target } = event, link = target.closest("a[href]"), copy = target.closest("[data-copy]");
  closeMenus(target);
  if (target.closest("#live")) {
    paused = !paused;
    connect();
  } else if (target.closest(".newcomers")) {
    settleAll(true);
  } else if (copy) {
    await navigator.clipboard?.writeText(byId(copy.dataset.copy).textContent);
    copy.textContent = navigator.clipboard ? "copied" : "not allowed here";
  } else if (link?.origin === location.origin && !link.pathname.includes("/api/")) {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const within = link.hash && link.href.split("#")[0] === location.href.split("#")[0];
    if (!plain || within) return;
    event.preventDefault();
    visit(link.href);
  }
});

const closeMenus = (but) => { for (const menu of all("details.menu[open]")) if (!menu.contains(but)) menu.open = false; };
addEventListener("keydown", ({ key }) => key === "Escape" && closeMenus(null));

const later = () => setTimeout(settleAll, 250, false);
addEventListener("pointerout", ({ target }) => target.closest?.("table[data-freeze]") && later());
addEventListener("focusout", later);
addEventListener("popstate", ({ state: left }) => visit(location.href, { push: null, scroll: left?.scroll ?? 0 }));
addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
[history.scrollRestoration, root.dataset.js] = ["manual", "yes"];
setInterval(() => { tick(); say(); }, 100);
connect();
