"""Experiments: a file with a question becomes runs, and runs become an answer."""
