"""The automaton over bytes accepts the UTF-8 of what the one over characters accepts."""

from itertools import product

import numpy as np
import pytest
from random_expressions import matches

from rnnlab.patterns.automaton import DEAD, Automaton
from rnnlab.patterns.expression import Expression
from rnnlab.patterns.utf8 import all_characters, over_bytes

CHARACTERS = "aé\u07ff\u0800€\ud7ff\ue000\uffff\U00010000🙂\U0010ffff\n\x7f\x80"
"""The first and the last of each number of bytes, and others."""


@pytest.fixture(scope="module", params=["[a-zé]+", r"\w{1,3}", "[^a]🙂?", "(?s).*é"])
def machine(request):
    automaton = Automaton(Expression(request.param), all_characters(), [""], [])
    return request.param, automaton, over_bytes(automaton.table, automaton.classes)


def read(machine, content):
    _, automaton, table = machine
    state = automaton.starts[0]
    for byte in content:
        state = table[state, byte]
    return state


def test_bytes_of_characters(machine):
    accepting = machine[1].accepting
    for length in range(4):
        for text in map("".join, product(CHARACTERS if length < 3 else "aé🙂", repeat=length)):
            state = read(machine, text.encode())
            assert state < len(accepting)  # between characters
            assert accepting[state] == matches(machine[0], text)


@pytest.mark.parametrize(
    "content",
    [b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf",
     b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xff", b"\xc3a"],
)  # fmt: skip
def test_what_is_not_utf8_leads_nowhere(machine, content):
    assert read(machine, content) == DEAD


def test_a_table_that_is_too_large_is_not_made():
    assert over_bytes(np.zeros((9_000, 40), np.int32), np.arange(0x110000) % 40) is None
