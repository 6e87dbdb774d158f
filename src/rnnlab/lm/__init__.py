"""The language model: parameters, training, evaluation, generation."""
