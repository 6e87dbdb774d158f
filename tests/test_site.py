"""The site, built from all pages without executing notebooks, and read in a browser from disk."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
from browser import AXE, DESK, PHONE, clean_page, heard, overflows, violations
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, expect

from rnnlab import __version__
from rnnlab.commands import COMMANDS
from rnnlab.config import Settings

ROOT = Path(__file__).parents[1]
LONGEST = 1_500
"""Words of a page."""
OF_EACH_KIND = [
    "index", "search", "course/1-a-text-as-a-sequence", "how-to/write-up", "source/native/lstm.cc",
]  # fmt: skip
"""Pages that together have all kinds of elements: tables, code, formulas, cells of a notebook."""
COLOURS = ["color-contrast", "link-in-text-block"]
"""Rules of axe that look at each piece of text, for most of its time."""
SHOW = """async ([article, address]) => {
  document.querySelector("base")?.remove();
  document.head.append(Object.assign(document.createElement("base"), { href: address }));
  document.querySelector("article").outerHTML = article;
  dispatchEvent(new Event("resize"));  // docs/_static/site.js looks at what is wide
  await Promise.all([...document.images].map((image) => image.decode()));
  return document.querySelector("article").offsetHeight;
}"""
"""Shows the article of another page as if it were that page, and returns its height."""
HIDDEN = """(() => {
  const { scrollWidth, clientWidth } = document.querySelector(".content");
  return scrollWidth - clientWidth;
})()"""
"""By how much the article is wider than its place, which furo lets scroll."""

sys.path.append(str(ROOT / "docs" / "_extensions"))

import versions  # noqa: E402


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the site, and what building it has printed."""
    folder = tmp_path_factory.mktemp("site")
    site = folder / "html" / __version__
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-c", "docs", "-d", folder / "doctrees"),
            *("-D", "nb_execution_mode=off", "-D", "suppress_warnings=myst-nb.lexer", ".", site),
        ],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return site, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(built: tuple[Path, str]) -> Path:
    return built[0]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, BeautifulSoup]:
    """All pages by their addresses, most without their frame; of those that show a source, two."""
    shown = ["native/lstm.cc", "src/rnnlab/cells/lstm.py"]
    files = [file for file in site.rglob("*.html") if not {"source", "_downloads"} & {*file.parts}]
    files += [site / "source" / f"{name}.html" for name in shown]
    parsed = {}
    for file in files:
        name = file.relative_to(site).with_suffix("").as_posix()
        text = file.read_text(encoding="utf-8")
        if name not in OF_EACH_KIND:
            text = text[text.index("<article") : text.index("</article>")]
        parsed[name] = BeautifulSoup(text, "html.parser")
    assert len(parsed) > 50
    return parsed


def is_source(name: str) -> bool:
    return name.startswith("source/")


def test_building_warns_of_nothing(built: tuple[Path, str]) -> None:
    assert built[1] == ""


def test_no_page_is_too_long(pages: dict[str, BeautifulSoup]) -> None:
    words = {
        name: len(article.get_text().split())
        for name, page in pages.items()
        if not is_source(name) and (article := page.find("article"))
    }
    assert min(words.values()) > 0
    assert {name: count for name, count in words.items() if count > LONGEST} == {}


def test_every_address_on_the_site_leads_somewhere(
    site: Path, pages: dict[str, BeautifulSoup]
) -> None:
    ids = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in pages.items()}
    lost = set[str]()
    for name, page in pages.items():
        here = site / f"{name}.html"
        for tag, attribute in (("a", "href"), ("img", "src"), ("script", "src"), ("link", "href")):
            for found in page.find_all(tag, **{attribute: True}):
                address, anchor = urldefrag(unquote(str(found[attribute])))
                if re.match("[a-z]+:", address):
                    assert tag == "a", f"{name} loads {address}"
                    continue
                file = (here.parent / address.partition("?")[0]).resolve() if address else here
                own = file.relative_to(site.parent).as_posix()
                target = own.removeprefix(f"{__version__}/").removesuffix(".html")
                if not file.is_file() or (anchor and anchor not in ids.get(target, {anchor})):
                    lost.add(f"{name}: {found[attribute]}")
    assert lost == set()


