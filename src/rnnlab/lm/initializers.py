"""How weights are initialised, by name.

Every rule fills the matrices and biases of the recurrent layers. `normal`, `xavier`, `kaiming` and
`orthogonal` also fill the output matrix and set its bias to 0; `torch` keeps torch's default there.
An embedding always starts with torch's default, N(0, 1).
"""

import math
from collections.abc import Callable, Iterable

from torch import Tensor, nn

from rnnlab.config import ModelSettings

Fill = Callable[[Tensor], object]


def initialize(
    settings: ModelSettings, layers: Iterable[tuple[str, Tensor]], output: nn.Linear
) -> None:
    """Fill the parameters in place.

    torch: everything in a layer from U(-1/sqrt(H), 1/sqrt(H)), as nn.RNN, nn.GRU and nn.LSTM do.
    normal: matrices from N(0, init_std²), biases 0.
    xavier: matrices by Glorot and Bengio 2010, equation 16, gate by gate; biases 0.
    kaiming: matrices by He et al. 2015, equation 10 (relu gain, fan in), gate by gate; biases 0.
    orthogonal: matrices by Saxe et al. 2014, section 3, gate by gate; biases 0.

    forget_bias is then added to bias_ih of the LSTM's forget gate (Jozefowicz et al. 2015,
    section 2.2).
    """
    hidden = settings.hidden_size
    for name, parameter in layers:
        if settings.init == "torch":
            bound = 1 / math.sqrt(hidden)
            nn.init.uniform_(parameter, -bound, bound)
        elif name.startswith("bias"):
            nn.init.zeros_(parameter)
        else:
            for gate in parameter.detach().chunk(len(parameter) // hidden):
                _fill(settings)(gate)
        if settings.forget_bias and name.startswith("bias_ih"):
            parameter.detach()[hidden : 2 * hidden] += settings.forget_bias
    if settings.init != "torch":
        _fill(settings)(output.weight)
        nn.init.zeros_(output.bias)


def _fill(settings: ModelSettings) -> Fill:
    rules: dict[str, Fill] = {
        "normal": lambda matrix: nn.init.normal_(matrix, 0.0, settings.init_std),
        "xavier": nn.init.xavier_uniform_,
        "kaiming": lambda matrix: nn.init.kaiming_normal_(matrix, nonlinearity="relu"),
        "orthogonal": nn.init.orthogonal_,
    }
    return rules[settings.init]
