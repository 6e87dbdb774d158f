"""The settings of single commands, each defined once, as in `groups`."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rnnlab.config.machine import Precision
from rnnlab.config.validation import (
    REPEATED,
    OneOrMore,
    OneOrMoreSizes,
    SettingsGroup,
    not_empty,
)
from rnnlab.errors import UsageError
from rnnlab.patterns.expression import Expression

NonEmpty = Annotated[str, AfterValidator(not_empty)]


class GenerationSettings(SettingsGroup):
    """How text is generated."""

    length: int = Field(200, ge=1, description="length of the text after each prefix [tokens]")
    temperature: float = Field(
        0.8, ge=0, description="divides the logits; 0: greedy, always the most likely token"
    )
    top_k: int = Field(0, ge=0, description="sample from the K most likely tokens, 0: from all")
    top_p: float = Field(
        1.0, gt=0, le=1, description="sample from the most likely tokens with this probability"
    )
    min_p: float = Field(
        0.0,
        ge=0,
        le=1,
        description="sample from tokens with P times the largest probability or more",
    )
    repetition_penalty: float = Field(
        1.0, gt=0, description="p of tokens already written becomes p^R; above 1: fewer repetitions"
    )
    stop: Annotated[tuple[NonEmpty, ...], OneOrMore, REPEATED] = Field(
        (), description="writing ends before this text; may be given several times"
    )
    matching: str = Field(
        "", description="regular expression (of Python) that all of each text must match"
    )
    beam_width: int = Field(0, ge=0, le=1024, description="beam search: number of beams, 0: off")
    seed: int = Field(0, ge=0, lt=2**63, description="the same seed gives the same text")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        drawing = ("top_k", "top_p", "min_p", "seed")
        by_step = ("repetition_penalty", "matching")
        given = [n for n in ("temperature", *drawing, *by_step) if getattr(self, n) != defaults[n]]
        if self.beam_width and given:
            why = "does not sample" if given[0] not in by_step else "takes all tokens as they are"
            raise ValueError(f"beam_width excludes {given[0]}: beam search {why}")
        if not self.temperature and (useless := [name for name in given if name in drawing]):
            raise ValueError(
                f"temperature = 0 excludes {useless[0]}: it always takes the most likely token"
            )
        if self.matching:
            try:
                Expression(self.matching)
            except UsageError as error:
                raise ValueError(str(error)) from None
        return self

    @property
    def decides_by_step(self) -> bool:
        """Whether more than an engine's own reader can do decides about the next token."""
        return bool(self.min_p or self.repetition_penalty != 1 or self.matching)


class BenchSettings(SettingsGroup):
    """What is measured: every combination of the settings below."""

    cell: Annotated[tuple[Literal["rnn", "rnn-relu", "gru", "lstm"], ...], OneOrMore] = Field(
        ("lstm",), min_length=1, description="recurrent cells"
    )
    engine: Annotated[tuple[str, ...], OneOrMore] = Field(
        (),
        description="engines, or literal (the lab report's written-out LSTM); default: all that "
        "run here; builtin is always measured as the reference",
    )
    precision: Annotated[tuple[Precision, ...], OneOrMore] = Field(
        ("float32",), min_length=1, description="number formats"
    )
    hidden_size: OneOrMoreSizes = Field(
        (256,), min_length=1, description="hidden units per layer, H"
    )
    batch_size: OneOrMoreSizes = Field((32,), min_length=1, description="sequences per batch, B")
    num_steps: int = Field(35, ge=1, description="length of each sequence, T [tokens]")
    rounds: int = Field(
        7, ge=1, description="measurements of each variant, after one for warming up"
    )
    seconds: float = Field(1.0, gt=0, description="length of one measurement [s]")
