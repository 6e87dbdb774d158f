"""Models of rnnlab in transformers: `import rnnlab.huggingface` registers them; nothing else is
needed, and no code is read from a model.

    import rnnlab.huggingface
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained("exported")
    tokenizer = AutoTokenizer.from_pretrained("exported")

`rnnlab export MODEL --to huggingface` writes such folders. Works with transformers 4.57 and 5.

Legend: T time steps, B batch, L layers, H hidden size, V vocabulary size. Tensors of transformers
are (B, T), those of rnnlab (T, B).
"""

from __future__ import annotations

try:
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoTokenizer,
        GenerationMixin,
        PretrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerFast,
        __version__,
    )
    from transformers.utils import ModelOutput
except ModuleNotFoundError as error:
    if error.name != "transformers":
        raise
    from rnnlab.errors import UnavailableError

    raise UnavailableError(
        "rnnlab.huggingface needs the package transformers; install it with pip install "
        "'rnnlab[huggingface]'"
    ) from None

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rnnlab.cells import CELLS, find_cell
from rnnlab.engines.builtin import Builtin
from rnnlab.errors import UsageError
from rnnlab.interop.huggingface_folder import MODEL_TYPE
from rnnlab.lm.model import ModelState, RecurrentLayers

TIED = {"output.weight": "embedding.weight"}
"""Weights that are another one's if the configuration ties them; 4.57 reads the names only."""


class RnnlabConfig(PretrainedConfig):  # type: ignore[misc]
    """Cell, sizes and special tokens of a model, as config.json has them.

    cell: one of CELLS. embedding_size: 0 for one-hot input. start_token_id: the token with which a
    sample begins; before it the state is zero.
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        cell: str = "lstm",
        vocab_size: int = 256,
        hidden_size: int = 256,
        num_hidden_layers: int = 1,
        embedding_size: int = 64,
        start_token_id: int | None = None,
        use_cache: bool = True,
        tie_word_embeddings: bool = False,
        **others: Any,
    ) -> None:
        if "format" in others and "model" in others:
            raise UsageError(
                "this is a model folder of rnnlab; write one for transformers with rnnlab export "
                "MODEL --to huggingface"
            )
        if cell not in CELLS:
            raise UsageError(f"rnnlab.huggingface has no cell {cell!r}; it has {', '.join(CELLS)}")
        self.cell = cell
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.embedding_size = embedding_size
        self.start_token_id = start_token_id
        self.use_cache = use_cache
        super().__init__(tie_word_embeddings=tie_word_embeddings, **others)


class RnnlabState:
    """What a model remembers of what it has read: for each layer h, and of an LSTM c, (B, H)."""

    def __init__(self, layers: ModelState) -> None:
        self.layers = layers

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Give each row the state of the row that `beam_idx` (B,) names, as beam search asks."""
        self.layers = tuple(
            tuple(part.index_select(0, beam_idx.to(part.device)) for part in layer)
            for layer in self.layers
        )


