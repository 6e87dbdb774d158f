"""Settings of how and where a model is computed; none of this is part of the model."""

from typing import Annotated, Literal

from pydantic import Field

from rnnlab.config.validation import OneOrMore, SettingsGroup

Precision = Literal["float32", "bfloat16"]


class ComputeSettings(SettingsGroup):
    """Engine, device, precision and threads; none of this is part of the model."""

    engine: str = Field(
        "auto", description="textbook, builtin, native or auto (see `rnnlab engines`)"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where tensors are; auto: a GPU if there is one"
    )
    precision: Precision = Field("float32", description="bfloat16: weights stay float32")
    threads: int = Field(
        0, ge=0, le=4096, description="CPU threads at most, 0: torch's default, one a usable core"
    )


class MachineSettings(ComputeSettings):
    """How training is computed, saved and shown; none of this is part of the model."""

    checkpoint_seconds: float = Field(
        30.0, ge=0, description="time between saved training states, 0: after every step [s]"
    )
    mirror: Annotated[tuple[Literal["tensorboard", "mlflow"], ...], OneOrMore] = Field(
        (), description="also show training live in tensorboard, mlflow or both"
    )


class LoadSettings(ComputeSettings):
    """How a stored model is computed, and whether its code may run; none of this is stored."""

    trust_cell: bool = Field(
        False, description="run the Python file of the model's own cell, if it has one"
    )
