"""A text coloured by surprise at a real terminal, and plain where there is none."""

import os
import pty
from pathlib import Path

import pyte
from command_line import RNNLAB, Cli

import rnnlab
from rnnlab.display.probe import BITS_PER_SHADE, SHADES

TEXT = "The cat\x1b[31m sees\x07 the\x9b dog."
SEEN = "The cat␛[31m sees␇ the� dog."
"""Control characters are shown and not obeyed."""
SIZE = (30, 100)


def shown(run: Path, *args: str, **environment: str) -> pyte.Screen:
    """Return what `rnnlab probe` leaves on the screen of a pseudo terminal of its own."""
    screen = pyte.Screen(SIZE[1], SIZE[0])
    stream = pyte.ByteStream(screen)
    pid, fd = pty.fork()
    if not pid:
        for name in ("NO_COLOR", "FORCE_COLOR"):
            os.environ.pop(name, None)
        size = {"COLUMNS": str(SIZE[1]), "LINES": str(SIZE[0])}
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", **size, **environment}
        os.execv(RNNLAB, [str(RNNLAB), "probe", str(run), *args])
    while True:
        try:
            if not (content := os.read(fd, 65536)):
                break
        except OSError:  # it has ended
            break
        stream.feed(content)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)
    return screen


def row_of(screen: pyte.Screen, text: str) -> int:
    return next(n for n, line in enumerate(screen.display) if line.rstrip() == text)


def backgrounds(screen: pyte.Screen, text: str) -> list[str]:
    row = screen.buffer[row_of(screen, text)]
    return [row[column].bg for column in range(len(text))]


def test_each_character_has_the_shade_of_its_surprise(trained: tuple[Path, str]) -> None:
    screen = shown(trained[0], TEXT, "--what", "surprise")
    bits = rnnlab.probe(trained[0], TEXT, what="surprise")["surprise"].bits  # type: ignore[attr-defined]
    places = [0, *(min(len(SHADES) - 1, int(b / BITS_PER_SHADE)) for b in bits)]
    assert len({*places}) > 2
    expected = [SHADES[place].removeprefix("#") or "default" for place in places]
    assert backgrounds(screen, SEEN) == expected
    assert screen.display[0].startswith(f"{trained[0].name}, the given text, {len(TEXT)} tokens")


def test_without_colours_the_text_is_plain(trained: tuple[Path, str], cli: Cli) -> None:
    screen = shown(trained[0], TEXT, "--what", "surprise", NO_COLOR="1")
    assert {*backgrounds(screen, SEEN)} == {"default"}
    done = cli("probe", str(trained[0]), TEXT, "--what", "surprise")
    assert "\x1b" not in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()][1] == "surprise"