@dataclass
class RnnlabOutput(ModelOutput):  # type: ignore[misc]
    """Loss in nats per token, logits (B, T, V), the state afterwards, and outputs of layers."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    state: Any = None
    hidden_states: tuple[Tensor, ...] | None = None


class RnnlabForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """A recurrent language model of rnnlab.

    The parameters are those of a model folder, and torch's kernels compute with them.
    """

    config_class = RnnlabConfig
    main_input_name = "input_ids"
    _is_stateful = True
    _tied_weights_keys = TIED if int(__version__.split(".")[0]) > 4 else list(TIED)

    def __init__(self, config: RnnlabConfig) -> None:
        super().__init__(config)
        V, H, E = config.vocab_size, config.hidden_size, config.embedding_size
        self.embedding = nn.Embedding(V, E) if E else None
        self.recurrent = RecurrentLayers(
            find_cell(config.cell), E or V, H, config.num_hidden_layers
        )
        self.output = nn.Linear(H, V)
        self.engine = Builtin()
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding | None:
        """Return the embedding; None if rows are one-hot."""
        return self.embedding

    def get_output_embeddings(self) -> nn.Linear:
        """Return the output layer."""
        return self.output

    def _init_weights(self, module: nn.Module) -> None:
        """Initialize as torch.nn does: uniform within 1 / sqrt(H), embeddings normal."""
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
        elif isinstance(module, RecurrentLayers | nn.Linear):
            bound = 1 / math.sqrt(self.config.hidden_size)
            for parameter in module.parameters(recurse=False):
                nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        state: RnnlabState | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        logits_to_keep: int = 0,
        return_dict: bool | None = None,
        **others: Any,
    ) -> RnnlabOutput | tuple[Any, ...]:
        """Map ids (B, T) to logits (B, T, V).

        attention_mask: (B, T), or longer, of all that was ever read: 0 for padding. Where text
        begins after padding, the state is zero. state: of what was read before. labels: (B, T), the
        ids again; the loss shifts them, and leaves -100 out. logits_to_keep: only for the last so
        many places; 0: for all. others: for the loss, such as num_items_in_batch.
        """
        ids = input_ids.T  # (T, B)
        # What fills a row up has an id that nothing predicts.
        ids = ids.where(ids < self.config.vocab_size, 0)
        resets = self._resets(ids, attention_mask, state is not None)
        values = ids if self.embedding is None else self.embedding(ids)
        outputs, last = [], []
        before = self._zeros(ids.shape[1]) if state is None else state.layers
        for weights, initial in zip(self.recurrent.weights(), before, strict=True):
            values, final = self.engine.run(self.recurrent.cell, weights, values, initial, resets)
            outputs.append(values.transpose(0, 1))
            last.append(final)
        logits = self.output(outputs[-1][:, -logits_to_keep:])  # all for -0
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.vocab_size, **others
            )
        if use_cache is None:
            use_cache = self.config.use_cache and not self.training
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        found = RnnlabOutput(
            loss=loss,
            logits=logits,
            state=RnnlabState(tuple(last)) if use_cache else None,
            hidden_states=tuple(outputs) if output_hidden_states else None,
        )
        return found.to_tuple() if return_dict is False else found

    def _zeros(self, batch_size: int) -> ModelState:
        zeros = self.output.weight.new_zeros(batch_size, self.config.hidden_size)
        parts = tuple(zeros for _ in self.recurrent.cell.state_names)
        return tuple(parts for _ in range(self.config.num_hidden_layers))

    def _resets(self, ids: Tensor, mask: Tensor | None, has_state: bool) -> Tensor | None:
        """Return before which tokens the state is zero, (T, B): where a sample or a text begins."""
        start, resets = self.config.start_token_id, None
        if start is not None:
            resets = ids == start
        if mask is not None and not mask.all():
            T, B = ids.shape
            read = mask.T.bool()  # (T or more, B)
            first = read.new_full((1, B), has_state)
            begins = (read & ~torch.cat([first, read[:-1]]))[-T:]
            resets = begins if resets is None else resets | begins
        return resets

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        state: RnnlabState | None = None,
        attention_mask: Tensor | None = None,
        use_cache: bool | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        """Return what `forward` reads next: the last token alone if there is a state."""
        return {
            "input_ids": input_ids if state is None else input_ids[:, -1:],
            "attention_mask": attention_mask,
            "state": state,
            "use_cache": use_cache,
            "output_hidden_states": others.get("output_hidden_states"),
            "logits_to_keep": others.get("logits_to_keep", 1),
        }

    def _update_model_kwargs_for_generation(
        self, outputs: RnnlabOutput, model_kwargs: dict[str, Any], **others: Any
    ) -> dict[str, Any]:
        found: dict[str, Any] = super()._update_model_kwargs_for_generation(
            outputs, model_kwargs, **others
        )
        if outputs.state is None:
            return found
        # Beam search reorders what is under the second name, in transformers 4 and early 5.
        return found | {"state": outputs.state, "past_key_values": outputs.state}

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False


AutoConfig.register(MODEL_TYPE, RnnlabConfig)
AutoModelForCausalLM.register(RnnlabConfig, RnnlabForCausalLM)
AutoTokenizer.register(RnnlabConfig, fast_tokenizer_class=PreTrainedTokenizerFast)
