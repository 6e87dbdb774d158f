"""One training run and its directory: training, files, resuming, evaluation, curves."""
