// Draws what minirnn/stepper/export.py has written, or what nets.js computes from a net's weights.
// Only the gradients of the weights are added up here, step by step, from their factors.
"use strict";

(function () {
  const data = JSON.parse(document.getElementById("stepper-data").textContent);
  const tasks = [data, ...(data.more || [])];
  const root = document.querySelector(".stepper");
  root.classList.add("ready");  // without this script nothing of it is shown
  const part = (name) => root.querySelector(`[data-is="${name}"]`);
  // position 0: nothing is read yet; T: all is read; 2 T: gradients are back at the first letter.
  // own: {text, ids} of a name typed in; right: the answer that the loss is for, if one is chosen.
  const at = { task: 0, name: 0, own: null, right: null, kind: 0, layer: 0, epoch: 0, position: 0 };
  let values = [], shown = [], hovered = null, unfolded = false;

  const task = () => tasks[at.task];
  const kind = () => task().kinds[at.kind];
  const layer = () => kind().layers[at.layer];
  const chosen = () => at.own || task().names[at.name];
  const inOrder = (list) => (layer().reversed ? list.reverse() : list);
  const text = () => inOrder(Array.from(chosen().text));
  const ids = () => inOrder([...chosen().ids]);

  // What a kind of net makes of the name: {values, loss, p, label}, or null.
  const runs = new Map();
  function read(k, epoch, right) {
    const weights = task().weights?.[`${k}/${epoch}`];
    if (!weights) return null;
    const key = [at.task, k, epoch, right, chosen().text].join("/");
    if (!runs.has(key)) {
      const { kinds, alphabet, languages } = task();
      runs.set(key, minirnnNets.read(kinds[k], weights, Array.from(alphabet).length,
        languages.length, chosen().ids, right));
    }
    return runs.get(key);
  }
  function run(k = at.kind) {
    const stored = task().runs[`${k}/${at.name}/${at.epoch}/${at.layer}`];
    if (stored && !at.own && at.right === null) {
      return { ...stored, values: minirnnNets.floats(stored.values), label: chosen().label };
    }
    return read(k, at.epoch, right());
  }
  // The answer that the loss is for: the one chosen, or the name's, or what the trained net says.
  const right = () => at.right ?? chosen().label ??
    read(at.kind, task().epochs.length - 1, null).label;

  function element(tag, attributes, ...children) {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  }

  function fill(name, items) {
    part(name).replaceChildren(...items.map((item, k) => new Option(item, k)));
    part(name).closest("label").hidden = items.length < 2;
  }

  // All that can be chosen of a task.
  function offer() {
    const { names, kinds, languages, epochs, weights } = task();
    fill("task", tasks.map((one) => one.task));
    fill("name", names.map(({ text, label }) =>
      `${text.length > 20 ? `${text.slice(0, 12)}...` : text} (${languages[label]})`));
    fill("kind", kinds.map(({ label }) => label));
    fill("layer", kind().layers.map(({ name }) => name));
    fill("right", ["known, or the net's own", ...languages]);
    part("own").closest("label").hidden = part("right").closest("label").hidden = !weights;
    part("epoch").max = epochs.length - 1;
    part("epoch").closest("label").hidden = epochs.length < 2;
    part("own").value = at.own ? at.own.text : "";
  }

  // Read what was typed, and say what of it the net can't read.
  function type(typed) {
    const { alphabet, alike, longest } = task();
    const { text, lost, cut } = minirnnNets.cleaned(typed, alphabet, alike, longest);
    const told = [];
    at.own = text ? { text, ids: Array.from(text, (c) => alphabet.indexOf(c)) } : null;
    if (!text && typed.trim()) told.push(`There is no letter of the net's alphabet, ${alphabet}.`);
    if (text && text !== typed.trim()) told.push(`Read as ${text}.`);
    if (text && lost) told.push(`The net's alphabet has no ${Array.from(lost).join(" ")}.`);
    if (cut) told.push(`A name ends after ${longest} letters here.`);
    part("told").textContent = told.join(" ");
  }

  const largest = (array) => array.reduce((m, v) => (Math.abs(v) > m ? Math.abs(v) : m), 0);

  // The numbers of the run: one array [columns, hidden] for each panel.
  function load() {
    const flat = run().values;
    at.position = Math.min(at.position, 2 * text().length);
    for (const name of ["task", "kind", "layer", "epoch"]) part(name).value = at[name];
    part("name").selectedIndex = at.own ? -1 : at.name;
    part("right").value = at.right === null ? 0 : at.right + 1;
    const hidden = kind().hidden, T = text().length, factors = {};
    let start = 0;
    const next = (size) => flat.subarray(start, start += size);
    values = layer().panels.filter((panel) => panel.phase !== "sum").map((panel) => {
      const array = next(T * hidden);
      return { panel, array, columns: T, scale: largest(array) };
    });
    for (const { name, width } of layer().factors) factors[name] = next(T * width);
    for (const panel of layer().panels.filter((panel) => panel.phase === "sum")) {
      const right = factors[panel.right], left = factors[panel.left], columns = panel.rows;
      const array = new Float64Array(columns * hidden);
      const value = { panel, array, columns, added: 0, scale: 0 };
      // The share of step t: for each entry of the left factor, the right one times that entry.
      value.add = (t) => {
        for (let j = 0; j < columns; j++) {
          const times = panel.left === "letter" ? Number(ids()[t] === j)
            : left ? left[t * columns + j] : 1;
          if (times === 0) continue;
          for (let k = 0; k < hidden; k++) array[j * hidden + k] += times * right[t * hidden + k];
        }
      };
      for (let steps = 1; steps <= T; steps++) {
        addUp(value, steps);
        value.scale = Math.max(value.scale, largest(value.array));
      }
      values.push(value);
    }
    build();
    draw();
  }

  // Bring a sum to where so many steps of the way back have been added.
  function addUp(value, steps) {
    if (steps < value.added) {
      value.array.fill(0);
      value.added = 0;
    }
    while (value.added < steps) {
      value.added += 1;
      value.add(text().length - value.added);
    }
  }

  function build() {
    const { p, loss, label } = run(), { languages, epochs, guessed } = task();
    const own = at.right === null && (guessed || chosen().label === undefined);
    const likely = p.map((x, k) => k).sort((a, b) => p[b] - p[a]).slice(0, 4);
    part("answer").replaceChildren(
      ...likely.map((k) => element("span", {},
        element("meter", { value: p[k], max: 1 }), ` ${languages[k]} ${p[k].toFixed(2)}`)),
      element("span", {}, `loss ${loss.toPrecision(4)}, if ${languages[label]} is right` +
        (own ? " (the net's own answer)" : "")),
    );
    part("epoch-text").textContent = epochs[at.epoch];
    part("letters").replaceChildren(...text().map((c, t) => {
      const made = element("button", { type: "button", textContent: c, onclick: () => go(t + 1) });
      made.setAttribute("aria-label", `to letter ${t + 1}, ${c}`);
      return made;
    }));
    strip();
    cell();
    const titles = {
      forward: "Forward: a row is a hidden unit, a column a letter",
      backward: "Backward: gradients of the loss, from the last letter to the first",
      sum: "Gradients of weights and biases: a share is added at every step backward",
    };
    shown = [];
    part("panels").replaceChildren(...Object.entries(titles).map(([phase, title]) => {
      const grid = element("div", { className: "stepper-grid" });
      for (const value of values) {
        if (value.panel.phase === phase) grid.append(figure(value));
      }
      const hidden = !grid.children.length;
      if (phase !== "sum") {
        return element("section", { hidden }, element("h2", { textContent: title }), grid);
      }
      const fold = element("details", { hidden, open: unfolded },
        element("summary", { textContent: title }), grid);
      fold.addEventListener("toggle", () => { unfolded = fold.open; });
      return fold;
    }));
    part("source").replaceChildren(...Object.entries(layer().sources).map(([phase, source]) =>
      element("section", { className: phase },
        element("h2", { textContent: `${source.path}, ${phase}` }),
        element("pre", {}, ...source.lines.map((line, k) => {
          const row = element("span", { textContent: line || " " });
          row.dataset.at = `${source.path}:${source.first + k}`;
          return row;
        })))));
    for (const section of part("source").children) {
      const made = [...section.querySelectorAll("[data-at]")].filter((row) => byLine(row).length);
      faces(made, (row) => mark(byLine(row)));
    }
  }

  const byLine = (row) => shown.map(({ panel }) => panel).filter(({ phase, path, line }) =>
    phase !== "sum" && `${path}:${line}` === row.dataset.at);

  // Things of one kind, to be pointed at, touched or tabbed to; Tab reaches one of them, the arrows
  // lead to the others.
  function faces(all, look, enter) {
    const move = (event, k) => {
      const to = { ArrowDown: k + 1, ArrowRight: k + 1, ArrowUp: k - 1, ArrowLeft: k - 1, Home: 0,
        End: all.length - 1 }[event.key];
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Enter" && enter) enter(all[k]);
      else if (to !== undefined) all[Math.max(0, Math.min(to, all.length - 1))].focus();
      else return;
      event.preventDefault();
    };
    all.forEach((one, k) => {
      one.tabIndex = k ? -1 : 0;
      one.setAttribute("role", "button");
      one.addEventListener("focus", () => {
        for (const other of all) other.tabIndex = other === one ? 0 : -1;
        look(one);
      });
      one.addEventListener("pointerenter", () => look(one));
      one.addEventListener("keydown", (event) => move(event, k));
    });
  }

  // The cell at this step: its boxes show the numbers of the step, and lead to their panels.
  function cell() {
    part("cell").hidden = !layer().drawing;
    part("cell").innerHTML = `${layer().drawing}<p data-is="equation">What arrives at a box is ` +
      "added up, × multiplies. Point at a box, touch it, or go there with Tab and the arrows.</p>";
    const boxes = [...part("cell").querySelectorAll(".box")];
    faces(boxes, (box) => visit(box, hovered?.unit ?? 0), (box) => valueOf(box)?.canvas.focus());
    for (const box of boxes) {
      const look = (event) => {
        const { left, width } = box.querySelector("image").getBoundingClientRect();
        const unit = Math.floor((event.clientX - left) / width * kind().hidden);
        visit(box, Math.max(0, Math.min(unit, kind().hidden - 1)));
      };
      for (const way of ["pointermove", "pointerdown"]) box.addEventListener(way, look);
    }
  }

  const phase = () => (at.position <= text().length ? "forward" : "backward");
  // What a box shows now: of a name that is assigned twice, the last.
  const valueOf = (box) => shown.filter(({ panel }) =>
    panel.phase === phase() && panel.variable === box.dataset[phase()]).pop();

  function visit(box, unit) {
    const value = valueOf(box);
    if (!value) return;
    hovered = { value, column: Math.max(0, current()), unit };
    mark([value.panel]);
    tell();
  }

  function figure(value) {
    const { panel, columns, scale } = value, hidden = kind().hidden;
    const width = Math.max(3, Math.min(16, Math.floor(240 / columns)));
    const height = hidden <= 16 ? 11 : Math.max(2, Math.floor(180 / hidden));
    const canvas = element("canvas", { width: columns * width, height: hidden * height });
    const made = element("figure", {}, element("figcaption", { innerHTML: panel.equal }), canvas,
      element("small", { textContent: `colours from -${short(scale)} to ${short(scale)}` }),
      element("code", { textContent: `${panel.path}:${panel.line}  ${panel.code}` }));
    made.dataset.variable = panel.variable;
    made.dataset.line = panel.line;
    made.dataset.phase = panel.phase;
    Object.assign(value, { canvas, width, height, figure: made });
    canvas.setAttribute("role", "application"); // the arrows are its own
    canvas.setAttribute("aria-label", `${made.firstChild.textContent}: arrows lead from number ` +
      "to number, Page Down and Page Up to the next panel and back");
    canvas.tabIndex = shown.length ? -1 : 0;
    const look = (event) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left) / box.width * columns);
      const unit = Math.floor((event.clientY - box.top) / box.height * hidden);
      hovered = { value, column: Math.max(0, Math.min(column, columns - 1)),
        unit: Math.max(0, Math.min(unit, hidden - 1)) };
      tell();
    };
    canvas.addEventListener("focus", () => {
      for (const other of shown) other.canvas.tabIndex = other === value ? 0 : -1;
      const { column = 0, unit = 0 } = hovered || {};
      hovered = { value, column: Math.min(column, columns - 1), unit };
      mark([panel]);
      tell();
    });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const panels = { PageDown: 1, PageUp: -1 }, move = by[event.key];
      if (!move && !panels[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      if (!move) {
        shown[shown.indexOf(value) + panels[event.key]]?.canvas.focus();
        return;
      }
      const within = (k, size) => Math.max(0, Math.min(k, size - 1));
      hovered = { value, column: within(hovered.column + move[0], columns),
        unit: within(hovered.unit + move[1], hidden) };
      tell();
    });
    canvas.addEventListener("pointermove", look);
    canvas.addEventListener("pointerdown", look);
    made.addEventListener("pointerenter", () => mark([panel]));
    shown.push(value);
    return made;
  }

  // The sizes of dh and dc at each letter, of one run: the last panel of each name has the sum of
  // all that arrives. [{name, sizes}]
  function norms(flat, { panels }, hidden, T) {
    const sizes = new Map();
    panels.filter((panel) => panel.phase !== "sum").forEach(({ phase, variable }, k) => {
      if (phase !== "backward" || !["dh", "dc"].includes(variable)) return;
      sizes.set(variable, Array.from({ length: T }, (_, t) =>
        Math.hypot(...flat.subarray((k * T + t) * hidden, (k * T + t + 1) * hidden))));
    });
    return [...sizes].map(([name, values]) => ({ name, values }));
  }

  let place = () => "";  // the line through a letter of the strip
  // All cells on one logarithmic axis: how large the gradient is at each letter.
  function strip() {
    const T = text().length, lines = [];
    task().kinds.forEach(({ label, layers, hidden }, k) => {
      const made = layers[at.layer] && run(k);
      if (!made) return;
      for (const { name, values } of norms(made.values, layers[at.layer], hidden, T)) {
        lines.push({ label, name, values, here: k === at.kind, kind: k });
      }
    });
    const logs = lines.flatMap(({ values }) => values).filter((v) => v > 0).map(Math.log10);
    part("strip").hidden = T < 2 || !logs.length;
    if (part("strip").hidden) return;
    const low = Math.floor(Math.min(...logs)), high = Math.max(low + 1, Math.ceil(Math.max(...logs)));
    const width = 360, height = 150, left = 44, top = 8;
    const x = (t) => left + (width - left - 8) * t / (T - 1);
    const y = (v) => top + height * (1 - (Math.log10(v) - low) / (high - low));
    const marks = [];
    const decades = Math.ceil((high - low) / 8);
    for (let e = high; e >= low; e -= decades) {
      marks.push(`<path class="grid" d="M${left} ${y(10 ** e)}H${width - 8}"/>`,
        `<text x="${left - 6}" y="${y(10 ** e) + 4}" text-anchor="end">${
          e < -4 ? `1e${e}` : Number((10 ** e).toPrecision(1))}</text>`);
    }
    const letter = (c) => c.replace(/[&<]/g, (one) => `&#${one.charCodeAt(0)};`);
    text().forEach((c, t) => {
      const label = T <= 24 ? letter(c) : t === 0 || t === T - 1 || (t + 1) % 10 === 0 ? t + 1 : "";
      marks.push(
        `<text x="${x(t)}" y="${top + height + 16}" text-anchor="middle">${label}</text>`);
    });
    place = (t) => (t < 0 ? "" : `M${x(t)} ${top}v${height}`);
    marks.push('<path class="now"/>');
    const drawn = lines.map(({ values, name, here, kind }) => {
      const points = values.map((v, t) => (v > 0 ? `${x(t).toFixed(1)} ${y(v).toFixed(1)}` : null));
      const d = points.filter(Boolean).join("L");
      return `<path class="size kind-${kind % 3}${here ? " here" : ""}${
        name === "dc" ? " memory" : ""}" d="M${d}"/>`;
    });
    const said = lines.map(({ label, name, values, kind }) => {
      const share = values[T - 1] > 0 ? values[0] / values[T - 1] : 0;
      return `<span class="kind-${kind % 3}">${label} |${name}|: ${share.toPrecision(2)}</span>`;
    });
    part("strip").innerHTML = "<p>How large the gradients are at each letter, on a logarithmic " +
      "axis; |dc| is dashed, the cell chosen above is thick</p>" +
      `<svg viewBox="0 0 ${width} ${top + height + 24}" role="img" aria-label="${
        "The sizes of the gradients at each letter; their ratios stand below"}">${
        marks.join("")}${drawn.join("")}</svg>` +
      `<p>At the first letter, over the last: ${said.join(", ")}</p>`;
  }

  const short = (x) => (x === 0 ? "0" : String(Number(x.toPrecision(2))));

  // Light up what belongs together: panels, the box of each, the lines that made them.
  function mark(panels) {
    for (const old of root.querySelectorAll(".marked")) old.classList.remove("marked");
    const panel = panels[panels.length - 1];
    part("line").textContent = `${panel.path}:${panel.line}  ${panel.code}`;
    const same = shown.filter(({ panel }) => panels.some(({ phase, variable }) =>
      panel.phase === phase && panel.variable === variable));
    for (const { panel, figure } of same) {
      figure.classList.add("marked");
      const way = panel.phase === "forward" ? "to" : "from", drawn = part("cell");
      for (const box of drawn.querySelectorAll(`[data-${panel.phase}="${panel.variable}"]`)) {
        const lines = drawn.querySelectorAll(`[data-${way}~="${box.dataset.forward}"]`);
        for (const one of [box, ...lines]) one.classList.add("marked");
      }
    }
    part("equation")?.replaceChildren(...panels.flatMap(({ equal }) =>
      [element("span", { innerHTML: equal }), element("br")]));
    const lines = same.map(({ panel }) =>
      root.querySelector(`[data-at="${CSS.escape(`${panel.path}:${panel.line}`)}"]`));
    const line = lines[lines.length - 1];
    if (!line) return;
    for (const one of lines) one.classList.add("marked");
    source(line.closest("section").className);
    if (lines.some((one) => one.matches(":hover, :focus"))) return;
    const box = part("source"), down = line.offsetTop - box.offsetTop;
    if (box.scrollHeight > box.clientHeight) box.scrollTop = down - box.clientHeight / 2;
  }

  // The lines of one way: of the step, or of the panel that is looked at.
  function source(phase) {
    for (const section of part("source").children) section.hidden = section.className !== phase;
  }

  // Which columns of a panel are computed by now, as [from, to).
  function reached(panel, columns) {
    const T = text().length;
    if (panel.phase === "forward") return [0, Math.min(at.position, T)];
    if (panel.phase === "backward") return [Math.min(T, 2 * T - at.position), T];
    return at.position > T ? [0, columns] : [0, 0];
  }

  const current = () => {  // the letter that the step belongs to, or -1
    const T = text().length;
    return at.position <= T ? at.position - 1 : 2 * T - at.position;
  };

  // Each dot of an image as a rectangle.
  function paint(pen, dots, width, height) {
    const small = element("canvas", { width: dots.width, height: dots.height });
    small.getContext("2d").putImageData(dots, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, dots.width * width, dots.height * height);
  }

  function isDark() {
    const theme = document.body.dataset.theme;
    if (theme === "dark" || theme === "light") return theme === "dark";
    return window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  // The numbers of a value as dots; `place` says which number [column, unit] a dot is.
  function image({ panel, array, columns, scale }, width, height, place, dark) {
    const zero = dark ? [44, 44, 50] : [247, 247, 247];
    const ends = dark ? [[90, 165, 255], [255, 135, 85]] : [[33, 102, 172], [178, 24, 43]];
    const dots = new ImageData(width, height), [from, to] = reached(panel, columns);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [column, unit] = place(x, y), v = array[column * kind().hidden + unit];
        if (column < from || column >= to || Number.isNaN(v)) continue;
        const share = scale ? Math.abs(v) / scale : 0, end = ends[v < 0 ? 0 : 1];
        const mix = zero.map((z, k) => Math.round(z + (end[k] - z) * share));
        dots.data.set([...mix, 255], 4 * (y * width + x));
      }
    }
    return dots;
  }

  // The boxes of the drawing show the column of this step, lying.
  function drawCell(dark) {
    part("cell").firstChild?.setAttribute("class", phase());
    const here = Math.max(0, current()), hidden = kind().hidden;
    const canvas = element("canvas", { width: hidden, height: 1 });
    for (const box of part("cell").querySelectorAll(".box")) {
      const value = valueOf(box);
      if (value) {
        const dots = image(value, hidden, 1, (unit) => [here, unit], dark);
        canvas.getContext("2d").putImageData(dots, 0, 0);
        box.querySelector("image").setAttribute("href", canvas.toDataURL());
      } else box.querySelector("image").removeAttribute("href");
      box.classList.toggle("empty", !value);
      box.setAttribute("aria-label", value ? `${value.figure.firstChild.textContent}: ` +
        "Enter leads to its numbers" : `${box.querySelector(".forward").textContent}: ` +
        "its gradient has no name here");
    }
  }

  function draw() {
    const dark = isDark(), T = text().length, here = current();
    for (const value of shown) {
      const { panel, columns, canvas, width, height } = value;
      if (value.add) addUp(value, Math.max(0, at.position - T));
      const pen = canvas.getContext("2d"), hidden = kind().hidden;
      pen.clearRect(0, 0, canvas.width, canvas.height);
      const gap = width > 6 && height > 6 ? 1 : 0;
      const dots = image(value, columns, hidden, (column, unit) => [column, unit], dark);
      paint(pen, dots, width, height);
      // Lines between the numbers, and around those that are not computed yet.
      for (let column = 0; gap && column < columns; column++) {
        for (let unit = 0; unit < hidden; unit++) {
          const x = column * width, y = unit * height;
          pen.clearRect(x + width - 1, y, 1, height);
          pen.clearRect(x, y + height - 1, width, 1);
          if (dots.data[4 * (unit * columns + column) + 3]) continue;
          pen.strokeStyle = dark ? "#3a3a42" : "#e3e3e8";
          pen.strokeRect(x + 0.5, y + 0.5, width - 2, height - 2);
        }
      }
      const live = at.position <= T ? panel.phase === "forward" : panel.phase === "backward";
      if (live && here >= 0) {
        pen.strokeStyle = dark ? "#fff" : "#111";
        pen.lineWidth = 1.5;
        pen.strokeRect(here * width, 0.75, width - gap, canvas.height - 1.5);
        pen.lineWidth = 1;
      }
    }
    [...part("letters").children].forEach((letter, t) => {
      letter.classList.toggle("here", t === here);
      if (t === here) {
        letter.setAttribute("aria-current", "step");
        const row = part("letters");
        row.scrollLeft = letter.offsetLeft - row.offsetLeft - row.clientWidth / 2;
      } else letter.removeAttribute("aria-current");
      letter.classList.toggle("seen", at.position <= T ? t <= here : t >= here);
    });
    const letter = here >= 0 ? `letter ${here + 1} of ${T}` : "";
    part("where").textContent = at.position === 0 ? "nothing is read yet"
      : at.position <= T ? `forward, ${letter}` : `backward, ${letter}`;
    part("strip").querySelector(".now")?.setAttribute("d", place(here));
    drawCell(dark);
    source(at.position <= T ? "forward" : "backward");
    for (const button of root.querySelectorAll("[data-to]")) {
      const back = ["first", "back"].includes(button.dataset.to);
      button.disabled = at.position === (back ? 0 : 2 * T);
    }
    tell();
  }

  // The number under the pointer.
  function tell() {
    const out = part("number");
    if (!hovered || !shown.includes(hovered.value)) {
      const same = hovered && shown.find((value) => value.panel === hovered.value.panel &&
        hovered.column < value.columns);
      if (!same) {
        hovered = null;
        out.textContent = "Point at a number, or touch it: here it is.";
        return;
      }
      hovered.value = same;
    }
    const { value: { panel, array, columns }, column, unit } = hovered, hidden = kind().hidden;
    const [from, to] = reached(panel, columns), v = array[column * hidden + unit];
    const origin = panel.left === "letter" ? `letter ${Array.from(task().alphabet)[column]}`
      : panel.left === "x" ? `input ${column + 1}` : `unit ${column + 1}`;
    const start = panel.phase !== "sum" ? `letter ${column + 1} (${text()[column]}), `
      : panel.left ? `from ${origin} to ` : "";
    const number = column < from || column >= to ? "not computed yet"
      : Number.isNaN(v) ? "not computed in this step" : v.toPrecision(7);
    const name = element("i", { innerHTML: panel.name });
    const place = `, ${start}unit ${unit + 1}: `;
    out.replaceChildren(name, place, element("b", { textContent: number }));
  }

  function go(position) {
    at.position = Math.max(0, Math.min(position, 2 * text().length));
    draw();
    remember();
  }

  const moves = {
    first: () => go(0), back: () => go(at.position - 1),
    on: () => go(at.position + 1), last: () => go(Infinity),
  };
  for (const button of root.querySelectorAll("[data-to]")) {
    button.addEventListener("click", moves[button.dataset.to]);
  }
  root.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.target.matches("select, input, canvas, summary")) return;
    const move = { ArrowLeft: "back", ArrowRight: "on", Home: "first", End: "last" }[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    moves[move]();
  });
  // What is shown, in the address, so that it can be linked to.
  let later = 0;
  function remember() {
    if (location.protocol === "about:") return;  // a page in a notebook has no address of its own
    const now = { task: at.task, name: chosen().text, cell: kind().label, layer: at.layer,
      training: at.epoch, step: at.position, ...(at.right === null ? {} : { right: at.right }) };
    clearTimeout(later);  // browsers refuse many changes in a second
    later = setTimeout(() => {
      history.replaceState(null, "", `#stepper?${new URLSearchParams(now)}`);
    }, 150);
  }
  function recall(address) {
    const asked = new URLSearchParams(address);
    const number = (name, size, usual) => {
      const n = asked.has(name) ? Number(asked.get(name)) : usual;
      return Number.isInteger(n) && n >= 0 && n < size ? n : usual;
    };
    at.task = number("task", tasks.length, 0);
    const { kinds, names, languages, epochs, weights } = task();
    const cell = kinds.findIndex(({ label }) => label === asked.get("cell"));
    at.kind = cell < 0 ? Math.min(1, kinds.length - 1) : cell;
    at.layer = number("layer", kind().layers.length, 0);
    at.epoch = number("training", epochs.length, epochs.length - 1);
    at.right = weights ? number("right", languages.length, null) : null;
    at.own = null;
    at.name = Math.max(0, names.findIndex(({ text }) => text === asked.get("name")));
    part("told").textContent = "";
    if (weights && asked.has("name") && names[at.name].text !== asked.get("name")) {
      type(asked.get("name"));
    }
    at.position = number("step", 2 * text().length + 1, text().length);
    offer();
    load();
  }
  const inAddress = () => location.hash.startsWith("#stepper?") && location.hash.slice(9);

  for (const name of ["task", "name", "kind", "layer", "right", "epoch"]) {
    part(name).addEventListener(name === "epoch" ? "input" : "change", () => {
      const value = Number(part(name).value);
      if (name === "task") {
        recall(`task=${value}&cell=${kind().label}`);
      } else {
        at[name] = name === "right" ? (value ? value - 1 : null) : value;
        if (name === "name") {
          at.own = null;
          part("own").value = part("told").textContent = "";
        }
        load();
      }
      remember();
    });
  }
  part("own").addEventListener("input", () => {
    type(part("own").value);
    load();
    remember();
  });
  window.addEventListener("message", ({ source, data }) => {  // in a frame: of the page around it
    if (source === window.parent && ["dark", "light", "auto"].includes(data?.theme)) {
      document.body.dataset.theme = data.theme;
    }
  });
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("hashchange", () => { if (inAddress()) recall(inAddress()); });
  new ResizeObserver(([{ target }]) => {
    document.documentElement.style.setProperty("--bar", `${target.offsetHeight}px`);
  }).observe(root.querySelector(".stepper-top"));
  recall(inAddress() || data.start || "");
})();
