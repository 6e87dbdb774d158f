"""The hidden size with which one cell has as many parameters as another.

Cells have different numbers of weights for each unit, so at an equal hidden size the one with more
gates is the larger network. To compare what the equations do, networks of equal size are compared.
"""

import math

from rnnlab.cells import short_name
from rnnlab.config import ModelSettings
from rnnlab.config.validation import LARGEST_SIZE
from rnnlab.errors import UsageError
from rnnlab.lm.stored_network import parameter_shapes


def num_parameters(settings: ModelSettings, vocabulary_size: int) -> int:
    """Return the number of parameters of a `LanguageModel`; tied weights count once."""
    return sum(math.prod(shape) for _, shape in parameter_shapes(settings, vocabulary_size))


def with_equal_parameters(settings: ModelSettings, vocabulary_size: int) -> tuple[int, str]:
    """Return the hidden size that `match_parameters` asks for, and what was found, in words.

    It is the one whose number of parameters is nearest to that of the reference, all other settings
    being equal; of two that are equally near, the smaller one.

    Raises UsageError if already one unit has more parameters than the reference, or if the largest
    hidden size has fewer.
    """
    cell, _, size = settings.match_parameters.rpartition(":")

    def count(H: int, cell: str = settings.cell) -> int:
        return num_parameters(
            settings.model_copy(update={"cell": cell, "hidden_size": H}), vocabulary_size
        )

    wanted, name = count(int(size), cell), short_name(settings.cell)
    for H, beyond in ((1, count(1) > wanted), (LARGEST_SIZE, count(LARGEST_SIZE) < wanted)):
        if beyond:
            raise UsageError(
                f"match_parameters = {settings.match_parameters!r} cannot be met: the reference "
                f"has {wanted:,} parameters, {name} with hidden_size = {H} has {count(H):,}"
            )
    low, high = 1, LARGEST_SIZE  # count(low) <= wanted <= count(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= wanted else (low, middle)
    H = min((low, high), key=lambda size: (abs(count(size) - wanted), size))
    return H, f"{name} {H} has {count(H):,} parameters, {cell} {size} has {wanted:,}"
