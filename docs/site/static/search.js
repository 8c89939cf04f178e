// Under each page that the search finds: its sections with the words in them, and a line of each.
// Sphinx would fetch the pages for that, which a page on the disk may not.
"use strict";

(function () {
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const words = query.toLowerCase().split(/\s+/).filter(Boolean).map((word) => word.replace(/s$/, ""));

  function sections(page) {
    const all = searchTexts[page] ?? [];
    const holds = (text) => words.every((word) => text.toLowerCase().includes(word));
    const named = all.filter(([, title]) => holds(title));
    return [...named, ...all.filter((section) => !named.includes(section) && holds(section[2]))];
  }

  function excerpt(text) {
    const at = Math.max(0, Math.min(...words.map((word) => {
      const place = text.toLowerCase().indexOf(word);
      return place < 0 ? Infinity : place;
    }).concat(text.length)) - 60);
    const from = at && text.indexOf(" ", at) + 1;
    return `${from ? "... " : ""}${text.slice(from, from + 160)}${text.length > from + 160 ? " ..." : ""}`;
  }

  function show(item) {
    const link = item.querySelector("a");
    const page = new URL(link.href).pathname.split("/").pop().replace(/\.html$/, "");
    if (link.getAttribute("href").includes("#")) return;
    const list = document.createElement("ul");
    list.className = "search-sections";
    for (const [id, title, text] of sections(page).slice(0, 3)) {
      const entry = document.createElement("li"), to = document.createElement("a");
      to.href = `${link.getAttribute("href")}#${id}`;
      to.textContent = title;
      entry.append(to, `: ${excerpt(text)}`);
      list.append(entry);
    }
    if (list.children.length) item.append(list);
  }

  new MutationObserver((records) => {
    for (const { target, addedNodes } of records) {
      if (target.matches("#search-results > ul")) addedNodes.forEach(show);
    }
  }).observe(document.getElementById("search-results"), { childList: true, subtree: true });
})();
