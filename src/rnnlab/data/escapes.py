"""Characters that cannot be typed, as people write them in flags and lists."""

import re

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


def unescaped(text: str) -> str:
    r"""Return a text in which \n, \t, \r, \0 and \\ are what they stand for, as in printf."""
    return re.sub(r"\\([ntr0\\])", lambda found: ESCAPES[found[1]], text)
