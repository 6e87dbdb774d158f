"""What it costs to spell a token that is not in the vocabulary.

For such a token a language model predicts <unk>, which does not say what stands there. The length
of a code for that is added to the model's own. So bits per character are the length of a code from
which the text can be decoded, for every tokenizer and vocabulary.

An unknown character is coded by its page, the 256 code points with the same higher bits, and by its
place among the characters of the page that are not known. A page with n of the N known characters
has the probability

    (n + a) / (N + a P),    a = 1/64,  P = 4,352 pages;

pages that are known completely are left out.

An unknown word is coded character by character, with an end sign, by an n-gram over the characters
of words that are rare in the training text, with Witten-Bell smoothing (Chen and Goodman 1998,
section 2.5). For a context u with c(u) occurrences and N(u) different followers

    p(w | u) = (c(u w) + N(u) p(w | u')) / (c(u) + N(u)),

where u' is u without its first character, and p(w) falls back on the pages. Words seen once are the
best sample of the unseen (Baayen and Sproat 1996, Computational Linguistics 22:155).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

PAGE = 256
PAGES = 0x110000 // PAGE
RARITY = 1 / 64
"""The weight of a page without a known character."""

CONTEXT = 3
"""How many characters of a word the next one is predicted from."""

BEGIN, END = "\0" * CONTEXT, ""


class CharacterSpelling:
    """Codes a character by its page and its place there.

    known: the characters that pages are weighted by. excluded: whether these are never coded, so
    that the others have all of the probability.
    """

    def __init__(self, known: Iterable[str], *, excluded: bool) -> None:
        characters = set(known)
        self._excluded = characters if excluded else set()
        self._known = Counter(ord(character) // PAGE for character in characters)
        self._taken = Counter(ord(character) // PAGE for character in self._excluded)
        open_pages = PAGES - sum(n == PAGE for n in self._taken.values())
        weights = sum(n for page, n in self._known.items() if self._taken[page] < PAGE)
        self._total = weights + RARITY * open_pages

    def probability(self, character: str) -> float:
        """Return p(character); 0 if it is never coded."""
        if character in self._excluded:
            return 0.0
        page = ord(character) // PAGE
        return (self._known[page] + RARITY) / self._total / (PAGE - self._taken[page])

    def nats(self, character: str) -> float:
        """Return -ln p of a character that is not excluded."""
        return -math.log(self.probability(character))


class WordSpelling:
    """Codes a word by what follows what in other words."""

    def __init__(self, words: Iterable[str]) -> None:
        followers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        characters: set[str] = set()
        for word in words:
            characters.update(word)
            for context, character in _steps(word):
                for start in range(CONTEXT + 1):
                    followers[context[start:]][character] += 1
        self._followers = dict(followers)
        self._totals = {context: counts.total() for context, counts in followers.items()}
        self._pages = CharacterSpelling(characters, excluded=False)

    def nats(self, word: str) -> float:
        """Return -ln p(word), the end sign included."""
        return -sum(math.log(self.probability(*step)) for step in _steps(word))

    def probability(self, context: str, character: str) -> float:
        """Return p(character) after a context of CONTEXT characters; END ends a word."""
        p = 0.5 if character == END else 0.5 * self._pages.probability(character)
        for start in range(CONTEXT, -1, -1):
            counts = self._followers.get(context[start:])
            if counts is None:
                break
            kinds, total = len(counts), self._totals[context[start:]]
            p = (counts[character] + kinds * p) / (total + kinds)
        return p


def _steps(word: str) -> Iterator[tuple[str, str]]:
    """Yield every character of a word and its end sign, with the CONTEXT characters before it."""
    padded = BEGIN + word
    for at in range(len(word) + 1):
        yield padded[at : at + CONTEXT], padded[at + CONTEXT : at + CONTEXT + 1]
