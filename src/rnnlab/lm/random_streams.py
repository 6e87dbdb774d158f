"""The random numbers of one model: its initial weights and its dropout."""

import torch


class RandomStreams:
    """A model's random number generators: one for each kind of device, all with the same seed.

    They give the numbers that torch's default generators give after `torch.manual_seed(seed)`, but
    they belong to one model. So training leaves the caller's random state alone, and models that
    are trained in several threads of a process do not take numbers from each other.

    seed None: torch's default generators, which every part of the process draws from.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._generators: dict[str, torch.Generator] = {}

    def on(self, device: torch.device | str) -> torch.Generator:
        """Return the generator for a device; it begins with the seed when it is first asked for."""
        device = torch.device(device)
        if self._seed is None:
            return _default(device)
        if device.type not in self._generators:
            generator = torch.Generator(device).manual_seed(self._seed)
            self._generators[device.type] = generator
        return self._generators[device.type]


def _default(device: torch.device) -> torch.Generator:
    if device.type != "cuda":
        return torch.default_generator
    torch.cuda.init()  # type: ignore[no-untyped-call]
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]
