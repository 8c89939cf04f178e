// The worked example: what belongs together lights up, one step is shown at a time, and a mistake
// can be switched on. Every number stands in the page already; without this script all are shown.
"use strict";

(function () {
  const parts = [...document.querySelectorAll(".lesson")];
  const part = (name) => parts.find((one) => one.dataset.part === name);
  const data = JSON.parse(document.getElementById("lesson-data").textContent);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const steps = [...document.querySelectorAll(".lesson .step")];
  const words = (element) => (element.dataset.v || "").split(" ");
  const plain = (element) => [element.textContent.replace(/\s+/g, " ").trim(),
    ...[...element.querySelectorAll("[data-wrong]")].map((one) => `wrong: ${one.dataset.wrong}`),
  ].join(", ");

  // Lighting up. A face is one of the four sides of a quantity that can be pointed at or tabbed to;
  // of each kind only one is in the order of the Tab key, the arrows lead to the others.
  const KINDS = [".node[data-v]", ".code-line[data-v]", ".eq", ".put"];
  const card = document.createElement("div");
  card.className = "lesson-card";
  card.hidden = true;
  card.setAttribute("aria-hidden", "true"); // it repeats what the face that has the focus says
  document.body.append(card);
  let pinned = null; // {step, names} that stays lit when the pointer goes away

  const quantity = (face) => face.closest("[data-v]");
  const faces = (step, kind) => [...step.querySelectorAll(kind)];

  function light(step, names) {
    for (const one of document.querySelectorAll(".lesson .lit")) one.classList.remove("lit");
    if (!step) return;
    for (const one of step.querySelectorAll("[data-v]")) {
      if (words(one).some((name) => names.includes(name))) one.classList.add("lit");
    }
  }

  function pin(face) {
    const step = face.closest(".step"), names = words(quantity(face));
    pinned = { step, names };
    light(step, names);
    for (const one of step.querySelectorAll("[aria-pressed]")) {
      one.setAttribute("aria-pressed", String(quantity(one).classList.contains("lit")));
    }
    for (const kind of KINDS) {
      const all = faces(step, kind);
      const next = all.includes(face) ? face : all.find((one) => quantity(one).matches(".lit"));
      if (next) for (const one of all) one.tabIndex = one === next ? 0 : -1;
    }
    const rows = step.querySelectorAll(".row.lit");
    card.replaceChildren();
    for (const row of rows) {
      const copy = row.cloneNode(rows.length === 1);
      copy.removeAttribute("id");
      if (rows.length > 1) copy.append(row.querySelector(".eq").cloneNode(true));
      for (const one of [copy, ...copy.querySelectorAll("*")]) {
        for (const name of ["tabindex", "role", "aria-label", "aria-pressed", "data-k"]) {
          one.removeAttribute(name);
        }
      }
      card.append(copy);
    }
    const line = step.querySelector(".code-line.lit > span");
    if (line) {
      const code = document.createElement("code");
      code.textContent = line.textContent.trim();
      card.append(code);
    }
    cover(true);
  }

  // The card lies over the foot of a narrow window: what has the focus is kept clear of it.
  function cover(shown) {
    card.hidden = !shown;
    document.documentElement.style.scrollPaddingBottom = `${card.offsetHeight}px`;
  }

  function unpin() {
    pinned = null;
    cover(false);
    light(null);
    for (const one of document.querySelectorAll(".lesson [aria-pressed=true]")) {
      one.setAttribute("aria-pressed", "false");
    }
  }

  // What is read out of a face that shows less than its equation and its numbers.
  function name() {
    for (const face of document.querySelectorAll(".step .node[data-v], .step .put")) {
      const row = face.closest(".row"), step = face.closest(".step");
      const rows = words(face).map((word) => step.querySelector(`.row[data-v="${word}"]`));
      face.setAttribute("aria-label", row ? `${plain(row.querySelector(".eq"))}, ${plain(face)}`
        : rows.map((one) => [...one.children].map(plain).join(", ")).join("; "));
    }
  }

  for (const step of steps) {
    step.querySelector(".drawing").setAttribute("role", "group");
    for (const kind of KINDS) {
      faces(step, kind).forEach((face, k) => {
        face.tabIndex = k ? -1 : 0;
        face.setAttribute("role", "button");
        face.setAttribute("aria-pressed", "false");
      });
    }
    step.addEventListener("pointerover", (event) => {
      const over = event.pointerType === "mouse" && event.target.closest("[data-v]");
      if (over) light(step, words(over));
    });
    step.addEventListener("pointerleave", () => light(pinned?.step, pinned?.names));
    step.addEventListener("focusin", (event) => {
      if (!event.target.matches("[aria-pressed]")) return;
      pin(event.target);
      if (!card.offsetHeight || !event.target.matches(":focus-visible")) return;
      event.target.scrollIntoView({ block: "nearest", behavior: "instant" });
    });
    step.addEventListener("click", (event) => {
      const over = event.target.closest("[data-v]");
      if (!over) return;
      const face = event.target.closest("[aria-pressed]")
        || over.querySelector("[aria-pressed]") || step.querySelector(
          `.node[data-v~="${words(over)[0]}"]`);
      if (face === document.activeElement) pin(face);
      else face.focus({ preventScroll: true });
    });
    step.addEventListener("keydown", (event) => {
      const kind = KINDS.find((one) => event.target.matches(one));
      if (!kind || event.altKey || event.ctrlKey || event.metaKey) return;
      const all = faces(step, kind), k = all.indexOf(event.target);
      const to = {
        ArrowDown: k + 1, ArrowRight: k + 1, ArrowUp: k - 1, ArrowLeft: k - 1,
        Home: 0, End: all.length - 1, Enter: k, " ": k,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      all[Math.max(0, Math.min(to, all.length - 1))].focus();
    });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") unpin(); });
  document.addEventListener("focusin", (event) => {
    if (!event.target.closest(".step")) cover(false);
  });
  card.addEventListener("click", unpin);

  // One step at a time
  const bars = new Map();
  const flow = steps.map((step) => step.dataset.step);
  const names = {
    f: (key) => `forward, step ${key[1]}`, b: (key) => `backward, step ${key[1]}`,
    w: () => "the weights",
  };
  const called = (key) => names[key[0]](key);

  function show(key, move) {
    const step = document.getElementById(key), lesson = step.closest(".lesson");
    for (const one of lesson.querySelectorAll(".step")) one.hidden = one !== step;
    for (const button of bars.get(lesson).querySelectorAll("[data-to]")) {
      if (button.dataset.to === key) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    const k = flow.indexOf(key), bar = bars.get(lesson);
    for (const [name, to] of [["previous", flow[k - 1]], ["next", flow[k + 1]]]) {
      const button = bar.querySelector(`[data-way=${name}]`);
      button.hidden = !to;
      button.dataset.go = to || "";
      button.setAttribute("aria-label", to ? `${name}: ${called(to)}` : name);
    }
    if (pinned && pinned.step.closest(".lesson") === lesson && pinned.step !== step) unpin();
    if (move) lesson.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }

  for (const lesson of ["forward", "backward", "weights"].map(part)) {
    const bar = document.createElement("div");
    bar.className = "lesson-bar";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", `Steps, ${lesson.dataset.part}`);
    const button = (text, set) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      set(made);
      bar.append(made);
    };
    const own = [...lesson.querySelectorAll(".step")], many = own.length > 1;
    const way = many ? `${lesson.dataset.part}<span class="more">, step</span>`
      : "all steps together";
    bar.insertAdjacentHTML("beforeend", `<span class="way">${way}</span>`);
    button("‹", (made) => { made.dataset.way = "previous"; });
    for (const step of many ? own : []) {
      button(step.dataset.step[1], (made) => {
        made.dataset.to = step.dataset.step;
        made.setAttribute("aria-label", called(step.dataset.step));
      });
    }
    button("›", (made) => { made.dataset.way = "next"; });
    bar.insertAdjacentHTML("beforeend", '<span class="broken" hidden><span></span></span>');
    const fix = document.createElement("button");
    Object.assign(fix, { type: "button", textContent: "fix it" });
    fix.addEventListener("click", () => { choose(""); bar.querySelector("button:not([hidden])").focus(); });
    bar.lastChild.append(fix);
    bar.addEventListener("click", (event) => {
      const pressed = event.target.closest("[data-to], [data-way]");
      if (!pressed) return;
      const to = pressed.dataset.to || pressed.dataset.go;
      const leaves = document.getElementById(to).closest(".lesson") !== lesson;
      show(to, leaves);
      if (leaves) bars.get(document.getElementById(to).closest(".lesson"))
        .querySelector("[data-way=next]:not([hidden]), [data-way=previous]")
        .focus({ preventScroll: true });
      else if (pressed.hidden) bar.querySelector("[data-way]:not([hidden])").focus();
    });
    lesson.prepend(bar);
    bars.set(lesson, bar);
  }
  for (const step of steps) step.querySelector(".step-title").hidden = true;
  for (const lesson of bars.keys()) show(lesson.querySelector(".step").dataset.step);

  // An address with #b3-dc leads to that line of that step.
  function follow() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const step = target?.closest(".lesson .step");
    if (step) {
      show(step.dataset.step);
      if (target !== step) pin(target.querySelector(".eq"));
      target.scrollIntoView({ behavior: "instant" });
    } else if (target?.matches(".bug")) {
      choose(target.dataset.bug);
      target.scrollIntoView({ behavior: "instant" });
    }
  }

  // The switch
  const broken = part("broken");
  const field = document.createElement("fieldset");
  field.innerHTML = "<legend>Break it</legend>";
  const panels = [...broken.querySelectorAll(".bug")];
  for (const [value, title] of [["", "nothing: all is right"],
    ...panels.map((one) => [one.dataset.bug, data[one.dataset.bug].title])]) {
    const label = document.createElement("label"), input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "lesson-bug", value });
    label.append(input, title);
    field.append(label);
  }
  broken.prepend(field);
  field.addEventListener("change", (event) => choose(event.target.value));

  const numbers = [...document.querySelectorAll(".step [data-k]")];
  for (const one of numbers) one.dataset.right = one.textContent;
  const lines = [...document.querySelectorAll(".step .code-line[data-at] > span")];
  for (const one of lines) one.dataset.right = one.textContent;

  function choose(bug) {
    field.querySelector(`[value="${bug}"]`).checked = true;
    for (const one of panels) one.hidden = one.dataset.bug !== bug;
    const wrong = data[bug] || { numbers: {}, lines: {} };
    for (const one of numbers) {
      const text = wrong.numbers[one.dataset.k];
      const drawn = one.matches("text");
      if (drawn) one.textContent = text || one.dataset.right;
      one.classList.toggle("wrong", drawn && text !== undefined);
      if (text && !drawn) one.dataset.wrong = text;
      else delete one.dataset.wrong;
    }
    for (const one of lines) {
      const text = wrong.lines[one.parentNode.dataset.at];
      const indent = one.dataset.right.match(/^ */)[0];
      one.textContent = text ? indent + text.trim() : one.dataset.right;
      one.parentNode.classList.toggle("changed", Boolean(text));
    }
    for (const bar of bars.values()) {
      const note = bar.querySelector(".broken");
      note.hidden = !bug;
      note.firstChild.textContent = bug ? `broken: ${data[bug].title}` : "";
    }
    unpin(); // what is lit, and the card, would show the numbers of before
    name();
  }

  choose("");
  follow();
  window.addEventListener("load", () => { // steps are hidden now, so the place has moved
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    follow();
    target?.scrollIntoView({ behavior: "instant" });
  });
  window.addEventListener("hashchange", follow);
})();
