// The search editor: colours behind the text, completions at the caret, the place of an error, keys.
"use strict";
(() => {
  const form = document.querySelector("[data-search]");
  const area = form?.querySelector("textarea");
  if (!area) return;
  const editor = form.querySelector(".editor"), behind = form.querySelector(".colours"), list = document.getElementById("completions");
  const token = /(?<comment>```[\s\S]*?(?:```|$))|(?<text>"(?:[^"\\]|\\.)*"?)|(?<field>'(?:[^'\\]|\\.)*'?)|(?<macro>`[^`]*`?)|(?<pipe>[|[]\s*)(?<command>[A-Za-z]\w*)|(?<function>[A-Za-z_]\w*(?=\())|(?<word>\b(?:by|as|where|and|or|not|in|output|outputnew|over|like)\b)|(?<number>(?<![\w.])-?\d[\w.]*)/gi;

  const span = (kind, text) => {
    const made = document.createElement("span");
    made.className = `spl-${kind}`;
    made.textContent = text;
    return made;
  };
  const colour = () => {
    const text = area.value, parts = [];
    let end = 0;
    for (const found of text.matchAll(token)) {
      parts.push(text.slice(end, found.index));
      const groups = found.groups;
      if (groups.command) parts.push(groups.pipe, span("command", groups.command));
      else parts.push(span(Object.keys(groups).find((name) => groups[name] !== undefined), found[0]));
      end = found.index + found[0].length;
    }
    parts.push(text.slice(end) + "\n");
    behind.replaceChildren(...parts);
    behind.scrollTop = area.scrollTop;
  };
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${Math.min(480, Math.max(120, area.scrollHeight + 2))}px`;
  };

  let words = [], told = "", chosen = -1, asked = 0, timer = 0;
  const close = () => { clearTimeout(timer); asked++; list.hidden = true; words = []; chosen = -1; area.setAttribute("aria-expanded", "false"); area.removeAttribute("aria-activedescendant"); };
  const choose = (to) => {
    chosen = (to + words.length) % words.length;
    [...list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === chosen)));
    list.children[chosen].scrollIntoView({ block: "nearest" });
    area.setAttribute("aria-activedescendant", list.children[chosen].id);
  };
  const take = (place) => {
    // What was typed since the words came goes on with one of them, or has nothing to do with them any more.
    const one = words[place], typed = area.value.length - told.length;
    const meant = area.value.slice(one.start, one.end + typed), asTold = told.slice(one.start, one.end);
    if (typed === 0 || (typed > 0 && meant.startsWith(asTold) && one.word.toLowerCase().startsWith(meant.toLowerCase())))
      area.setRangeText(one.word, one.start, one.end + typed, "end");
    close();
    area.focus();
    colour();
  };
  const caretPlace = () => {
    // The text up to the caret, laid out as the editor lays it out, tells where the caret is.
    const mirror = behind.cloneNode(false), mark = document.createElement("span");
    mirror.style.display = "block";
    mirror.style.visibility = "hidden";
    mark.textContent = "\u200b";
    mirror.append(area.value.slice(0, area.selectionStart), mark);
    editor.append(mirror);
    const place = { top: mark.offsetTop + mark.offsetHeight - area.scrollTop, left: mark.offsetLeft };
    mirror.remove();
    return place;
  };
  const complete = async () => {
    const mine = ++asked, text = area.value, caret = area.selectionStart, from = Math.max(0, caret - 3000);
    const query = new URLSearchParams({ text: text.slice(from, caret + 200), caret: String(caret - from) });
    const answer = await fetch(`/api/v1/search/complete?${query}`);
    const found = answer.ok ? await answer.json() : [];
    if (mine !== asked || !answer.ok || document.activeElement !== area) return;
    told = text;
    words = found.map((one) => ({ ...one, start: one.start + from, end: one.end + from }));
    if (!words.length) return close();
    list.replaceChildren(...words.map((one, place) => {
      const item = document.createElement("li");
      item.id = `completion-${place}`;
      item.setAttribute("role", "option");
      for (const name of ["word", "kind", "detail"]) {
        if (!one[name]) continue;
        const part = document.createElement("span");
        part.className = name;
        part.textContent = one[name];
        item.append(part);
      }
      item.addEventListener("mousedown", (event) => { event.preventDefault(); take(place); });
      return item;
    }));
    list.hidden = false;
    const at = caretPlace();
    list.style.top = `${at.top + 4}px`;
    list.style.left = `${Math.max(0, Math.min(at.left, editor.clientWidth - list.offsetWidth))}px`;
    area.setAttribute("aria-expanded", "true");
    choose(0);
  };

  area.addEventListener("input", () => {
    colour();
    fit();
    clearTimeout(timer);
    const before = area.value.slice(0, area.selectionStart);
    if (/[\w.`]$|\|\s*$|\($/.test(before)) timer = setTimeout(complete, 120); else close();
  });
  area.addEventListener("scroll", () => { behind.scrollTop = area.scrollTop; });
  area.addEventListener("blur", close);
  area.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); form.requestSubmit(); return; }
    if (event.ctrlKey && event.key === " ") { event.preventDefault(); complete(); return; }
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(chosen + (event.key === "ArrowDown" ? 1 : -1)); }
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) { event.preventDefault(); take(chosen); }
    else if (event.key === "Escape") { event.preventDefault(); close(); }
  });
  form.addEventListener("click", (event) => {
    const range = event.target.closest("[data-range]");
    if (!range) return;
    form.elements.earliest.value = range.dataset.range;
    form.elements.latest.value = "";
    if (area.value.trim()) form.requestSubmit();
  });

  editor.classList.add("ready");
  colour();
  fit();
  if (area.dataset.line) {
    const lines = area.value.split("\n"), line = Number(area.dataset.line) - 1;
    const at = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0) + Number(area.dataset.column) - 1;
    area.focus();
    area.setSelectionRange(at, at);
  } else if (!area.value) area.focus();
})();
