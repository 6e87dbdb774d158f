/** The list of versions that lie next to this one; versions.js says which. */
function listVersions() {
  const list = document.querySelector(".versions");
  const names = window.siteVersions ?? [];
  if (!list || names.length < 2) return;
  list.append("Versions: ");
  for (const name of names) {
    const link = document.createElement("a");
    link.href = `${list.dataset.root}${name}/index.html`;
    link.textContent = name;
    if (name === list.dataset.own) link.setAttribute("aria-current", "true");
    list.append(link, " ");
  }
  list.hidden = false;
}

/** What is wider than the page can be scrolled by keyboard, too. */
function letWideThingsTakeFocus() {
  for (const box of document.querySelectorAll("pre, .table-wrapper, .math-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

/** Names that tell the columns left and right of the text apart. */
function nameLandmarks() {
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
}

if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false; // would read the pages, which a browser refuses
}
listVersions();
nameLandmarks();
letWideThingsTakeFocus();
addEventListener("resize", letWideThingsTakeFocus);
