"""Runs and what is made of them: directories, evaluations, curves, benchmarks."""
