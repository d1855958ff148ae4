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
  let timer = 0;
  let running = false;
  let again = false;

  const busy = (part) =>
    [...part.querySelectorAll("textarea, input:not([type=hidden]), select")].some(
      (field) => field === document.activeElement || (field.type !== "file" ? field.value !== (field.defaultValue ?? field.value) : field.value),
    );

  function replace(part, fresh) {
    const open = new Set([...part.querySelectorAll("details[open][id]")].map((each) => each.id));
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && (focused.id || focused.getAttribute("href") || focused.getAttribute("value"));
    fresh.querySelectorAll("details[id]").forEach((each) => { each.open = each.open || open.has(each.id); });
    const node = document.importNode(fresh, true);
    node.classList.add("fresh");
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
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { "X-Live": "1" } });
      if (answer.redirected && new URL(answer.url).pathname === "/sign-in") { location.reload(); return; }
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
        changed = true;
      }
      if (changed) announce.textContent = announce.dataset.text;
    } catch {
      // The stream of changes notices a server that is away, and says so.
    } finally {
      running = false;
      if (again) { again = false; soon(); }
    }
  }

  function soon() {
    window.clearTimeout(timer);
    timer = window.setTimeout(refresh, WAIT);
  }

  // Figures of the warehouse and time limits change without anybody doing anything; some are still being read.
  window.setInterval(() => { if (!document.hidden) soon(); }, EVERY);
  const pending = () => { if (document.querySelector("[data-pending]")) { soon(); window.setTimeout(pending, SOON); } };
  window.setTimeout(pending, SOON);

  const source = new EventSource("/events");
  let opened = false;
  source.onopen = () => {
    state.textContent = state.dataset.on;
    state.classList.add("on");
    if (opened) soon();
    opened = true;
  };
  source.onerror = () => {
    state.textContent = state.dataset.off;
    state.classList.remove("on");
    if (source.readyState === EventSource.CLOSED) soon();
  };
  source.addEventListener("change", soon);
  window.addEventListener("pagehide", () => source.close());
})();
