"""The commands that stand in pages: in consoles, in indented blocks, and within sentences."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "experiments/*.md")
    for page in sorted(ROOT.glob(pattern))
    if "_build" not in page.parts
]
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def command_lines(text: str) -> Iterator[str]:
    """Each line of a console or of an indented block, with the lines that go on with it."""
    language = ""
    text = re.sub(r"\n      +(--.*)", r" \1", text.replace("\\\n", " "))
    for line in text.splitlines():
        if line.startswith("```"):
            language = "" if language else line[3:] or "text"
        elif language == "console" and line.startswith("$ "):
            yield line[2:]
        elif not language and re.match(r"    \S", line):
            yield line[4:]


def words_of(line: str) -> Iterator[list[str]]:
    """The words of each program of a line, without comments and without where output goes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&;")
    lexer.whitespace_split, lexer.commenters = True, "#"
    program: list[str] = []
    is_file = False
    for word in [] if line.startswith('python -c "') else lexer:  # of several lines
        if word in ("|", "&&", ";"):
            yield program
            program = []
        elif word == ">":
            is_file = True
        elif is_file:
            is_file = False
        else:
            program.append(word)
    yield program


def commands(page: Path, program: str) -> list[list[str]]:
    """The commands of a program in the blocks of a page: the words after its name."""
    found = []
    for line in command_lines(page.read_text(encoding="utf-8")):
        for words in words_of(line) if f"{program} " in line else ():
            while words and re.match("[A-Z_]+=", words[0]):
                words = words[1:]
            if words[:2] == ["taskset", "-c"]:
                words = words[3:]
            if words[:1] == [program]:
                found.append(words[1:])
    return found


def mentions(page: Path) -> list[list[str]]:
    """What stands in sentences, such as `rnnlab train --resume RUN`: the words after the name."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [span.split() for span in re.findall(r"`rnnlab ([a-z][^`]*)`", text)]
