"""How settings are checked: pydantic finds what is wrong, this module says it in plain words."""

import codecs
import os
from collections.abc import Iterator, Mapping
from itertools import groupby
from types import UnionType
from typing import Annotated, Any, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError, PydanticKnownError

from rnnlab.cells import CELLS
from rnnlab.cells.registry import is_name, names
from rnnlab.errors import UsageError, is_unicode, suggest

Place = tuple[str | int, ...]
"""Where a value stands in a file: keys, and positions in lists."""


class SettingsGroup(BaseModel):
    """Base of all groups of settings: immutable, unknown names refused.

    The constructor raises pydantic's ValidationError, `from_dict` raises UsageError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Build from a mapping; raise UsageError, one line per fault, each beginning with `where`.

        Every line names the setting, the rule, the value, and the choices if there are any.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise usage_error(error, cls, where) from None

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_conversions(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would convert to a number: true to 1, "16" to 16."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if kind is bool and not isinstance(value, bool):
            raise PydanticKnownError("bool_type")
        if kind in (int, float) and isinstance(value, bool | str):
            raise PydanticKnownError("int_type" if kind is int else "float_type")
        return value

    @field_validator("*")
    @classmethod
    def _refuse_surrogates(cls, value: Any) -> Any:
        """Refuse text that a TOML file cannot hold, such as a file name that is not UTF-8."""
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not is_unicode(text):
                raise ValueError(
                    f"{text!r} holds bytes that are not UTF-8; write it in UTF-8, or rename the "
                    "file that it names"
                )
        return value


def _as_text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _as_tuple(value: object) -> object:
    """Take a single value for a list of one, and a path for its text."""
    if isinstance(value, str | os.PathLike):
        value = (value,)
    return tuple(map(_as_text, value)) if isinstance(value, list | tuple) else value


OnePath = BeforeValidator(_as_text)
"""For paths: as text, or as a path."""

OneOrMore = BeforeValidator(_as_tuple)
"""For lists of text: a single value is a list of one."""

REPEATED = object()
"""For lists of text: on the command line each value has a flag of its own."""

OneOrMoreSizes = Annotated[
    tuple[PositiveInt, ...],
    BeforeValidator(lambda value: (value,) if type(value) is int else value),
]


def not_empty(value: str) -> str:
    """Refuse an empty text."""
    if not value:
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    return value


def readable_again(value: str) -> str:
    """Refuse a text of which it is not certain that it is the same when it is read again."""
    if value in ("-", "auto"):
        raise ValueError(f"a held-out text is a file, a folder or a named corpus, not {value!r}")
    return value


HeldOutNames = Annotated[
    tuple[Annotated[str, AfterValidator(not_empty), AfterValidator(readable_again)], ...], OneOrMore
]

EXPECTED_TYPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list of values",
    "list": "a list of values",
    "dict": "a table",
    "model": "a table",
}
"""What a value must be, by the first word of pydantic's name for the error."""


def usage_error(
    error: ValidationError, group: type[BaseModel], where: str = "", within: Place = ()
) -> UsageError:
    """Translate pydantic's report: one line per fault, each beginning with `where`.

    group: the group that was checked, or whose value was; within: where in the group that value
    stands.
    """
    lines = (": ".join(filter(None, (where, line))) for line in _lines(error, group, within))
    return UsageError("\n".join(lines))


def check_value(group: type[BaseModel], name: str, value: object, where: str) -> None:
    """Raise UsageError if a setting cannot have this value, whatever the others are."""
    field = group.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise usage_error(error, group, where, (name,)) from None


def _lines(error: ValidationError, group: type[BaseModel], within: Place) -> Iterator[str]:
    for inner, alike in groupby(error.errors(), key=_place):
        faults, place = list(alike), within + inner
        kind = faults[0]["type"]
        if kind == "too_short" and faults[0]["input"]:
            continue  # items that have faults of their own were not counted
        cut = max((at for at, part in enumerate(place) if isinstance(part, str)), default=0)
        choices: list[str] = []
        if kind == "value_error" and _group_at(group, place):
            cut = len(place)  # the rule is about several settings, and names them
        elif kind == "extra_forbidden" and (owner := _group_at(group, place[:-1])):
            choices = list(owner.model_fields)
        outer = place[1:cut] if place and place[0] in getattr(group, "groups", ()) else place[:cut]
        rule = _rule(format_place(place[cut:]), faults, choices)
        yield f"{format_place(outer)}: {rule}" if outer else rule


