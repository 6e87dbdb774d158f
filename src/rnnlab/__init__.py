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
    from rnnlab.api.cells import check_cell
    from rnnlab.api.comparing import class_report, compare, new_experiment
    from rnnlab.api.ensembles import ensemble
    from rnnlab.api.evaluation import evaluate
    from rnnlab.api.exchange import export_model, import_model
    from rnnlab.api.laboratory import benchmark, experiment, power, reproduce
    from rnnlab.api.models import generate, load
    from rnnlab.api.probing import probe
    from rnnlab.api.training import train
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
    "check_cell",
    "class_report",
    "compare",
    "diagnose",
    "ensemble",
    "evaluate",
    "experiment",
    "export_model",
    "generate",
    "import_model",
    "list_corpora",
    "list_engines",
    "load",
    "new_experiment",
    "power",
    "probe",
    "reproduce",
    "rewrite_report",
    "train",
]

_HOMES = {
    "Classifier": "lm.classifier",
    "RnnlabError": "errors",
    "Run": "runs.run",
    "SampleScores": "lm.sample_scores",
    "Settings": "config",
    "TextModel": "lm.text_model",
    "benchmark": "api.laboratory",
    "check_cell": "api.cells",
    "class_report": "api.comparing",
    "compare": "api.comparing",
    "diagnose": "doctor.diagnose",
    "ensemble": "api.ensembles",
    "evaluate": "api.evaluation",
    "experiment": "api.laboratory",
    "export_model": "api.exchange",
    "generate": "api.models",
    "import_model": "api.exchange",
    "list_corpora": "data.named_corpora",
    "list_engines": "engines",
    "load": "api.models",
    "new_experiment": "api.comparing",
    "power": "api.laboratory",
    "probe": "api.probing",
    "reproduce": "api.laboratory",
    "rewrite_report": "execution.experiment",
    "train": "api.training",
}
"""The module of each public name."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "course":  # so that exercises need no other import
        return import_module("rnnlab.course")
    if name not in __all__:
        raise AttributeError(f"module 'rnnlab' has no attribute {name!r}")
    return getattr(import_module(f"rnnlab.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
