"""How weights are initialised, by name.

Every rule fills the matrices and biases of the recurrent layers; a bias is what has one dimension.
`normal`, `xavier`, `kaiming` and `orthogonal` also fill the output matrix and set its bias to 0;
`torch` keeps nn.Linear's default. An embedding always starts with nn.Embedding's default, N(0, 1).
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from rnnlab.config import ModelSettings
from rnnlab.lm.random_streams import RandomStreams

Fill = Callable[[Tensor], object]


def initialize(
    settings: ModelSettings,
    embedding: nn.Embedding | None,
    layers: Iterable[tuple[str, Tensor]],
    output: nn.Linear,
    random: RandomStreams,
) -> None:
    """Fill the parameters in place with numbers from `random`.

    torch: everything in a layer from U(-1/sqrt(H), 1/sqrt(H)), as nn.RNN, nn.GRU and nn.LSTM do.
    normal: matrices from N(0, init_std²), biases 0.
    xavier: matrices by Glorot and Bengio 2010, equation 16, gate by gate; biases 0.
    kaiming: matrices by He et al. 2015, equation 10 (relu gain, fan in), gate by gate; biases 0.
    orthogonal: matrices by Saxe et al. 2014, section 3, gate by gate; biases 0.

    The output matrix is then multiplied by output_scale. Adam's steps do not grow with the
    gradient, so a larger output matrix makes the recurrent layers learn faster than it does.

    forget_bias is added to bias_ih of the LSTM's forget gate (Jozefowicz et al. 2015,
    section 2.2).

    Tied weights are filled once more, from N(0, 1/H): an embedding starts at N(0, 1), which would
    make huge logits.
    """
    hidden, generator = settings.hidden_size, random.on(output.weight.device)
    fill = _fill(settings, generator)
    if embedding is not None:
        nn.init.normal_(embedding.weight, generator=generator)
    nn.init.kaiming_uniform_(output.weight, math.sqrt(5), generator=generator)  # as nn.Linear does
    _uniform(output.bias, hidden, generator)
    for name, parameter in layers:
        if settings.init == "torch":
            _uniform(parameter, hidden, generator)
        elif parameter.dim() == 1:
            nn.init.zeros_(parameter)
        else:  # gate by gate, if the rows are those of gates
            blocks = 1 if len(parameter) % hidden else len(parameter) // hidden
            for gate in parameter.detach().chunk(blocks):
                fill(gate)
        if settings.forget_bias and name.startswith("bias_ih"):
            parameter.detach()[hidden : 2 * hidden] += settings.forget_bias
    if settings.init != "torch":
        fill(output.weight)
        nn.init.zeros_(output.bias)
    matrix = output.weight
    if settings.tie_weights and embedding is not None:
        matrix = embedding.weight
        nn.init.normal_(matrix, 0.0, hidden**-0.5, generator)
    matrix.detach().mul_(settings.output_scale)


def _uniform(parameter: Tensor, hidden: int, generator: torch.Generator) -> None:
    bound = 1 / math.sqrt(hidden)
    nn.init.uniform_(parameter, -bound, bound, generator)


def _fill(settings: ModelSettings, generator: torch.Generator) -> Fill:
    init = nn.init
    rules: dict[str, Fill] = {
        "torch": lambda matrix: _uniform(matrix, settings.hidden_size, generator),
        "normal": lambda matrix: init.normal_(matrix, 0.0, settings.init_std, generator),
        "xavier": lambda matrix: init.xavier_uniform_(matrix, generator=generator),
        "kaiming": lambda matrix: init.kaiming_normal_(
            matrix, nonlinearity="relu", generator=generator
        ),
        "orthogonal": lambda matrix: init.orthogonal_(matrix, generator=generator),
    }
    return rules[settings.init]
