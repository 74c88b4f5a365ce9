// What pages do beyond what their HTML does: times in the viewer's zone, light and dark, charts, parts that
// renew themselves, questions before what cannot be undone, keys. No page needs it to be read.
"use strict";
(() => {
  const root = document.documentElement;
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
  const full = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "2-digit" });
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  const ago = (date) => {
    const seconds = (date - Date.now()) / 1000;
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= 2 * length) ?? ["second", 1];
    return relative.format(Math.round(seconds / size), unit);
  };
  let printing = false; // on paper, how long ago it was says nothing
  const tellTimes = (within) => {
    for (const time of within.querySelectorAll("time[datetime]")) {
      const date = new Date(time.dateTime);
      if (Number.isNaN(date.getTime())) continue;
      const written = full.format(date);
      const near = Math.abs(date - Date.now()) < 14 * 86400e3;
      time.textContent = time.dataset.style !== "ago" || printing ? written : near ? ago(date) : day.format(date);
      time.title = `${written} (${Intl.DateTimeFormat().resolvedOptions().timeZone}), ${time.dateTime}`;
    }
  };

  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const drawn = new Map();
  const loaded = () => new Promise((resolve) => {
    if (window.vegaEmbed) resolve();
    else document.querySelector('script[src*="/static/charts.js"]')?.addEventListener("load", resolve);
  });
  const draw = async (figure) => {
    if (figure.dataset.spec && !figure.told) {
      const answer = await fetch(figure.dataset.spec);
      const told = await answer.json();
      if (!answer.ok) {
        figure.querySelector(".drawing").textContent = told.error?.hint ?? told.error?.message ?? "There is no chart.";
        for (const part of figure.parentElement.querySelectorAll("[data-shows], [href$='chart.png']")) part.hidden = true;
        return;
      }
      figure.told = JSON.stringify(told);
      const shown = told.usermeta?.shows;
      if (shown) for (const key of figure.parentElement.querySelectorAll("[data-shows]")) key.hidden = !shown.includes(key.dataset.shows);
    }
    await loaded();
    const spec = JSON.parse(figure.told ?? figure.querySelector('script[type="application/json"]').textContent);
    const ink = style("--ink"), muted = style("--muted"), line = style("--line");
    spec.config = {
      ...spec.config,
      font: "system-ui, sans-serif",
      axis: { labelColor: muted, titleColor: muted, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 11, titleFontWeight: 500, ...(spec.config?.axis ?? {}) },
      legend: { labelColor: ink, titleColor: muted, ...(spec.config?.legend ?? {}) },
      title: { color: ink }, text: { color: ink },
    };
    drawn.get(figure)?.finalize();
    const options = { actions: false, ast: true, defaultStyle: false, renderer: "svg", tooltip: { disableDefaultStyle: true, theme: "custom" } };
    figure.querySelector(".drawing").replaceChildren();
    drawn.set(figure, await window.vegaEmbed(figure.querySelector(".drawing"), spec, options));
  };
  const drawAll = (within) => within.querySelectorAll("[data-chart]").forEach((figure) => draw(figure).catch((error) => {
    figure.querySelector(".drawing").textContent = `The chart could not be drawn: ${error.message}`;
  }));

  const say = (text) => {
    const place = document.getElementById("said");
    if (!place) return;
    place.textContent = text;
    setTimeout(() => { if (place.textContent === text) place.textContent = ""; }, 6000);
  };

  // A part with data-live is fetched again and again, and put in place of the old one where it differs.
  const busy = (part) => part.contains(document.activeElement) && document.activeElement !== document.body
    || part.querySelector("details[open], input:checked, dialog[open]");
  // What a part says, times aside, which are told anew all the while.
  const spoken = (part) => {
    const copy = part.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
    return copy.textContent.replace(/\s+/g, " ").trim();
  };
  const renew = async (part) => {
    const again = () => setTimeout(() => renew(part), 1000 * Number(part.dataset.every));
    if (document.hidden) return void again();
    // A server that takes the request and never answers is as gone as one that is not there.
    const patience = new AbortController(), over = setTimeout(() => patience.abort(), 20000);
    try {
      const answer = await fetch(part.dataset.live, { headers: { "X-Requested-With": "fetch" }, redirect: "manual", signal: patience.signal });
      // To the login: the session has ended, and asking again would not help.
      if (answer.type === "opaqueredirect") return void part.classList.add("ended");
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text(), made = document.createElement("template");
      made.innerHTML = text;
      const old = spoken(part), now = spoken(made.content), held = busy(part);
      // Nothing is taken away from under a hand, but it is told that there is something new.
      part.classList.toggle("behind", Boolean(held && part.dataset.says) && old !== now);
      if (text !== part.last && !held) {
        const first = part.last === undefined;
        part.last = text;
        // The first answer has what the page has, most often: nothing is touched where nothing is new.
        if (!first || old !== now) {
          part.replaceChildren(made.content);
          begin(part);
          if (part.dataset.says && old !== now) say(part.dataset.says);
        }
      }
      part.classList.remove("stale");
      if (part.querySelector("[data-done]")) return;
    } catch {
      part.classList.add("stale");
    } finally {
      clearTimeout(over);
    }
    again();
  };

  const begin = (within) => { tellTimes(within); drawAll(within); };

  const ask = (question) => new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const text = document.createElement("p"), row = document.createElement("div");
    text.textContent = question;
    row.className = "row";
    for (const [label, value, kind] of [["Cancel", "", ""], ["Yes", "yes", "main"]]) {
      const button = document.createElement("button");
      button.textContent = label;
      button.className = kind;
      button.addEventListener("click", () => dialog.close(value));
      row.append(button);
    }
    dialog.append(text, row);
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target, boxes = [...form.querySelectorAll('input[name="chosen"]')];
    if (boxes.length && !boxes.some((box) => box.checked)) { event.preventDefault(); return void say("Nothing is chosen: tick the rows first."); }
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (!question || form.dataset.sure) return;
    event.preventDefault();
    if (await ask(question)) { form.dataset.sure = "yes"; form.requestSubmit(event.submitter); }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-switch]");
    if (button) {
      root.dataset.theme = dark() ? "light" : "dark";
      document.cookie = `kubestray_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
      drawAll(document);
    }
    if (event.target.closest("[data-print]")) window.print();
    const all = event.target.closest("[data-check-all]");
    if (all) for (const box of all.form.querySelectorAll('input[name="chosen"]')) box.checked = all.checked;
  });
  for (const control of document.querySelectorAll("[data-submit]")) control.addEventListener("change", () => control.form.requestSubmit());

  // Keys in lists: j and k go, x chooses, Enter opens, / goes to the filter, ? tells.
  const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type='checkbox']), textarea, select, dialog")) return;
    const list = rows(), now = list.findIndex((row) => row.contains(document.activeElement));
    const go = (to) => list[Math.max(0, Math.min(list.length - 1, to))]?.querySelector("a")?.focus();
    if (event.key === "Escape") document.activeElement?.blur();
    else if (event.key === "/") { event.preventDefault(); document.querySelector(".filters input")?.focus(); }
    else if (event.key === "j" && list.length) go(now + 1);
    else if (event.key === "k" && list.length) go(now - 1);
    else if (event.key === "x" && now >= 0) { const box = list[now].querySelector('input[name="chosen"]'); if (box) box.checked = !box.checked; }
    else if (event.key === "?" && list.length) say("j and k: next and last row · x: choose · Enter: open · /: filter");
  });

  // A printed report has everything, and says when.
  const print = (on) => { printing = on; tellTimes(document); };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  addEventListener("beforeprint", () => document.querySelectorAll("main details:not([open])").forEach((one) => { one.open = true; one.dataset.printed = ""; }));
  addEventListener("afterprint", () => document.querySelectorAll("details[data-printed]").forEach((one) => { one.open = false; delete one.dataset.printed; }));

  begin(document);
  document.querySelectorAll("[data-live]").forEach((part) => setTimeout(() => renew(part), 1000 * Number(part.dataset.every)));
  setInterval(() => tellTimes(document), 30000);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
  window.kubestray = { csrf, say };
})();