def test_all_settings_and_all_flags_are_in_the_reference(
    pages: dict[str, BeautifulSoup], capsys: pytest.CaptureFixture[str]
) -> None:
    forms = [code.get_text() for code in pages["reference/settings"].select("td:first-child code")]
    flags = [form.split()[0].rstrip(",") for form in forms]
    assert flags == [f"--{name.replace('_', '-')}" for name in Settings.names()]
    listed = pages["reference/command-line"].select("td:first-child")
    assert [cell.get_text().strip() for cell in listed] == [f"rnnlab {name}" for name in COMMANDS]
    import rnnlab.cli

    texts = {
        str(section["id"]): section.get_text()
        for name, page in pages.items()
        if name.startswith("reference/command-line-")
        for section in page.select("section section")
    }
    texts["rnnlab-train"] += pages["reference/settings"].get_text()
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            rnnlab.cli.main([*name.split(), "--help"])
        known = set(re.findall(r"^ +(--[a-z][a-z-]+)", capsys.readouterr().out, re.MULTILINE))
        text = texts[f"rnnlab-{name.replace(' ', '-')}"]
        assert not [flag for flag in known if flag not in text]
        assert not re.search("–[a-z]", text)


def test_formulas_are_mathml(pages: dict[str, BeautifulSoup]) -> None:
    chapter = pages["course/1-a-text-as-a-sequence"]
    assert chapter.select("math[display=block]")
    assert chapter.select("math[display=inline]")
    assert not [name for name, page in pages.items() if page.select(".math:not(:has(math))")]


def test_sources_are_shown_and_notebooks_can_be_taken_along(
    site: Path, pages: dict[str, BeautifulSoup]
) -> None:
    shown = pages["source/src/rnnlab/cells/lstm.py"].find("article")
    text = (ROOT / "src/rnnlab/cells/lstm.py").read_text(encoding="utf-8")
    assert shown
    assert shown.select_one("pre").get_text().strip() == text.strip()  # type: ignore[union-attr]
    names = [name for name in pages if re.match(r"(zh/)?course/\d-", name)]
    assert len(names) == 2 * 7
    for name in names:
        link = pages[name].select_one(".notebook a[download]")
        assert link
        file = (site / name).with_name(str(link["href"]))
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        assert {cell["cell_type"] for cell in cells} == {"code", "markdown"}
        assert "remove-cell" not in str(cells)
        words = "".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
        number = Path(name).name[0]
        anchor = f"第-{number}-章" if name.startswith("zh") else f"chapter-{number}"
        assert f"(solutions.html#{anchor})" in words
        assert ("(data:image/svg+xml;base64," in words) == ("4-" in name)
        targets = re.findall(r"\]\(([^)]*)", words)
        assert [own for own in targets if not re.match("https?:|data:|#", own)] == []


def test_pages_in_two_languages_lead_to_each_other(
    site: Path, pages: dict[str, BeautifulSoup]
) -> None:
    chinese = [name for name in pages if name.startswith("zh/")]
    assert {"zh/index", "zh/course/4-the-lstm", "zh/reference/glossary"} <= {*chinese}
    for name in chinese:
        english = name.removeprefix("zh/")
        for here, there, language in ((english, name, "en"), (name, english, "zh-CN")):
            file = site / f"{here}.html"
            assert re.search(f'<html [^>]*lang="{language}"', file.read_text(encoding="utf-8"))
            links = {str(link["href"]) for link in pages[here].find_all("a", href=True)}
            assert {file.parent.joinpath(link).resolve() for link in links} & {
                (site / f"{there}.html").resolve()
            }


def test_versions_are_listed_newest_first(site: Path, browser: Browser) -> None:
    folder = site.parent
    for other in ("0.0.9", "0.0.10"):
        (folder / other).mkdir()
        (folder / other / "index.html").write_text("<title>Earlier</title>", encoding="utf-8")
    (folder / "not-a-version").mkdir()
    app: Any = SimpleNamespace(outdir=site, config=SimpleNamespace(version=__version__))
    versions.write_list(app, None)
    with clean_page(browser) as page:
        page.goto((folder / "index.html").as_uri())
        page.wait_for_url(f"**/{__version__}/index.html")
        links = page.get_by_role("navigation", name="Versions").get_by_role("link")
        expect(links).to_have_text([__version__, "0.0.10", "0.0.9"])
        assert links.first.get_attribute("aria-current") == "true"
        links.last.click()
        expect(page).to_have_title("Earlier")
    for other in ("0.0.9", "0.0.10", "not-a-version"):
        shutil.rmtree(folder / other)
    versions.write_list(app, None)


