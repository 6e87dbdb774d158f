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
    from rnnlab.api import (
        benchmark,
        ensemble,
        evaluate,
        experiment,
        generate,
        load,
        probe,
        reproduce,
        train,
    )
    from rnnlab.config import Settings
    from rnnlab.data.named_corpora import list_corpora
    from rnnlab.doctor.diagnose import diagnose
    from rnnlab.engines import list_engines
    from rnnlab.errors import RnnlabError
    from rnnlab.execution.experiment import rewrite_report
    from rnnlab.lm.classifier import Classifier
    from rnnlab.lm.sample_scores import SampleScores
    from rnnlab.lm.text_model import TextModel
    from rnnlab.runs.run import Run

__all__ = [
    "Classifier",
    "RnnlabError",
    "Run",
    "SampleScores",
    "Settings",
    "TextModel",
    "benchmark",
    "diagnose",
    "ensemble",
    "evaluate",
    "experiment",
    "generate",
    "list_corpora",
    "list_engines",
    "load",
    "probe",
    "reproduce",
    "rewrite_report",
    "train",
]

_HOMES = {
    "Classifier": "rnnlab.lm.classifier",
    "SampleScores": "rnnlab.lm.sample_scores",
    "RnnlabError": "rnnlab.errors",
    "Run": "rnnlab.runs.run",
    "Settings": "rnnlab.config",
    "TextModel": "rnnlab.lm.text_model",
    "diagnose": "rnnlab.doctor.diagnose",
    "list_corpora": "rnnlab.data.named_corpora",
    "list_engines": "rnnlab.engines",
    "rewrite_report": "rnnlab.execution.experiment",
}
"""Modules of the public names that are not defined in `rnnlab.api`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rnnlab' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "rnnlab.api")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
