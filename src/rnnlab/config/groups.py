"""Every setting, defined once: name, type, default, range, unit, one line of help."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticKnownError

from rnnlab.config.validation import SettingsGroup, format_value

Precision = Literal["float32", "bfloat16"]

DEFAULT_SECONDS = 120.0
"""The training budget of a run that names none."""

LEARNING_RATES = {"sgd": 1.0, "adam": 0.003, "adamw": 0.003, "rmsprop": 0.001, "adagrad": 0.02}
"""What `learning_rate = 0` stands for."""


CONTEXTS = ("carried", "windows:256")
"""The context rules of an evaluation that names none."""


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _not_empty(value: str) -> str:
    if not value:
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    return value


def check_context(value: str) -> str:
    """Check a context rule: `carried`, or `windows:N` with N at least 1."""
    kind, _, size = value.partition(":")
    if value == "carried" or (kind == "windows" and size.isdecimal() and int(size) > 0):
        return value
    raise ValueError(f"a context rule is 'carried' or 'windows:N' with N >= 1, not {value!r}")


Context = Annotated[str, AfterValidator(check_context)]


class DataSettings(SettingsGroup):
    """Which text, and how it becomes batches."""

    corpus: Annotated[
        tuple[Annotated[str, AfterValidator(_not_empty)], ...], BeforeValidator(_listed)
    ] = Field(
        ("auto",),
        min_length=1,
        description="a named corpus (see `rnnlab corpora`), text files, - for standard input, auto "
        "(timemachine, or python-reference where that cannot be had)",
    )
    data_dir: str = Field("", description="folder searched first for named corpora")
    errors: Literal["strict", "replace"] = Field(
        "strict", description="bytes that are no UTF-8: stop, or read them as U+FFFD"
    )
    preprocessing: Literal["none", "lower", "letters"] = Field(
        "none", description="text rule; letters: only a-z and single spaces, as d2l does"
    )
    tokenizer: Literal["char", "byte", "word", "bpe"] = Field(
        "char", description="unit of text; byte: of the text in UTF-8"
    )
    vocabulary: Literal["train", "text"] = Field(
        "train", description="take the vocabulary from the training split or the whole text"
    )
    min_frequency: int = Field(
        1, ge=1, description="word tokenizer: rarer words are <unk> [occurrences]"
    )
    bpe_size: int = Field(
        1024, ge=257, le=1_000_000, description="bpe tokenizer: vocabulary size [tokens]"
    )
    corpus_limit: int = Field(
        0, ge=0, description="keep the first N of the text, 0: all [tokens; characters for bpe]"
    )
    split: tuple[float, float, float] = Field(
        (0.9, 0.05, 0.05),
        description="train, validation, test in this order: shares that sum to 1, or whole "
        "numbers [characters]",
    )
    batching: Literal["sequential", "random"] = Field(
        "sequential", description="carry the state from batch to batch, or windows in random order"
    )
    batch_size: int = Field(32, ge=1, description="sequences side by side, B")
    num_steps: int = Field(
        64, ge=1, description="length of backpropagation through time, T [tokens]"
    )

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        shares = self.split
        counts = all(share == int(share) for share in shares) and 1 < max(shares) < 2**53
        if min(shares) < 0 or shares[0] == 0 or not (counts or abs(sum(shares) - 1) < 1e-6):
            raise ValueError(
                "split needs three shares that sum to 1 (0.9 0.05 0.05) or three whole numbers of "
                f"characters (10000 2500 2500), the first above 0, not {format_value(shares)}"
            )
        return self


class ModelSettings(SettingsGroup):
    """The language model: what is learned."""

    cell: Literal["rnn", "rnn-relu", "gru", "lstm"] = Field("lstm", description="recurrent cell")
    num_layers: int = Field(1, ge=1, le=64, description="layers on top of each other, L")
    hidden_size: int = Field(256, ge=1, le=65536, description="units a layer, H")
    input: Literal["one-hot", "embedding"] = Field(
        "embedding", description="how a token enters: one-hot row, or learned vector"
    )
    embedding_size: int = Field(
        64, ge=1, le=65536, description="size of the learned vector, with input embedding"
    )
    tie_weights: bool = Field(
        False, description="share embedding and output weights; needs embedding_size = hidden_size"
    )
    input_dropout: float = Field(0.0, ge=0, lt=1, description="dropped of the embedding [share]")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropped before the output layer [share]")
    weight_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropped of the recurrent weights, once a batch [share]"
    )
    layer_dropout: float = Field(0.0, ge=0, lt=1, description="dropped between layers [share]")
    init: Literal["torch", "normal", "xavier", "kaiming", "orthogonal"] = Field(
        "torch", description="how weights start"
    )
    init_std: float = Field(0.01, gt=0, description="with init normal: standard deviation")
    forget_bias: float = Field(0.0, description="added to the forget gate's bias; lstm only")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.tie_weights and self.input != "embedding":
            raise ValueError("tie_weights needs input = 'embedding'; one-hot has nothing to share")
        if self.tie_weights and self.embedding_size != self.hidden_size:
            raise ValueError(
                f"tie_weights needs embedding_size = hidden_size, "
                f"not {self.embedding_size} and {self.hidden_size}"
            )
        if self.forget_bias and self.cell != "lstm":
            raise ValueError(f"forget_bias needs cell = 'lstm'; {self.cell!r} has no forget gate")
        if self.input_dropout and self.input != "embedding":
            raise ValueError("input_dropout needs input = 'embedding'")
        if self.layer_dropout and self.num_layers == 1:
            raise ValueError("layer_dropout needs num_layers of at least 2; use dropout instead")
        return self


class TrainingSettings(SettingsGroup):
    """How the weights are fitted, and for how long; training ends at the first budget reached."""

    num_epochs: int = Field(0, ge=0, description="budget: passes over the training split, 0: any")
    max_tokens: int = Field(0, ge=0, description="budget: tokens trained on, 0: any")
    max_seconds: float = Field(
        0.0,
        ge=0,
        description="budget: wall time of the loop, evaluations and saving included, 0: any; "
        f"{DEFAULT_SECONDS:g} if no budget is given [s]",
    )
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "adagrad"] = Field(
        "adamw", description="update rule"
    )
    learning_rate: float = Field(
        0.0,
        ge=0,
        description="peak learning rate, 0: the optimizer's own ("
        + ", ".join(f"{name} {rate:g}" for name, rate in LEARNING_RATES.items())
        + ")",
    )
    momentum: float = Field(0.0, ge=0, lt=1, description="of sgd and rmsprop")
    nesterov: bool = Field(False, description="sgd: look ahead along the momentum")
    weight_decay: float = Field(
        0.0, ge=0, description="adamw: decoupled decay; the others: L2 penalty"
    )
    schedule: Literal["constant", "cosine", "one-cycle"] = Field(
        "constant", description="learning rate over the budget"
    )
    warmup: float = Field(
        0.0, ge=0, lt=1, description="share of the budget in which the learning rate rises"
    )
    clip_norm: float = Field(
        1.0, ge=0, description="largest L2 norm of all gradients together, 0: no clipping"
    )
    num_evaluations: int = Field(
        20, ge=0, description="held-out evaluations, spread evenly over the budget"
    )
    validation_context: Context = Field(
        "windows:256", description="context rule of these: carried or windows:N"
    )
    patience: int = Field(
        0, ge=0, description="stop after N evaluations without a new best, 0: never"
    )
    num_log_lines: int = Field(200, ge=1, description="lines in metrics.jsonl, spread likewise")
    sample_prefix: str = Field("", description="start of the sample after each evaluation")
    sample_length: int = Field(100, ge=0, description="length of that sample, 0: none [tokens]")
    sample_temperature: float = Field(
        0.5, ge=0, description="divides the logits for that sample; 0: always the likeliest token"
    )

    seed: int = Field(0, ge=0, lt=2**63, description="of weights, batches and dropout")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.nesterov and not (self.optimizer == "sgd" and self.momentum > 0):
            raise ValueError("nesterov needs optimizer = 'sgd' and momentum above 0")
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum is of sgd and rmsprop; {self.optimizer!r} has its own")
        return self


class ComputeSettings(SettingsGroup):
    """With what it is computed; none of this enters the model."""

    engine: str = Field(
        "auto",
        description="textbook, builtin, native or auto: how cells run (`rnnlab engines`)",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where tensors live")
    precision: Precision = Field("float32", description="bfloat16: autocast, weights stay float32")
    threads: int = Field(0, ge=0, le=4096, description="CPU threads, 0: as torch chooses")


class MachineSettings(ComputeSettings):
    """How it is computed; none of this enters the model."""

    checkpoint_seconds: float = Field(
        30.0, ge=0, description="time between training states saved to resume from, 0: a step [s]"
    )
    mirror: Annotated[tuple[Literal["tensorboard", "mlflow"], ...], BeforeValidator(_listed)] = (
        Field((), description="where training is also shown while it goes on: tensorboard, mlflow")
    )


class GenerationSettings(SettingsGroup):
    """How text is drawn from a model."""

    length: int = Field(200, ge=1, description="text to write after each prefix [tokens]")
    temperature: float = Field(
        0.8, ge=0, description="divides the logits; 0: greedy, always the likeliest token"
    )
    top_k: int = Field(0, ge=0, description="draw among the K likeliest tokens, 0: all")
    top_p: float = Field(
        1.0, gt=0, le=1, description="draw among the likeliest tokens that hold this probability"
    )
    beam_width: int = Field(
        0, ge=0, le=1024, description="beam search over whole texts of this many beams, 0: off"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="the same seed writes the same text")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.beam_width and (self.top_k or self.top_p < 1):
            raise ValueError("beam_width excludes top_k and top_p: beam search draws nothing")
        return self


class BenchSettings(SettingsGroup):
    """What `rnnlab bench` measures: every combination."""

    cell: tuple[Literal["rnn", "rnn-relu", "gru", "lstm"], ...] = Field(
        ("lstm",), min_length=1, description="recurrent cells"
    )
    engine: tuple[str, ...] = Field(
        (),
        description="engines, or literal (the lab report's written-out LSTM); none named: all that "
        "run here; builtin is always there as the yardstick",
    )
    precision: tuple[Precision, ...] = Field(
        ("float32",), min_length=1, description="number formats"
    )
    hidden_size: tuple[PositiveInt, ...] = Field(
        (256,), min_length=1, description="units a layer, H"
    )
    batch_size: tuple[PositiveInt, ...] = Field(
        (32,), min_length=1, description="sequences side by side, B"
    )
    num_steps: int = Field(35, ge=1, description="time steps of a training batch, T")
    rounds: int = Field(
        7, ge=1, description="times each variant is measured, after one that does not count"
    )
    seconds: float = Field(1.0, gt=0, description="length of one measurement [s]")
