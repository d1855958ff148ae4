// Keeps a page as it is on the server without a reload: the server says that something changed, the page
// fetches itself and replaces the parts marked data-live that differ. Without this script everything still works.
"use strict";

(() => {
  const state = document.getElementById("live-state");
  const announce = document.getElementById("announce");
  if (!state || !window.EventSource) return;
  const WAIT = 250;
  const SOON = 1500;
  const EVERY = 30000;
  // A burst changes things all the time: then a page fetches itself no sooner than this after the last time,
  // and leaves a server that is slow many times as long in peace as it took to answer.
  const PAUSE = 1500;
  const PEACE = 10;
  const RETRY = 3000;
  const own = document.querySelector("[data-case]");
  let timer = 0;
  let next = 0;
  let running = false;
  let again = false;

  const busy = (part) =>
    [...part.querySelectorAll("textarea, input:not([type=hidden]), select")].some(
      (field) => field === document.activeElement || (field.type !== "file" ? field.value !== (field.defaultValue ?? field.value) : field.value),
    );

  // Whether anything was typed on this page that is not sent yet: no reload may take it away.
  const typed = () => [...document.querySelectorAll("main textarea, main input:not([type=hidden]):not([type=radio])")].some(
    (field) => field.type === "file" ? field.value : field.value !== field.defaultValue,
  );

  function replace(part, fresh) {
    const open = new Set([...part.querySelectorAll("details[open][id]")].map((each) => each.id));
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && (focused.id || focused.getAttribute("href") || focused.getAttribute("value"));
    fresh.querySelectorAll("details[id]").forEach((each) => { each.open = each.open || open.has(each.id); });
    const node = document.importNode(fresh, true);
    if (!("quiet" in node.dataset)) node.classList.add("fresh");
    part.replaceWith(node);
    if (key) {
      const same = [...node.querySelectorAll("a, button, input, summary")].find(
        (each) => key === (each.id || each.getAttribute("href") || each.getAttribute("value")),
      );
      if (same) same.focus({ preventScroll: true });
    }
  }

  async function refresh() {
    if (running) { again = true; return; }
    running = true;
    const begun = performance.now();
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { "X-Live": "1" } });
      if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
        if (typed()) ended(); else location.reload();
        return;
      }
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      let changed = false;
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(part.id);
        const before = part.cloneNode(true);
        before.classList.remove("fresh");
        if (!before.getAttribute("class")) before.removeAttribute("class");
        before.querySelectorAll("details[id]").forEach((each) => { each.open = false; });
        if (!fresh || before.outerHTML === fresh.outerHTML || busy(part)) continue;
        replace(part, fresh);
        changed = changed || !("quiet" in fresh.dataset);
      }
      if (changed) announce.textContent = announce.dataset.text;
    } catch {
      // The stream of changes notices a server that is away, and says so.
    } finally {
      running = false;
      const now = performance.now();
      next = now + Math.max(PAUSE, PEACE * (now - begun));
      if (again) { again = false; soon(); }
    }
  }

  function soon() {
    if (timer) return;
    timer = window.setTimeout(() => { timer = 0; refresh(); }, Math.max(WAIT, next - performance.now()));
  }

  // What was typed stays; sent from here, it is kept through the sign-in.
  function ended() {
    state.textContent = state.dataset.ended;
    state.classList.remove("on");
    announce.textContent = state.dataset.ended;
    over = true;
    source.close();
  }

  function heard(event) {
    const said = JSON.parse(event.data);
    if (own && !said.more && !said.cases.includes(Number(own.dataset.case))) return;
    soon();
  }

  // Figures of the warehouse and time limits change without anybody doing anything; some are still being read.
  window.setInterval(() => { if (!document.hidden) soon(); }, EVERY);
  const pending = () => { if (document.querySelector("[data-pending]")) { soon(); window.setTimeout(pending, SOON); } };
  window.setTimeout(pending, SOON);

  // A browser tries again by itself where nobody answers, not where a refusal came, as from a proxy whose console
  // is away: then this does.
  let source = null;
  let opened = false;
  let over = false;
  function connect() {
    source = new EventSource("/events");
    source.onopen = () => {
      state.textContent = state.dataset.on;
      state.classList.add("on");
      if (opened) soon();
      opened = true;
    };
    source.onerror = () => {
      if (over) return;
      state.textContent = state.dataset.off;
      state.classList.remove("on");
      if (source.readyState !== EventSource.CLOSED) return;
      soon();
      window.setTimeout(() => { if (!over) connect(); }, RETRY * (1 + Math.random()));
    };
    source.addEventListener("change", heard);
  }
  connect();
  window.addEventListener("pagehide", () => source.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted && !over) { connect(); soon(); } });
})();
