"""Dataclasses as plain JSON values and back, strictly: what is unknown or of another type is named.

Understood are fields of bool, int, float, str, None, Literal, tuple, Mapping[str, ...], unions of
these, and dataclasses of such fields.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.errors import UsageError

Kind = TypeVar("Kind")
Json = Any
"""A plain JSON value: what `json.loads` gives."""


def to_json(value: Any) -> dict[str, Json]:  # Any: an instance of any dataclass
    """The fields of a dataclass as plain JSON values."""
    plain: dict[str, Json] = json.loads(json.dumps(asdict(value), allow_nan=False))
    return plain


def from_json(kind: type[Kind], value: Json, *, place: str = "options") -> Kind:
    """The dataclass that `to_json` wrote; absent fields take their defaults.

    `UsageError` names the place, what stands there and what may.
    """
    if not isinstance(value, dict):
        raise UsageError(f"{place} is {_shown(value)}, not an object")
    known = {part.name: part for part in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    for name in value:
        if name not in known:
            raise UsageError(f"{place}.{name} is unknown; known: {', '.join(known)}")
    for name, part in known.items():
        if name not in value and _needed(part):
            raise UsageError(f"{place}.{name} is missing")
    hints = get_type_hints(kind)
    return kind(**{k: _read(hints[k], v, place=f"{place}.{k}") for k, v in value.items()})


def _needed(part: "Field[Any]") -> bool:  # Any: a field of any type
    return part.default is MISSING and part.default_factory is MISSING


def _read(kind: Any, value: Json, *, place: str) -> Any:  # Any: a type as hints give it
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return from_json(kind, value, place=place)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _read_union(get_args(kind), value, place=place)
    if origin is tuple:
        return _read_tuple(get_args(kind), value, place=place)
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        inside = get_args(kind)[1]
        return {name: _read(inside, item, place=f"{place}.{name}") for name, item in value.items()}
    if origin is Literal and any(value == it and type(value) is type(it) for it in get_args(kind)):
        return value
    if isinstance(kind, type) and _fits(kind, value):
        return kind(value) if kind is not NoneType else None
    raise UsageError(f"{place} is {_shown(value)}; it must be {_wanted(kind)}")


def _read_union(kinds: tuple[Any, ...], value: Json, *, place: str) -> Any:  # Any: as above
    for kind in kinds:
        try:
            return _read(kind, value, place=place)
        except UsageError:
            if kind is kinds[-1]:
                wanted = " or ".join(map(_wanted, kinds))
                raise UsageError(f"{place} is {_shown(value)}; it must be {wanted}") from None
    raise AssertionError("a union has members")


def _read_tuple(kinds: tuple[Any, ...], value: Json, *, place: str) -> Any:  # Any: as above
    endless = len(kinds) == 2 and kinds[1] is Ellipsis
    if not isinstance(value, (list, tuple)) or not (endless or len(value) == len(kinds)):
        wanted = "a list" if endless else f"a list of {len(kinds)}"
        raise UsageError(f"{place} is {_shown(value)}; it must be {wanted}")
    inside = kinds[:1] * len(value) if endless else kinds
    return tuple(
        _read(kind, item, place=f"{place}[{number}]")
        for number, (kind, item) in enumerate(zip(inside, value, strict=True))
    )


def _fits(kind: type, value: Json) -> bool:
    """Whether a JSON value is of a plain type; a whole number is a float, a bool is no number."""
    if kind is float:
        return isinstance(value, (int, float)) and _is_number(value)
    if kind is int:
        return isinstance(value, int) and _is_number(value)
    return kind in (bool, str, NoneType) and isinstance(value, kind)


def _is_number(value: float) -> bool:
    return not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)


def _wanted(kind: Any) -> str:  # Any: a type as hints give it
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if kind is NoneType:
        return "null"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(kind, "an object" if is_dataclass(kind) else "another value")


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 40 else f"{text[:40]}..."
