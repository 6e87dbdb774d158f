"""What the word tokenizer must cut, from the Unicode word boundaries of the whole text."""

import regex

BOUNDARY = regex.compile(r"(?w)\b")


def unicode_words(text: str) -> list[str]:
    """Segments of UAX 29; but white space stands alone, or a space before what follows it.

    The boundaries are those of the regex library, asked for the whole text at once.
    """
    tokens: list[str] = []
    for segment in filter(None, BOUNDARY.split(text)):
        if segment == "\r\n":
            tokens.append(segment)
            continue
        for part in regex.split(r"([\s\x1c-\x1f])", segment):
            if not part:
                continue
            if not part.isspace() and tokens and tokens[-1] == " ":
                tokens[-1] += part
            else:
                tokens.append(part)
    return tokens
