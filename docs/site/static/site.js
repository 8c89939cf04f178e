// The source column: it shows the file, and marks the lines, that the section in view quotes.
"use strict";

// Mathematics makes the page longer once it is set, so the place in the address is looked for again.
(function () {
  let moved = false;
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    window.addEventListener(kind, () => { moved = true; }, { passive: true });
  }
  window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(() => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && !moved) target.scrollIntoView({ behavior: "instant" });
  }));
})();

// The stepper in its frame is loaded when it is unfolded, and is as dark as the page.
(function () {
  const frames = [...document.querySelectorAll(".stepper-frame iframe")];
  const tell = (frame) => {
    frame.contentWindow?.postMessage({ theme: document.body.dataset.theme || "auto" }, "*");
  };
  for (const frame of frames) {
    frame.addEventListener("load", () => tell(frame));
    frame.parentNode.addEventListener("toggle", () => {
      if (!frame.src) frame.src = frame.dataset.src;
    });
  }
  new MutationObserver(() => frames.forEach(tell)).observe(document.body,
    { attributeFilter: ["data-theme"] });
})();

// A comma after a formula stays on the formula's line.
for (const formula of document.querySelectorAll("article span.math")) {
  const next = formula.nextSibling;
  const signs = next?.nodeType === Node.TEXT_NODE && next.data.match(/^[,.;:)]+/);
  if (!signs) continue;
  const together = document.createElement("span");
  together.style.whiteSpace = "nowrap";
  formula.replaceWith(together);
  together.append(formula, signs[0]);
  next.data = next.data.slice(signs[0].length);
}

// Landmarks of one kind have names.
document.querySelector(".sidebar-drawer").ariaLabel = "All pages";
document.querySelector(".toc-drawer").ariaLabel = "This page";

// Escape closes what the keyboard has opened.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const box of document.querySelectorAll(".sidebar-toggle:checked")) {
    box.checked = false;
    box.focus();
  }
});

// What can be scrolled can be reached by the keyboard: a box that is too narrow for what is in it.
const boxes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const wide = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    if (wide) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const box of document.querySelectorAll("article pre, article table, div.math, .beside-file")) {
  boxes.observe(box);
}

function oncePerFrame(act) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; act(); });
  };
}

// Where one is, in the list of the page's sections.
(function () {
  const list = document.querySelector(".sections");
  if (!list) return;
  const links = [...list.querySelectorAll("a[href^='#']")].filter((link) => link.hash);
  const places = links.map((link) => document.getElementById(link.hash.slice(1)));
  const mark = oncePerFrame(() => {
    const height = window.innerHeight * 0.25;
    const k = places.findLastIndex((place) => place.getBoundingClientRect().top <= height);
    list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    links[k]?.setAttribute("aria-current", "true");
  });
  for (const kind of ["scroll", "resize", "load"]) window.addEventListener(kind, mark, { passive: true });
  mark();
})();

(function () {
  const column = document.querySelector(".beside");
  if (!column) return;
  const files = new Map();
  for (const file of column.querySelectorAll(".beside-file")) {
    files.set(file.dataset.path, { box: file, lines: file.querySelectorAll("pre > span[id]") });
  }
  const link = column.querySelector(".beside-title a");
  const where = column.querySelector(".beside-title span");
  const uncover = column.querySelector(".beside-title button");
  const quotes = [...document.querySelectorAll("article .quote")];
  const sections = [...document.querySelectorAll("article section")];
  let shown = null, begun = false;

  // The lines of solutions that are still folded are covered.
  const solutions = [...document.querySelectorAll("article details")]
    .filter((fold) => fold.querySelector("summary").textContent.startsWith("Solution"));

  function cover() {
    const shut = (quote) => quote.closest("details:not([open])");
    const paint = (quote, covered) => {
      const [first, last] = range(quote), { lines } = files.get(quote.dataset.path);
      for (let k = first; k <= last; k++) lines[k - 1].classList.toggle("covered", covered);
    };
    for (const quote of quotes) paint(quote, false);
    for (const quote of quotes) if (solutions.includes(shut(quote))) paint(quote, true);
    uncover.hidden = !column.querySelector(".covered");
  }
  uncover.addEventListener("click", () => {
    solutions.length = 0;
    cover();
  });

  // The section whose heading was the last to pass this height.
  function sectionAt(height) {
    let found = sections[0];
    for (const section of sections) {
      if (section.getBoundingClientRect().top <= height) found = section;
    }
    return found;
  }

  function update() {
    const height = window.innerHeight * 0.4;
    const section = sectionAt(height);
    const here = quotes.filter((quote) => quote.closest("section") === section
      && !quote.closest("details:not([open])"));
    let current = here[0];
    for (const quote of here) {
      if (quote.getBoundingClientRect().top <= height) current = quote;
    }
    if (current === shown) return;
    shown = current;
    for (const { lines } of files.values()) {
      for (const line of lines) line.classList.remove("marked", "quoted");
    }
    if (current) show(current, here);
    else if (!begun) {
      const { path, first } = quotes[0].dataset;
      const box = open(path);
      box.scrollTop = files.get(path).lines[first - 1].offsetTop - 40;
    }
    where.hidden = !current;
  }

  function open(path) {
    for (const [name, { box }] of files) box.hidden = name !== path;
    const { box } = files.get(path);
    link.textContent = path;
    link.href = box.dataset.href;
    return box;
  }

  const range = (quote) => [Number(quote.dataset.first), Number(quote.dataset.last)];

  function show(current, here) {
    begun = true;
    const { path } = current.dataset, [first, last] = range(current);
    const box = open(path);
    const { lines } = files.get(path);
    for (const quote of here) {
      if (quote.dataset.path !== path) continue;
      const [from, to] = range(quote);
      for (let k = from; k <= to; k++) {
        lines[k - 1].classList.add(quote === current ? "marked" : "quoted");
      }
    }
    where.textContent = first === last ? `line ${first}` : `lines ${first} to ${last}`;
    const top = lines[first - 1].offsetTop, bottom = lines[last - 1].offsetTop;
    const room = box.clientHeight;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    // In the middle, or with its first line near the top where it is longer than the column.
    box.scrollTo({
      top: bottom - top > room * 0.8 ? top - 40 : (top + bottom) / 2 - room / 2,
      behavior: still ? "auto" : "smooth",
    });
  }

  const ask = oncePerFrame(update);
  window.addEventListener("scroll", ask, { passive: true });
  for (const kind of ["resize", "load"]) {  // what is scrolled before the page is whole begins at its top again
    window.addEventListener(kind, () => { shown = null; ask(); });
  }
  for (const fold of document.querySelectorAll("article details")) {
    fold.addEventListener("toggle", () => { shown = null; cover(); ask(); });
  }
  cover();
  update();
})();

// On paper nothing is folded.
window.addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("article details:not([open])")) {
    fold.open = true;
    window.addEventListener("afterprint", () => { fold.open = false; }, { once: true });
  }
});
