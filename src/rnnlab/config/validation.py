"""What is wrong with settings, and where, in words: pydantic finds it, this module says it."""

from collections.abc import Iterator
from itertools import groupby

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rnnlab.errors import suggest

Place = tuple[str | int, ...]
"""Where something stands in a file: keys, and positions in lists."""


class InnerFaults(ValueError):
    """Faults of a group in a group; pydantic hands a ValueError on to the group around it."""

    def __init__(self, faults: tuple[tuple[Place, str], ...]) -> None:
        super().__init__()
        self.faults = faults


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
"""What something must be, by the first word of pydantic's name for the error."""


def faults_in(group: type[BaseModel], error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Turn pydantic's report into places and rules; nothing else words it."""
    for place, alike in groupby(error.errors(), key=_place):
        faults = list(alike)
        inner = faults[0].get("ctx", {}).get("error")
        if isinstance(inner, InnerFaults):
            outer = () if place[0] in getattr(group, "groups", ()) else place
            yield from ((outer + within, rule) for within, rule in inner.faults)
        elif faults[0]["type"] != "too_short" or not faults[0]["input"]:  # else: of faulty items
            cut = max((at for at, part in enumerate(place) if isinstance(part, str)), default=0)
            yield place[:cut], rule_of(spelled(place[cut:]), faults, group)


def _place(fault: ErrorDetails) -> Place:
    """Where it is, without the type that was tried of several."""
    *outer, last = place = fault["loc"] or ("",)
    return tuple(outer) if last in ("", "str", "int", "float", "bool", "list[any]") else place


def rule_of(name: str, faults: list[ErrorDetails], group: type[BaseModel]) -> str:
    """Say what is wrong with a value; `faults`: by each type of a union."""
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
            keys = list(group.model_fields)
            hint = suggest(name, keys) or f" (choices: {', '.join(keys)})"
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
    return f"{name} must be {rule}, not {a_list}{shown_value(value)}"


def spelled(place: Place) -> str:
    """Spell out a place: `random.settings.dropout`, `claim 1, comparison 2`."""
    text = separator = ""
    for part in place:
        if isinstance(part, int):
            text, separator = f"{text} {part + 1}", ", "
        else:
            text, separator = f"{text}{separator}{part}", "."
    return text


def shown_value(value: object) -> str:
    """A value as a message shows it."""
    if isinstance(value, tuple | list):
        return " ".join(shown_value(item) for item in value) or "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else repr(value)
