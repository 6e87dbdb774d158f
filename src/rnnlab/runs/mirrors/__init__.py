"""A run shown elsewhere while it trains: TensorBoard, MLflow.

What they get is what the run directory gets: the lines of metrics.jsonl, number by number under the
name kind/field (train/perplexity, held-out/bits_per_character), the samples, the settings. Nothing
is computed a second time.
"""

from rnnlab.runs.mirrors.mirrors import Mirrors, check_mirrors

__all__ = ["Mirrors", "check_mirrors"]
