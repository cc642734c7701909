// A map of sources: choose the map and the colouring, zoom (wheel), move (drag), pick (click, or a lasso).
// The address's part after # may name what is shown first: layout, colour, ids (picked) and hover.
"use strict";
(() => {
  const byId = (name) => document.getElementById(name);
  const data = JSON.parse(byId("points").textContent);
  const canvas = byId("plane"), context = canvas.getContext("2d"), tip = byId("tip");
  const n = data.ids.length, FAR = 9, DOT = n > 2000 ? 2.2 : 3.2;
  const picked = new Set();
  let places = [], colours = [], view = { scale: 1, x: 0, y: 0 }, drag = null, lasso = null, over = -1;

  const choices = (box, names) => names.forEach((name, k) => box.add(new Option(name, k)));
  choices(byId("layout"), data.maps.map((one) => one.name));
  choices(byId("colour"), data.values.map((one) => one.name));

  const told = (value) => typeof value === "number" ? String(+value.toPrecision(4)).replace("-", "\u2212")
    : value === null ? "\u2013" : value;
  const pixel = (i) => [view.x + view.scale * places[2 * i], view.y - view.scale * places[2 * i + 1]];

  function fit() {
    const { width, height } = canvas.getBoundingClientRect();
    view.scale = 0.94 * Math.min(width, height) / data.side;
    view.x = (width - view.scale * data.side) / 2;
    view.y = (height + view.scale * data.side) / 2;
  }

  function choose() {
    places = data.maps[byId("layout").value].places;
    const shade = data.values[byId("colour").value], legend = byId("legend");
    legend.replaceChildren();
    if (shade.kinds) {
      colours = shade.values.map((k) => data.kinds[k % data.kinds.length]);
      shade.kinds.forEach((kind, k) => {
        const swatch = document.createElement("span");
        swatch.className = "swatch";
        swatch.style.background = data.kinds[k % data.kinds.length];
        legend.append(swatch, kind + "  ");
      });
    } else {
      const last = data.palette.length - 1, [low, high] = shade.range, span = high > low ? high - low : 1;
      colours = shade.values.map((value) => value === null ? "#999999"
        : data.palette[Math.round(last * Math.min(Math.max((value - low) / span, 0), 1))]);
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.style.background = `linear-gradient(to right, ${data.palette.filter((_, k) => k % 8 === 0).join(",")})`;
      legend.append(told(low), bar, told(high));
    }
    draw();
  }

  function draw() {
    const { width, height } = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const ink = getComputedStyle(document.body).color;
    const dot = (i, radius) => {
      const [x, y] = pixel(i);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      return context;
    };
    for (let i = 0; i < n; i++) {
      context.globalAlpha = picked.size && !picked.has(i) ? 0.2 : 0.85;
      context.fillStyle = colours[i];
      dot(i, DOT).fill();
    }
    context.globalAlpha = 1;
    context.strokeStyle = ink;
    for (const i of picked) dot(i, DOT + 1).stroke();
    if (over >= 0) { context.lineWidth = 2; dot(over, DOT + 4).stroke(); context.lineWidth = 1; }
    if (lasso) {
      context.setLineDash([4, 3]);
      context.beginPath();
      lasso.forEach(([x, y], k) => k ? context.lineTo(x, y) : context.moveTo(x, y));
      context.stroke();
      context.setLineDash([]);
    }
  }

  function nearest(x, y) {
    let found = -1, least = FAR * FAR;
    for (let i = 0; i < n; i++) {
      const [a, b] = pixel(i), far = (a - x) ** 2 + (b - y) ** 2;
      if (far < least) { least = far; found = i; }
    }
    return found;
  }

  function within(x, y, ring) {
    let inside = false;
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [a, b] = ring[i], [c, d] = ring[j];
      if ((b > y) !== (d > y) && x < (c - a) * (y - b) / (d - b) + a) inside = !inside;
    }
    return inside;
  }

  function tell(i) {
    over = i;
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.replaceChildren();
    if (data.sheet) {
      const { columns, size, rows } = data.sheet, thumb = document.createElement("div");
      const shown = 96, k = shown / size;
      thumb.className = "thumb";
      thumb.style.cssText = `width:${shown}px;height:${shown}px;` +
        `background-size:${columns * shown}px ${rows * shown}px;` +
        `background-position:${-(i % columns) * size * k}px ${-Math.floor(i / columns) * size * k}px`;
      tip.append(thumb);
    }
    const words = document.createElement("dl");
    const line = (name, value) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = value;
      words.append(dt, dd);
    };
    line("id", data.ids[i]);
    for (const one of data.values) line(one.name, told(one.kinds ? one.kinds[one.values[i]] : one.values[i]));
    tip.append(words);
    const [x, y] = pixel(i), { width, height } = canvas.getBoundingClientRect();
    tip.style.left = `${Math.max(0, Math.min(x + 14, width - tip.offsetWidth - 2))}px`;
    tip.style.top = `${Math.max(0, Math.min(y + 14, height - tip.offsetHeight - 2))}px`;
  }

  function list() {
    byId("ids").value = [...picked].sort((a, b) => a - b).map((i) => data.ids[i]).join("\n");
    byId("count").textContent = `${picked.size} of ${n} picked`;
  }

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    drag = { x, y, view: { ...view }, moved: false };
    if (byId("lasso").checked || event.shiftKey) lasso = [[x, y]];
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (drag) {
      drag.moved = drag.moved || Math.hypot(x - drag.x, y - drag.y) > 3;
      if (lasso) lasso.push([x, y]);
      else view = { ...view, x: drag.view.x + x - drag.x, y: drag.view.y + y - drag.y };
      tell(-1);
    } else tell(nearest(x, y));
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const [x, y] = at(event);
    if (lasso && drag.moved) {
      for (let i = 0; i < n; i++) if (within(...pixel(i), lasso)) picked.add(i);
    } else if (drag && !drag.moved) {
      const i = nearest(x, y);
      if (i >= 0 && !picked.delete(i)) picked.add(i);
    }
    drag = lasso = null;
    list();
    draw();
  });
  canvas.addEventListener("pointercancel", () => { drag = lasso = null; draw(); });
  canvas.addEventListener("pointerleave", () => { if (!drag) { tell(-1); draw(); } });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = at(event), k = Math.exp(-0.0015 * event.deltaY);
    view = { scale: view.scale * k, x: x - k * (x - view.x), y: y - k * (y - view.y) };
    tell(-1);
    draw();
  }, { passive: false });
  byId("layout").addEventListener("change", choose);
  byId("colour").addEventListener("change", choose);
  byId("whole").addEventListener("click", () => { fit(); draw(); });
  byId("none").addEventListener("click", () => { picked.clear(); list(); draw(); });
  byId("copy").addEventListener("click", () => { byId("ids").select(); document.execCommand("copy"); });

  const first = new URLSearchParams(location.hash.slice(1));
  for (const box of ["layout", "colour"]) {
    const named = [...byId(box).options].find((one) => one.value === first.get(box));
    if (named) named.selected = true;  // what is not there is not shown: the first one stays
  }
  for (const id of (first.get("ids") || "").split(",")) {
    const i = data.ids.indexOf(id);
    if (i >= 0) picked.add(i);
  }
  fit();
  choose();
  tell(data.ids.indexOf(first.get("hover")));
  list();
  draw();
  window.addEventListener("resize", () => { fit(); draw(); });
})();
