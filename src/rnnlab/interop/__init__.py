"""Models for other programs, and models from other programs."""
