"""A network whose units are known: one counts the line, one is on inside quotes, others are random.

And a text with quotes and lines of random lengths, for it to read.
"""

import random

import torch

from rnnlab.config import ModelSettings
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel

COUNTER, QUOTES = 1, 4
"""The units that count the position in the line, and that are on inside quotes."""

ALPHABET = "\n “”abcdefg"
STEP = 0.02
"""What the counter adds for each character."""
FAR = 12.0
"""An input at which a gate is open or closed."""


def planted_text(characters: int, seed: int) -> str:
    """Words in lines of 10 to 80 characters, in and out of quotes; all of ALPHABET occurs."""
    draw = random.Random(seed)
    text, line, inside, left = ["abcdefg “ ” \n"], 0, False, 20
    length = draw.randint(10, 80)
    while sum(map(len, text)) < characters:
        word = "".join(draw.choice("abcdefg") for _ in range(draw.randint(1, 8)))
        left -= 1
        if left < 0:
            word = word + "”" if inside else "“" + word
            inside, left = not inside, draw.randint(2, 10)
        line += len(word) + 1
        end = "\n" if line >= length else " "
        if end == "\n":
            line, length = 0, draw.randint(10, 80)
        text.append(word + end)
    return "".join(text)[:characters]


def planted_model(seed: int = 0, hidden_size: int = 6) -> TextModel:
    """Return an LSTM with one-hot input, random but for the two units."""
    tokenizer = CharTokenizer.train(ALPHABET)
    settings = ModelSettings(cell="lstm", hidden_size=hidden_size, input="one-hot")
    network = LanguageModel(settings, tokenizer.size, 100 + seed)
    weights = next(iter(network.recurrent.weights()))
    size = hidden_size

    def rows(gate: str, unit: int) -> int:
        return "ifgo".index(gate) * size + unit

    with torch.no_grad():
        for unit in (COUNTER, QUOTES):
            for gate in "ifgo":
                for weight in weights:
                    weight[rows(gate, unit)] = 0
                # All gates are open, so that the unit adds g to what it has.
                weights.bias_ih[rows(gate, unit)] = FAR

        def at(characters: str) -> list[int]:
            return tokenizer.encode(characters).tolist()

        def change(gate: str, unit: int, characters: str, to: float) -> None:
            weights.weight_ih[rows(gate, unit), at(characters)] = (
                to - weights.bias_ih[rows(gate, unit)]
            )

        # c = STEP · characters since the line break
        weights.bias_ih[rows("g", COUNTER)] = torch.atanh(torch.tensor(STEP))
        for gate in "if":
            change(gate, COUNTER, "\n", -FAR)
        # c = 1 from “ on, 0 from ” on
        weights.bias_ih[rows("i", QUOTES)] = -FAR
        change("i", QUOTES, "“", FAR)
        change("f", QUOTES, "“”", -FAR)
    engine = ENGINES["native" if ENGINES["native"].fault("lstm", "cpu") is None
                     else "builtin"]  # fmt: skip
    return TextModel(network, tokenizer, "none", Compute(engine, threads=1))
