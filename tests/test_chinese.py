"""The Chinese pages say what the English ones do: structure, code, figures and links are equal."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
CHINESE = ROOT / "docs" / "zh"
PAIRS = {
    page: ROOT / "docs" / page.relative_to(CHINESE)
    for folder in ("course", "reference")
    for page in sorted((CHINESE / folder).glob("*.md"))
} | {ROOT / "README.zh.md": ROOT / "README.md"}

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
WORDS = re.compile(r"\\text\{[^}]*\}")
WORDY = {"text", "code_inline", "softbreak"}
IDEOGRAPH = re.compile(r"[一-鿿]")
SENTENCE = re.compile(r"([A-Za-z]+ ){3}[a-z]+")
HALF_WIDTH = re.compile(r"[一-鿿][,;:!?]|[,;:!?] ?[一-鿿]|[一-鿿] ?\.(?!\w)")
BROKEN = re.compile(r"[，。、；：！？）一-鿿]\n")
TOGETHER = re.compile(r"[一-鿿][A-Za-z0-9]|[A-Za-z0-9][一-鿿]")


class Text:
    """A page as CommonMark reads it."""

    def __init__(self, page: Path) -> None:
        self.page = page
        self.source = page.read_text(encoding="utf-8")
        front = FRONT_MATTER.match(self.source)
        self.front_matter = front[0] if front else ""
        body = self.source.removeprefix(self.front_matter)
        self.formulas = Counter(WORDS.sub("", formula) for formula in MATH.findall(body))
        self.blocks = MarkdownIt().enable("table").parse(MATH.sub("`formula`", body))

    def inline(self) -> Iterator[Token]:
        """All that stands within paragraphs, headings and cells of tables."""
        for block in self.blocks:
            yield from block.children or ()

    def code(self) -> list[str]:
        """The settings of the notebook, its cells, and all other blocks of code, in their order."""
        blocks = [f"{block.info}\n{block.content}" for block in self.blocks if block.tag == "code"]
        return [self.front_matter, *blocks]

    def structure(self) -> list[str]:
        """Headings, paragraphs, formulas, lists, tables and code in their order."""
        return [
            "formula" if block.content == "`formula`" else f"{block.type} {block.tag}"
            for block in self.blocks
        ]

    def figures(self) -> Counter[str]:
        """All numbers in words and formulas."""
        words = [token.content for token in self.inline() if token.type in ("text", "code_inline")]
        found = re.findall(r"\d+(?:[.,]\d+)*", " ".join([*words, *self.formulas.elements()]))
        return Counter(found)

    def inline_code(self) -> Counter[str]:
        return Counter(token.content for token in self.inline() if token.type == "code_inline")

    def targets(self) -> Counter[tuple[Path | str, int | str]]:
        """Where links and pictures lead to; a page of the other language counts as its own."""
        found = Counter[tuple[Path | str, int | str]]()
        for token in [token for top in self.inline() for token in (top, *(top.children or ()))]:
            address = str(token.attrs.get("href") or token.attrs.get("src") or "")
            if not address:
                continue
            if "://" in address:
                found[address, ""] += 1
                continue
            link, _, anchor = address.partition("#")
            target = (self.page.parent / link).resolve() if link else self.page
            assert target.exists(), f"{self.page} links to {link}, which does not exist"
            place = anchors(target).index(anchor) if anchor else ""
            found[PAIRS.get(target, target), place] += 1
        return found

    def words(self) -> Iterator[str]:
        """Each heading, paragraph and cell of a table, then the description of each picture."""
        for block in self.blocks:
            if block.type == "inline":
                yield plain(block)
        yield from (token.content for token in self.inline() if token.type == "image")

    def titles(self) -> list[str]:
        """All headings."""
        after = zip(self.blocks, self.blocks[1:], strict=False)
        return [plain(title) for block, title in after if block.type == "heading_open"]


def plain(block: Token) -> str:
    """What a paragraph says in words."""
    parts = [(token.type, token.content) for token in block.children or ()]
    return "".join("\n" if kind == "softbreak" else text for kind, text in parts if kind in WORDY)


def anchors(page: Path) -> list[str]:
    """The anchors of a page's headings, as MyST makes them of their words."""
    words = [re.sub(r"[^\w\- ]", "", title.lower()) for title in Text(page).titles()]
    return [quote(title.replace(" ", "-")) for title in words]


SAME: list[Callable[[Text], object]] = [
    Text.code, Text.structure, Text.figures, Text.inline_code, Text.targets,
    lambda text: text.formulas,
]  # fmt: skip


@pytest.mark.parametrize("page", PAIRS, ids=lambda page: str(page.relative_to(ROOT)))
def test_both_pages_have_the_same(page: Path) -> None:
    chinese, english = Text(page), Text(PAIRS[page])
    for what in SAME:
        assert what(chinese) == what(english)


@pytest.mark.parametrize("page", [*PAIRS, CHINESE / "index.md"], ids=lambda page: page.stem)
def test_is_written_as_chinese_is(page: Path) -> None:
    """All is translated, punctuated in full width, and set apart from Latin letters."""
    text = Text(page)
    for title in text.titles():
        assert IDEOGRAPH.search(title) or title == "rnnlab", f"{title!r} is not translated"
    for words in text.words():
        assert IDEOGRAPH.search(words) or not SENTENCE.search(words), f"{words} is not translated"
        assert "*" not in words, f"{words} has a star that marks nothing"
        assert not HALF_WIDTH.search(words), words
        assert not TOGETHER.search(words), words
        assert not BROKEN.search(words), f"{words!r}: the end of a line becomes a space"


def test_everything_that_is_promised_is_there() -> None:
    course = {page.name for page in (ROOT / "docs/course").glob("*.md")}
    assert course == {page.name for page in (CHINESE / "course").glob("*.md")}
    assert (CHINESE / "reference/glossary.md").is_file()
