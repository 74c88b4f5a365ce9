// The network map: drag to move, wheel or buttons to come closer, and the edges of what is pointed at stand out.
"use strict";
(() => {
  const map = document.querySelector("[data-map]");
  const slider = document.querySelector('input[name="step"]'), until = document.getElementById("until");
  if (slider && until) slider.addEventListener("input", () => {
    const part = Number(slider.value) / Number(slider.max), began = Number(slider.dataset.began), now = Number(slider.dataset.now);
    until.textContent = new Date(began + (now - began) * part).toLocaleString();
  });
  if (!map) return;
  const svg = map.querySelector("svg"), all = svg.viewBox.baseVal, whole = { x: all.x, y: all.y, width: all.width, height: all.height };
  const pairs = JSON.parse(map.dataset.pairs), nodes = [...svg.querySelectorAll("[data-node]")], chosen = svg.querySelector(".edge-chosen");
  let view = { ...whole };
  const show = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  const zoom = (factor, at) => {
    const width = Math.max(whole.width / 40, Math.min(whole.width * 1.5, view.width / factor)), scale = width / view.width;
    view = { x: at.x - (at.x - view.x) * scale, y: at.y - (at.y - view.y) * scale, width, height: view.height * scale };
    show();
  };
  const place = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  };
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && !map.matches(":focus-within")) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, place(event));
  }, { passive: false });
  map.addEventListener("click", (event) => {
    const factor = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (factor === undefined) return;
    if (factor === "0") { view = { ...whole }; show(); } else zoom(Number(factor), { x: view.x + view.width / 2, y: view.y + view.height / 2 });
  });
  let held = null, moved = false;
  svg.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, view: { ...view } }; moved = false; });
  addEventListener("pointermove", (event) => {
    if (!held) return;
    const scale = 1 / svg.getScreenCTM().a, across = event.clientX - held.x, down = event.clientY - held.y;
    if (Math.abs(across) + Math.abs(down) > 4) moved = true;
    if (moved) { view = { ...held.view, x: held.view.x - across * scale, y: held.view.y - down * scale }; show(); }
  });
  addEventListener("pointerup", () => { held = null; });
  svg.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);
  svg.addEventListener("dragstart", (event) => event.preventDefault());

  const spot = (node) => {
    const dot = node.querySelector("circle, rect, path").getBBox();
    return [dot.x + dot.width / 2, dot.y + dot.height / 2];
  };
  const point = (node) => {
    const own = node ? Number(node.dataset.node) : -1;
    svg.classList.toggle("pointing", own >= 0);
    nodes.forEach((one) => one.classList.remove("near"));
    if (own < 0) return void chosen.setAttribute("d", "");
    let path = "";
    for (const [from, to] of pairs) {
      if (from !== own && to !== own) continue;
      const [x, y] = spot(nodes[from]), [u, v] = spot(nodes[to]);
      path += `M${x} ${y}Q${(x + u) / 2 + (v - y) * 0.12} ${(y + v) / 2 - (u - x) * 0.12} ${u} ${v}`;
      nodes[from].classList.add("near");
      nodes[to].classList.add("near");
    }
    node.classList.add("near");
    chosen.setAttribute("d", path);
  };
  for (const node of nodes) {
    node.addEventListener("pointerenter", () => point(node));
    node.addEventListener("pointerleave", () => point(null));
    node.addEventListener("focus", () => point(node));
    node.addEventListener("blur", () => point(null));
  }
})();
