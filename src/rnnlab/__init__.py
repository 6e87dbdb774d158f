"""rnnlab: a laboratory for recurrent language models.

    import rnnlab

    run = rnnlab.train(corpus="timemachine", max_seconds=60)
    print(run.model.generate("the time traveller"))
    model = rnnlab.load(run.directory)

Names are looked up when first used: `import rnnlab` does not import torch.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rnnlab.api import load, train
    from rnnlab.config import Settings
    from rnnlab.doctor.diagnose import diagnose
    from rnnlab.errors import RnnlabError
    from rnnlab.lm.text_model import TextModel
    from rnnlab.runs.evaluation import evaluate
    from rnnlab.runs.run import Run

__all__ = ["RnnlabError", "Run", "Settings", "TextModel", "diagnose", "evaluate", "load", "train"]

_HOMES = {
    "RnnlabError": "rnnlab.errors",
    "Run": "rnnlab.runs.run",
    "Settings": "rnnlab.config",
    "TextModel": "rnnlab.lm.text_model",
    "diagnose": "rnnlab.doctor.diagnose",
    "evaluate": "rnnlab.runs.evaluation",
    "load": "rnnlab.api",
    "train": "rnnlab.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rnnlab' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
