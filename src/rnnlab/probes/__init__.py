"""What a network has learned: one probe a file, each with its control."""

PROBES = (
    "surprise", "following", "ablation", "timescales", "reach", "saturation", "decoding",
    "memorisation", "exposure",
)  # fmt: skip
"""The names of all probes."""

PORTRAIT = PROBES[:6]
"""What a portrait consists of."""