@pytest.fixture
def reader(site: Path, browser: Browser) -> Iterator[Page]:
    """A page of a browser that may read the site's files, and log nothing."""
    size = {"width": DESK, "height": 900}
    with clean_page(browser, viewport=size, script=AXE) as page, heard(page) as (said, addresses):
        yield page
        # Furo says that it has changed to dark mode.
        assert [text for text in said if not text.startswith("Changed to ")] == []
        own = (site.parent.as_uri(), "data:")
        assert [address for address in addresses if not address.startswith(own)] == []


def faults(
    page: Page, part: str = "html", without: Sequence[str] = (), only: Sequence[str] = ()
) -> list[str]:
    """What axe finds, without headers of tables that are formulas, whose text it does not see."""
    found = violations(page, part, without, only)
    return [each for each in found if "<math" not in each.partition("(")[0]]


def styles(file: Path) -> set[Path]:
    """The style sheets that a page names."""
    head = file.read_text(encoding="utf-8").partition("</head>")[0]
    links = BeautifulSoup(head, "html.parser").select("link[rel=stylesheet]")
    return {(file.parent / str(link["href"]).partition("?")[0]).resolve() for link in links}


def test_every_page_is_accessible_and_fits_a_phone(
    site: Path, pages: dict[str, BeautifulSoup], reader: Page
) -> None:
    """One page is loaded, and shows the articles of all others, one after the other.

    What is around the article and how it is coloured is the same on all pages; the next test looks
    at both.
    """
    frame = site / f"{OF_EACH_KIND[2]}.html"
    reader.set_viewport_size({"width": PHONE, "height": 844})
    reader.goto(frame.as_uri())
    reader.evaluate("for (const one of document.querySelectorAll('.sidebar-drawer, .toc-drawer'))"
                    " one.replaceChildren()")  # fmt: skip
    found = dict[str, Any]()
    for name, page in pages.items():
        if not is_source(name):
            file = site / f"{name}.html"
            assert styles(file) == styles(frame)
            height = reader.evaluate(SHOW, [str(page.find("article")), file.as_uri()])
            assert height > 0, name
            found[name] = faults(reader, "article", without=COLOURS)
            found[f"{name}, width"] = overflows(reader) + reader.evaluate(HIDDEN)
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_light_and_dark_pages_can_be_read(site: Path, reader: Page, name: str) -> None:
    reader.goto((site / f"{name}.html").as_uri())
    assert background(reader) > 240
    assert faults(reader) == []
    reader.emulate_media(color_scheme="dark")
    assert background(reader) < 40
    assert faults(reader, only=COLOURS) == []


def background(page: Page) -> float:
    """How bright the page is, 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(map(float, re.findall(r"[\d.]+", colour)[:3]))


def test_the_reader_chooses_light_or_dark(site: Path, reader: Page) -> None:
    reader.goto((site / "index.html").as_uri())
    assert background(reader) > 240
    button = reader.get_by_role("button", name="Toggle Light / Dark / Auto color theme")
    for _ in range(3):
        button.locator("visible=true").click()
        if background(reader) < 40:
            break
    assert background(reader) < 40
    reader.goto((site / "reference/glossary.html").as_uri())
    assert background(reader) < 40


def test_the_search_works_from_disk(site: Path, reader: Page) -> None:
    reader.goto((site / "how-to/resume.html").as_uri())
    box = reader.get_by_role("searchbox", name="Search").or_(reader.get_by_label("Search"))
    box.first.fill("Kneser-Ney")
    box.first.press("Enter")
    results = reader.locator("#search-results li a")
    results.first.wait_for()
    results.get_by_text("Baselines and leads", exact=True).click()
    expect(reader).to_have_title(re.compile("^Baselines and leads"))


def test_prints_without_the_frame(site: Path, reader: Page) -> None:
    reader.goto((site / "how-to/own-cell.html").as_uri())
    reader.emulate_media(media="print")
    for frame in (".sidebar-drawer", ".toc-drawer", ".related-pages"):
        assert not reader.locator(frame).is_visible()
    assert reader.locator("article h1").is_visible()
    assert overflows(reader) == 0


def test_the_lab_sheet_is_two_pages_of_paper(site: Path, reader: Page) -> None:
    for sheet in ("course/lab-sheet", "zh/course/lab-sheet"):
        reader.goto((site / f"{sheet}.html").as_uri())
        printed = reader.pdf(
            format="A4", margin={"top": "12mm", "right": "12mm", "bottom": "12mm", "left": "12mm"}
        )
        assert len(re.findall(rb"/Type */Page\b", printed)) == 2
