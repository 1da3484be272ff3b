// Keeps a page fresh while something moves: asks for the page again and swaps its <main>.
// The page is whole without this file. Open <details> stay open; it stops when the page says so.
"use strict";
(() => {
  const wait = () => Number(document.querySelector("main").dataset.live) * 1000;
  const again = () => { if (wait()) setTimeout(refresh, wait()); };
  async function refresh() {
    if (document.hidden) return again();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the site is away; the page stays as it was */ }
    again();
  }
  function swap(page) {
    const here = document.querySelector("main");
    const next = page.querySelector("main");
    if (!next || here.contains(document.activeElement) && document.activeElement !== here) return;
    for (const open of here.querySelectorAll("details[open][id]")) {
      const twin = next.querySelector("#" + CSS.escape(open.id));
      if (twin) twin.open = true;
    }
    here.dataset.live = next.dataset.live || "0";
    if (here.innerHTML !== next.innerHTML) here.replaceChildren(...next.childNodes);
  }
  again();
})();
