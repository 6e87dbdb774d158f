"""What is true of each character of a text, by rules that hold for prose, source code and tables.

A feature describes a text as it is after a character is read. Only brackets and apostrophes are
judged by what comes later: a bracket without its partner counts for nothing.

Legend: C characters.
"""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rnnlab.probes.feature_settings import FeatureSettings

PerCharacter = npt.NDArray[np.generic]
"""(C,) bool: yes or no, int64: a number."""

MARKS = re.compile(r"""["'“”„«»‘’]|\n[ \t\r]*(?=\n)""")
CLOSING = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "‘": "’"}
BRACKETS = {")": "(", "]": "[", "}": "{"}
TAB = 4
"""Columns of a tab in an indentation."""

SEPARATORS = "\t;,|"
LIKE_A_TABLE = 0.8
"""Share of the lines that must have the same number of separators."""
FEWEST_LINES = 3

NEXT = ("a letter", "a digit", "a space", "punctuation", "a line break")


def text_features(text: str, settings: FeatureSettings) -> dict[str, PerCharacter]:
    """Return the features of every text by name, and those after a given word; C at least 1."""
    characters = list(text)
    breaks = np.array([c == "\n" for c in characters])
    spaces = np.array([c.isspace() for c in characters])
    depth = bracket_depth(text)
    found: dict[str, PerCharacter] = {
        "position in line": since(breaks),
        "characters since a space": since(spaces),
        "inside quotes": inside_quotes(text),
        "inside brackets": depth > 0,
        "bracket depth": depth,
        "inside a word": np.array([in_word(c) for c in characters]),
        "uppercase": np.array([c.isupper() for c in characters]),
        "indentation": indentation(text),
    }
    classes = np.array([*map(next_class, characters[1:]), -1])
    for number, kind in enumerate(NEXT):
        found[f"next is {kind}"] = classes == number
    if separator := settings.separator or separator_of(text):
        found[f"column (by {separator!r})"] = column(*cells(text, separator))
    for word in settings.after:
        found[f"after {word!r}"] = after_word(text, word)
    return found


def since(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Count the characters after the last mark, 0 at the mark; before the first, from the start."""
    places = np.arange(1, len(marks) + 1)
    return places - np.maximum.accumulate(np.where(marks, places, 0))


def in_word(character: str) -> bool:
    """Whether a character is a letter, a digit or an underscore."""
    return character.isalnum() or character == "_"


def next_class(character: str) -> int:
    """Return the place of a character's class in NEXT."""
    if character == "\n":
        return 4
    tests = (character.isalpha(), character.isdigit(), character.isspace())
    return tests.index(True) if True in tests else 3


def inside_quotes(text: str) -> npt.NDArray[np.bool_]:
    """Mark what is in quotation marks of any kind: true at the opening one, not at the closing.

    Marks of another kind within a quotation do not count. An apostrophe opens one only if no letter
    or digit stands before it, and closes it only if none follows. An empty line ends it.
    """
    found = np.zeros(len(text), bool)
    begin, closing = 0, ""  # of the open quotation; "": none is open
    for match in MARKS.finditer(text):
        mark, place = match[0], match.start()
        before, after = text[max(0, place - 1) : place], text[place + 1 : place + 2]
        if closing:
            is_apostrophe = mark in ("'", "’") and after.isalnum()
            if mark[0] == "\n" or (mark == closing and not is_apostrophe):
                found[begin:place] = True
                closing = ""
        elif mark in CLOSING and (mark != "'" or not before.isalnum()):
            begin, closing = place, CLOSING[mark]
    if closing:
        found[begin:] = True
    return found


def bracket_depth(text: str) -> npt.NDArray[np.int64]:
    """Count the pairs of brackets around each character; the opening one counts as inside."""
    steps = np.zeros(len(text), np.int64)
    opened = list[int]()
    for match in re.finditer(r"[()\[\]{}]", text):
        bracket, place = match[0], match.start()
        if bracket not in BRACKETS:
            opened.append(place)
        elif any(text[begin] == BRACKETS[bracket] for begin in opened):
            while text[begin := opened.pop()] != BRACKETS[bracket]:
                pass
            steps[begin] += 1
            steps[place] -= 1
    return np.cumsum(steps)


def indentation(text: str) -> npt.NDArray[np.int64]:
    """Count the columns of white space with which the line begins, so far; 0 at a line break."""
    found = np.zeros(len(text), np.int64)
    for line in re.finditer(r"(?m)^[ \t]+", text):
        widths = np.cumsum([TAB if c == "\t" else 1 for c in line[0]])
        begin, end = line.span()
        line_end = text.find("\n", end)
        found[begin:end] = widths
        found[end : None if line_end < 0 else line_end] = widths[-1]
    return found


def cells(text: str, separator: str) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Mark the separators between the cells of a table, and the line breaks that end a row.

    Neither counts in a cell that begins with a double quotation mark, as far as the next one that
    is not doubled (RFC 4180, section 2; like Python's csv module).
    """
    between, ends = np.zeros((2, len(text)), bool)
    quoted = "" if separator == '"' else r'(?:"[^"]*+(?:""[^"]*+)*+"?)?+'
    expression = rf"{quoted}[^{re.escape(separator)}\n]*+([{re.escape(separator)}\n]|\Z)"
    for cell in re.finditer(expression, text):
        if cell[1]:
            (ends if cell[1] == "\n" else between)[cell.end() - 1] = True
    return between, ends


def column(between: npt.NDArray[np.bool_], ends: npt.NDArray[np.bool_]) -> PerCharacter:
    """Count the separators of the row so far."""
    total = np.cumsum(between)
    return total - np.maximum.accumulate(np.where(ends, total, 0))


def separator_of(text: str) -> str:
    """Return what separates the columns, if nearly all rows have the same number of it, or ""."""
    for separator in SEPARATORS:
        if separator not in text:
            continue
        between, ends = cells(text, separator)
        last = np.append(-1, np.flatnonzero(ends))
        counts = np.diff(np.append(0, np.cumsum(between))[last + 1])
        rows = [
            count
            for count, (a, b) in zip(counts.tolist(), pairwise(last.tolist()), strict=True)
            if text[a + 1 : b].strip()
        ]
        if len(rows) >= FEWEST_LINES:
            count, share = Counter(rows).most_common(1)[0]
            if count and share >= LIKE_A_TABLE * len(rows):
                return separator
    return ""


def after_word(text: str, word: str) -> npt.NDArray[np.bool_]:
    """Mark the word after each occurrence of a word, with what stands between; any case."""
    found = np.zeros(len(text), bool)
    expression = rf"(?<!\w){re.escape(word)}(?!\w)(?=(\W+\w+))"
    for match in re.finditer(expression, text, re.IGNORECASE):
        found[slice(*match.span(1))] = True
    return found
