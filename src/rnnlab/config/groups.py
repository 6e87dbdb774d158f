"""Every setting of training, defined once: name, type, default, range, unit, one line of help."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rnnlab.cells import CELLS, short_name
from rnnlab.config.folds import Fold, fault_with_fold
from rnnlab.config.validation import (
    LARGEST_SIZE,
    CellName,
    Context,
    Encoding,
    HeldOutNames,
    OneOrMore,
    OnePath,
    ReferenceSize,
    SettingsGroup,
    format_value,
    not_empty,
)

DEFAULT_SECONDS = 120.0
"""The training budget if no budget is given."""

LEARNING_RATES = {"sgd": 1.0, "adam": 0.003, "adamw": 0.003, "rmsprop": 0.001, "adagrad": 0.02}
"""The peak learning rate of each optimizer that `learning_rate = 0` stands for."""

MAX_ORDER = 10
"""The highest order of an n-gram model."""

CONTEXTS = ("carried", "windows:256")
"""The context rules of an evaluation if none are given."""


class DataSettings(SettingsGroup):
    """Which text, and how it becomes batches."""

    corpus: Annotated[tuple[Annotated[str, AfterValidator(not_empty)], ...], OneOrMore] = Field(
        ("auto",),
        min_length=1,
        description="named corpus (see `rnnlab corpora`), text files, folders of them, - for "
        "standard input, or auto: timemachine, or python-reference if that is not available",
    )
    validation_corpus: HeldOutNames = Field(
        (),
        description="files or folders that are the validation split; none: it is cut from corpus",
    )
    test_corpus: HeldOutNames = Field((), description="the same for the test split")
    data_dir: Annotated[str, OnePath] = Field(
        "", description="folder searched first for named corpora"
    )
    unit: Literal["text", "lines", "documents"] = Field(
        "text",
        description="text: one running text; lines: each line is a sample, which knows nothing of "
        "the others; documents: each file is one, with its line breaks",
    )
    column: str = Field(
        "",
        description="samples: column of a table (.csv, .tsv, .jsonl) that has them; none: each "
        "line, or each file, is one",
    )
    label_column: str = Field(
        "",
        description="column that has a label for each sample, which the model reads first; none: "
        "samples have no labels",
    )
    encoding: Encoding = Field(
        "utf-8", description="encoding of text files and standard input; auto: detect it"
    )
    errors: Literal["strict", "replace"] = Field(
        "strict",
        description="bytes that are not in the encoding: strict stops, replace reads them as "
        "U+FFFD",
    )
    preprocessing: Literal["none", "lower", "letters"] = Field(
        "none",
        description="lower: lower-case the text; letters: lower-case it and keep only a-z and "
        "single spaces, as d2l does",
    )
    tokenizer: Literal["char", "byte", "word", "bpe"] = Field(
        "char", description="unit of text; byte: bytes of its UTF-8 encoding"
    )
    vocabulary: Literal["train", "text"] = Field(
        "train", description="where the vocabulary comes from: the training split or the whole text"
    )
    min_frequency: int = Field(
        1, ge=1, description="word tokenizer: rarer words become <unk> [occurrences]"
    )
    max_vocabulary: int = Field(
        32_768,
        ge=0,
        description="char and word tokenizers: largest vocabulary, the rarest become <unk>, 0: no "
        "limit [tokens]",
    )
    bpe_size: int = Field(
        1024, ge=257, le=1_000_000, description="bpe tokenizer: vocabulary size [tokens]"
    )
    corpus_limit: int = Field(
        0,
        ge=0,
        description="keep only the start of the text, 0: all [tokens; bpe: characters; "
        "samples: their number]",
    )
    canaries: int = Field(0, ge=0, le=1000, description="random codes put into the training text")
    split: tuple[float, float, float] = Field(
        (0.9, 0.05, 0.05),
        description="sizes of the train, validation and test splits: three shares that sum to 1, "
        "or three whole numbers [characters; samples: their number]",
    )
    fold: Fold = Field(
        "",
        description="K/N: of N parts of the corpus the K-th is the test split; split divides the "
        "rest into train and validation",
    )
    split_order: Literal["shuffled", "file"] = Field(
        "shuffled",
        description="samples: equal ones in one split and the order of the file without effect "
        "(shuffled), or as they come in the file, held-out ones that came before left out (file)",
    )
    split_seed: int = Field(0, ge=0, description="samples: another one is another split")
    split_at: Literal["auto", "documents", "anywhere"] = Field(
        "auto",
        description="several texts: splits end between two of them (documents), anywhere, or auto: "
        "between two if all sizes stay between half and twice what was asked for",
    )
    document_state: Literal["carried", "reset"] = Field(
        "carried",
        description="several texts: the state is carried from one to the next, or starts at zero "
        "in each",
    )
    batching: Literal["sequential", "random"] = Field(
        "sequential", description="state carried from batch to batch, or windows in random order"
    )
    batch_size: int = Field(32, ge=1, description="sequences per batch, B")
    num_steps: int = Field(
        64, ge=1, description="length of each sequence, over which gradients flow back, T [tokens]"
    )

    @property
    def of_samples(self) -> bool:
        """Whether the text consists of samples."""
        return self.unit != "text"

    @property
    def held_out_names(self) -> dict[str, tuple[str, ...]]:
        """The texts that are splits as they are, by split."""
        named = {"validation": self.validation_corpus, "test": self.test_corpus}
        return {split: names for split, names in named.items() if names}

    @property
    def text_names(self) -> tuple[str, ...]:
        """The names of all texts."""
        return self.corpus + self.validation_corpus + self.test_corpus

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        shares = self.split
        counts = all(share == int(share) for share in shares) and 1 < max(shares) < 2**53
        if min(shares) < 0 or shares[0] == 0 or not (counts or abs(sum(shares) - 1) < 1e-6):
            raise ValueError(
                "split needs three shares that sum to 1 (0.9 0.05 0.05) or three whole numbers of "
                f"characters (10000 2500 2500), the first above 0, not {format_value(shares)}"
            )
        own_test, codes = bool(self.test_corpus), self.canaries
        if self.fold and (
            fault := fault_with_fold(by_shares=not counts, has_test_corpus=own_test, canaries=codes)
        ):
            raise ValueError(fault)
        if self.of_samples and self.batching == "random":
            raise ValueError(f"unit = {self.unit!r} needs batching = 'sequential'")
        if self.document_state == "reset" and self.batching == "random":
            raise ValueError("document_state = 'reset' needs batching = 'sequential'")
        if self.max_vocabulary == 1:
            raise ValueError("max_vocabulary = 1 leaves nothing but <unk>; it must be 0 or above 1")
        return self


class ModelSettings(SettingsGroup):
    """The language model: its layers, and how they start."""

    cell: CellName = Field(
        "lstm",
        description="recurrent cell: rnn, rnn-relu, gru, lstm or your own, FILE.py:CLASS "
        "(docs/how-to/own-cell.md)",
    )
    num_layers: int = Field(1, ge=1, le=64, description="number of recurrent layers, L")
    hidden_size: int = Field(256, ge=1, le=LARGEST_SIZE, description="hidden units per layer, H")
    match_parameters: ReferenceSize = Field(
        "",
        description="CELL:H, such as lstm:256: take the hidden_size with which the network has as "
        "many parameters as with that cell and hidden_size",
    )
    input: Literal["one-hot", "embedding"] = Field(
        "embedding", description="how a token enters the network: one-hot row or learned vector"
    )
    embedding_size: int = Field(
        64, ge=1, le=65536, description="size of the learned vector, with input = embedding"
    )
    tie_weights: bool = Field(
        False, description="share embedding and output; needs embedding_size = hidden_size"
    )
    input_dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate after the embedding")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate before the output layer")
    weight_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout rate of the recurrent weights, drawn once per batch"
    )
    layer_dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate between layers")
    init: Literal["torch", "normal", "xavier", "kaiming", "orthogonal"] = Field(
        "torch", description="weight initialization"
    )
    init_std: float = Field(0.01, gt=0, description="standard deviation, with init = normal")
    output_scale: float = Field(
        1.0, gt=0, description="the output layer's initial weights are multiplied by this"
    )
    forget_bias: float = Field(0.0, description="added to the forget gate's bias; lstm only")
    ngram_order: int = Field(
        0,
        ge=0,
        le=MAX_ORDER,
        description="order of an n-gram model of the training text that joins the network when "
        "training ends, 0: none [tokens]",
    )

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
            raise ValueError(
                f"forget_bias needs cell = 'lstm'; {short_name(self.cell)!r} has no forget gate"
                f"{'' if self.cell in CELLS else ' that is known'}"
            )
        if self.match_parameters and self.tie_weights:
            raise ValueError("match_parameters excludes tie_weights, which fixes hidden_size")
        if self.input_dropout and self.input != "embedding":
            raise ValueError("input_dropout needs input = 'embedding'")
        if self.layer_dropout and self.num_layers == 1:
            raise ValueError("layer_dropout needs num_layers of at least 2; use dropout instead")
        return self


class TrainingSettings(SettingsGroup):
    """How the weights are fitted, and for how long; training ends at the first budget reached."""

    num_epochs: int = Field(0, ge=0, description="budget: passes over the text, 0: no limit")
    max_tokens: int = Field(0, ge=0, description="budget: tokens trained on, 0: no limit")
    max_seconds: float = Field(
        0.0,
        ge=0,
        description="budget: wall time of training with its evaluations and saving, 0: no limit, "
        f"or {DEFAULT_SECONDS:g} if no budget is given [s]",
    )
    start_from: Annotated[str, OnePath] = Field(
        "",
        description="run directory or model folder whose weights, sizes and vocabulary training "
        "goes on with; none: random weights",
    )
    extend_vocabulary: bool = Field(
        False,
        description="start_from: new characters or words of the text get weights of their own, at "
        "first the mean of the others",
    )
    replace_vocabulary: bool = Field(
        False,
        description="start_from: take the tokens of the text; what the model has keeps its weights",
    )
    freeze: Annotated[tuple[Literal["embedding", "recurrent", "output"], ...], OneOrMore] = Field(
        (), description="parts whose weights stay as they are"
    )
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "adagrad"] = Field(
        "adamw", description="update rule"
    )
    learning_rate: float = Field(
        0.0,
        ge=0,
        description="peak learning rate, 0: the optimizer's default ("
        + ", ".join(f"{name} {rate:g}" for name, rate in LEARNING_RATES.items())
        + ")",
    )
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum; sgd and rmsprop only")
    nesterov: bool = Field(False, description="Nesterov momentum; sgd only")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of Adam's mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of Adam's mean of their squares")
    weight_decay: float = Field(0.0, ge=0, description="adamw: decoupled; others: L2 penalty")
    schedule: Literal["constant", "linear", "cosine", "one-cycle"] = Field(
        "constant", description="course of the learning rate over the budget"
    )
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the budget with a rising rate")
    clip_norm: float = Field(1.0, ge=0, description="largest L2 norm of all gradients, 0: no limit")
    num_evaluations: int = Field(
        20,
        ge=0,
        description="held-out evaluations, evenly over the budget; early ones come before them, "
        "whenever the training text read has grown by a tenth; 0: none",
    )
    validation_context: Context = Field(
        "windows:256", description="context rule of these evaluations: carried or windows:N"
    )
    patience: int = Field(
        0,
        ge=0,
        description="stop after this many evaluations without a new best, 0: never; early "
        "evaluations are not counted",
    )
    num_log_lines: int = Field(
        200, ge=1, description="training lines in metrics.jsonl, spread evenly over the budget"
    )
    sample_prefix: str = Field("", description="start of the text sample after each evaluation")
    sample_length: int = Field(100, ge=0, description="length of that sample, 0: none [tokens]")
    sample_temperature: float = Field(
        0.5, ge=0, description="temperature of that sample; 0: always the most likely token"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="random seed of weights, batches and dropout")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        optimizer = self.optimizer
        if self.nesterov and not (optimizer == "sgd" and self.momentum > 0):
            raise ValueError("nesterov needs optimizer = 'sgd' and momentum above 0")
        if self.momentum and optimizer not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum needs optimizer = 'sgd' or 'rmsprop', not {optimizer!r}")
        if self.extend_vocabulary and self.replace_vocabulary:
            raise ValueError("extend_vocabulary and replace_vocabulary exclude each other")
        return self
