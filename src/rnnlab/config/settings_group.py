"""What all groups of settings have in common: how values are checked, how faults are told."""

from contextvars import ContextVar
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from rnnlab.config.validation import InnerFaults, faults_in, spelled
from rnnlab.errors import UsageError, is_unicode

_building: ContextVar[bool] = ContextVar("_building", default=False)
"""Whether a group around is being built, which will say where a fault is."""


class SettingsGroup(BaseModel):
    """Settings that one part of rnnlab takes; immutable, unknown names refused.

    Raises UsageError, one line a fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    groups: ClassVar[dict[str, type["SettingsGroup"]]] = {}
    """Parts that no message names, since names are unique over all of them."""

    def __init__(self, **values: Any) -> None:
        inner, token = _building.get(), _building.set(True)
        try:
            super().__init__(**values)
        except ValidationError as error:
            faults = tuple(faults_in(type(self), error))
            if inner:
                raise InnerFaults(faults) from None
            lines = (f"{spelled(place)}: {rule}" if place else rule for place, rule in faults)
            raise UsageError("\n".join(lines)) from None
        finally:
            _building.reset(token)

    @field_validator("*", mode="before")
    @classmethod
    def _check_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what Python would take for a number: true for 1, "16" for 16."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if kind is bool and not isinstance(value, bool):
            raise PydanticKnownError("bool_type")
        if kind in (int, float) and isinstance(value, bool | str):
            raise PydanticKnownError("int_type" if kind is int else "float_type")
        return value

    @field_validator("*")
    @classmethod
    def _check_text(cls, value: Any) -> Any:
        """Refuse what no file of settings could hold; a file's name may be any bytes."""
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not is_unicode(text):
                raise ValueError(
                    f"{text!r} holds bytes that are no UTF-8; write it in UTF-8, or rename the "
                    "file that it names"
                )
        return value
