"""Evidence for the doctor's rules: a healthy run, unless arguments say otherwise."""

from rnnlab.config import Settings
from rnnlab.data.copies import Copies
from rnnlab.doctor.activity import WeightFacts
from rnnlab.doctor.evidence import Evidence
from rnnlab.doctor.history import HeldOutLine, History, Reached, TrainLine
from rnnlab.doctor.text_levels import TextLevels

FALLING = tuple(3 - 0.05 * n for n in range(40))


def evidence(
    nats=FALLING,
    *,
    held_out=(2.0,),
    steps_a_line=10,
    clipped=0.0,
    norm=0.5,
    moved=2.0,
    gain=0.2,
    unigram=3.0,
    gates=(),
    layers=(),
    tokens=100_000,
    progress=1.0,
    stopped_by="budget",
    copied=0.0,
    reached=2.0,
    ngram=2.0,
    **settings,
):
    count = len(nats)
    lines = tuple(
        TrainLine(steps_a_line * n, steps_a_line, n, progress * n / count, value, norm, clipped)
        for n, value in enumerate(nats, start=1)
    )
    evaluations = tuple(HeldOutLine(100 * n, value) for n, value in enumerate(held_out, start=1))
    asked = Settings().with_changes(**settings)
    history = History(asked, lines, evaluations, stopped_by, 50, tokens,
                      Reached("validation", reached, ngram))  # fmt: skip
    copies = {"test": Copies(5_000, copied, 100, 0.0, 100_000)}
    facts = WeightFacts(moved, tuple(gates), tuple(layers))
    return Evidence(history, TextLevels(tokens, unigram, gain, copies), facts)