def _place(fault: ErrorDetails) -> Place:
    """Return where a fault is, without the member of a union that was tried."""
    place = fault["loc"]
    is_member = place and place[-1] in ("str", "int", "float", "bool", "list[any]")
    return place[:-1] if is_member else place


def _group_at(group: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """Return the group that stands at a place, or None if something else stands there."""
    kind: Any = group
    for part in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        elif arguments := get_args(kind):
            kind = arguments[get_origin(kind) is dict]
        if get_origin(kind) is UnionType:
            kind = get_args(kind)[0]
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _rule(name: str, faults: list[ErrorDetails], choices: list[str]) -> str:
    """Say what is wrong with one value; `faults` has one entry per member of a union."""
    kind, value = faults[0]["type"], faults[0]["input"]
    match kind:
        case "value_error":
            rule = faults[0]["msg"].removeprefix("Value error, ")
            return f"{name}: {rule}" if name else rule
        case "missing":
            return f"{name} is missing"
        case "too_short" | "string_too_short":
            return f"{name} is empty"
        case "too_long":
            return f"{name} must have {faults[0]['ctx']['max_length']} values, not {len(value)}"
        case "extra_forbidden":
            hint = suggest(name, choices) or f" (choices: {', '.join(choices)})"
            return f"unknown key {name!r}{hint}"
        case "tuple_type" if isinstance(value, dict):
            return f"{name} must be a list, not one table"
        case "dict_type" | "model_type" if isinstance(value, list):
            return f"{name} must be one table, not a list"
    kinds = dict.fromkeys(
        EXPECTED_TYPES.get(fault["type"].split("_")[0])
        or fault["msg"].removeprefix("Input should be ")
        for fault in faults
    )
    if "a number" in kinds:
        kinds.pop("a whole number", None)
    *most, last = kinds
    rule = f"{', '.join(most)} or {last}" if most else last
    a_list = "the list " if isinstance(value, tuple | list) and value else ""
    return f"{name} must be {rule}, not {a_list}{format_value(value)}"


def format_place(place: Place) -> str:
    """Write a place as people do: `random.settings.dropout`, `claim 1, comparison 2`."""
    text = separator = ""
    for part in place:
        if isinstance(part, int):
            text, separator = f"{text} {part + 1}", ", "
        else:
            text, separator = f"{text}{separator}{part}", "."
    return text


def format_value(value: object) -> str:
    """Write a value as a message shows it."""
    if isinstance(value, tuple | list):
        return " ".join(format_value(item) for item in value) or "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else repr(value)


def check_context(value: str) -> str:
    """Check a context rule: `carried`, or `windows:N` with N at least 1."""
    kind, _, size = value.partition(":")
    if value == "carried" or (kind == "windows" and size.isdecimal() and int(size) > 0):
        return value
    raise ValueError(f"a context rule is 'carried' or 'windows:N' with N >= 1, not {value!r}")


Context = Annotated[str, AfterValidator(check_context)]


def check_encoding(value: str) -> str:
    """Check the name of an encoding and return the usual one for it; or `auto`."""
    if value == "auto":
        return value
    try:
        "".encode(value)  # refuses codecs that do not encode text
    except (LookupError, ValueError):
        raise ValueError(
            "an encoding is auto or a name that Python knows, such as utf-8, cp1252 or "
            f"shift_jis, not {value!r}"
        ) from None
    return codecs.lookup(value).name


LARGEST_SIZE = 65536
"""Of hidden_size."""


def check_cell(value: str) -> str:
    """Check the name of a cell; no file is read. See `rnnlab.cells.registry`."""
    if is_name(value):
        return value
    choices = f"{', '.join(map(repr, names()))} or FILE.py:CLASS"
    raise PydanticCustomError("cell", "FILE.py:CLASS" if value.endswith(".py") else choices)


def check_reference(value: str) -> str:
    """Check a cell and its hidden size, CELL:H; or no text."""
    cell, _, size = value.rpartition(":")
    is_size = size.isdecimal() and 1 <= int(size) <= LARGEST_SIZE
    if not value or (cell in CELLS and is_size):
        return value
    raise PydanticCustomError(
        "reference", f"CELL:HIDDEN_SIZE, such as lstm:256, with one of {', '.join(CELLS)}"
    )


CellName = Annotated[str, AfterValidator(check_cell)]
ReferenceSize = Annotated[str, AfterValidator(check_reference)]

Encoding = Annotated[str, AfterValidator(check_encoding)]
