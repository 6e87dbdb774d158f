"""Mirrors show a run elsewhere while it trains: in TensorBoard or MLflow.

They get what the run directory gets: the numbers in metrics.jsonl, each under the name kind/field
(train/perplexity, held-out/bits_per_character), the samples, and the settings.
"""

from rnnlab.runs.mirrors.mirrors import Mirrors, check_mirrors

__all__ = ["Mirrors", "check_mirrors"]
