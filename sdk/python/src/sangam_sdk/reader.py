"""Types of Python become shapes of JSON."""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, cast, get_args, get_origin, is_typeddict

from .encode import plain
from .failure import Rejected
from .naming import hints, json_name, notes
from .shape import (
    WRITTEN,
    Choice,
    Either,
    Flag,
    Listing,
    Member,
    Misfit,
    Noted,
    Null,
    Number,
    Record,
    Row,
    Schemas,
    Shape,
    Table,
    Text,
    Whole,
)

_NONE = dataclasses.MISSING
_SIMPLE: dict[Any, Shape] = {
    Any: Shape(),
    object: Shape(),
    None: Null(),
    type(None): Null(),
    bool: Flag(),
    int: Whole(),
    float: Number(float),
    Decimal: Number(Decimal),
    str: Text(),
    **WRITTEN,
}


class Reader:
    """Makes shapes of types, each once."""

    def __init__(self, *, strict: bool, kebab: bool = False) -> None:
        self.strict = strict
        """Members that a class does not have are refused."""
        self.kebab = kebab
        """A field `base_url` is `base-url` in JSON."""
        self._records: dict[Any, Record] = {}

    def shape(self, hint: Any, bound: Mapping[Any, Any] | None = None) -> Shape:
        """The shape of a type; `bound` are the types of its type variables. Raises TypeError where it has none."""
        bound = bound or {}
        if isinstance(hint, TypeVar):
            hint = bound.get(hint, Any)
        try:
            if hint in _SIMPLE:
                return _SIMPLE[hint]
        except TypeError:  # unhashable, such as Annotated with a list
            pass
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._annotated(hint, bound)
        if isinstance(hint, NewType):
            return self.shape(cast(Any, hint).__supertype__, bound)
        if hasattr(hint, "__value__"):  # type X = …
            return self.shape(hint.__value__, bound)
        if origin is Union or origin is types.UnionType:
            parts = [self.shape(part, bound) for part in arguments]
            nulls = [part for part in parts if isinstance(part, Null)]
            return Either([part for part in parts if not isinstance(part, Null)] + nulls[:1])
        if origin is Literal:
            return Choice([(value, value) for value in arguments])
        if inspect.isclass(hint) and issubclass(hint, Enum):
            return Choice([(member.value, member) for member in hint])
        made = self._collection(origin or hint, arguments, bound)
        if made is not None:
            return made
        cls = origin or hint
        if inspect.isclass(cls) and (dataclasses.is_dataclass(cls) or is_typeddict(cls)):
            return self._record(cls, arguments, bound)
        hint_name = getattr(hint, "__name__", None) or str(hint)
        raise TypeError(
            f"`{hint_name}` can't be told as JSON. Known are dataclasses, TypedDict, list, tuple, set, dict[str, …], str, int, float, bool, "
            "Decimal, datetime, date, time, UUID, bytes, Enum, Literal, unions, None and Any"
        )

    def _annotated(self, hint: Any, bound: Mapping[Any, Any]) -> Shape:
        shape = self.shape(get_args(hint)[0], bound)
        keywords: dict[str, Any] = {}
        for note in notes(hint):
            keywords.update(note.keywords())
        return Noted(shape, keywords) if keywords else shape

    def _collection(self, cls: Any, arguments: tuple[Any, ...], bound: Mapping[Any, Any]) -> Shape | None:
        item = arguments[0] if arguments else Any
        if cls in (list, Sequence):
            return Listing(self.shape(item, bound), list, unique=False)
        if cls in (set, frozenset):
            return Listing(self.shape(item, bound), cls, unique=True)
        if cls is tuple:
            if not arguments or arguments[-1] is Ellipsis:
                return Listing(self.shape(item, bound), tuple, unique=False)
            return Row([self.shape(part, bound) for part in arguments])
        if cls in (dict, Mapping):
            key = self.shape(item, bound) if arguments else Text()
            if not isinstance(key, (Text, Choice)) and not (isinstance(key, Noted) and isinstance(key.shape, Text)):
                raise TypeError("the keys of a dict are text in JSON: dict[str, …]")
            return Table(key, self.shape(arguments[1] if arguments else Any, bound))
        return None

    def _record(self, cls: type[Any], arguments: tuple[Any, ...], bound: Mapping[Any, Any]) -> Record:
        arguments = tuple(bound.get(part, part) if isinstance(part, TypeVar) else part for part in arguments)
        key = (cls, arguments)
        if key in self._records:
            return self._records[key]
        record = Record(cls, self.strict)
        self._records[key] = record
        variables = getattr(cls, "__parameters__", ())
        inner = dict(zip(variables, arguments))
        described = inspect.getdoc(cls) if cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(") and not is_typeddict(cls) else None
        record.fill(self._members(cls, inner), described)
        return record

    def _members(self, cls: type[Any], bound: Mapping[Any, Any]) -> list[Member]:
        members: list[Member] = []
        types_of = hints(cls)
        if not dataclasses.is_dataclass(cls):  # a TypedDict
            required = cast("frozenset[str]", getattr(cls, "__required_keys__"))
            for name, hint in types_of.items():
                needed = name in required
                while special := _special(hint):
                    # `from __future__ import annotations` hides these from Python itself.
                    needed = {"Required": True, "NotRequired": False}.get(special, needed)
                    hint = get_args(hint)[0]
                members.append(Member(name, name, self.shape(hint, bound), needed, {}))
            return members
        for field in dataclasses.fields(cls):
            if not field.init:
                continue
            try:
                shape = self.shape(types_of[field.name], bound)
            except TypeError as error:
                raise TypeError(f"{cls.__name__}.{field.name}: {error}") from None
            name = json_name(cls, field)
            if self.kebab and name == field.name:
                name = name.replace("_", "-")
            required = field.default is _NONE and field.default_factory is _NONE
            members.append(Member(field.name, name, shape, required, _default(field)))
        return members


def _special(hint: Any) -> str:
    """`Required`, `NotRequired`, `ReadOnly` of a TypedDict, or nothing."""
    origin = get_origin(hint)
    name = getattr(origin, "_name", None) or getattr(origin, "__name__", "")
    return name if name in ("Required", "NotRequired", "ReadOnly") else ""


def _default(field: dataclasses.Field[Any]) -> dict[str, Any]:
    value: object = field.default_factory() if field.default_factory is not _NONE else field.default
    if value is _NONE or value is None:
        return {}
    try:
        return {"default": plain(value)}
    except (TypeError, ValueError):
        return {}


def schema_of(shape: Shape, *, output: bool = False) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a type."""
    return Schemas(output).root(shape)


def read(shape: Shape, value: Any, what: str) -> Any:
    """A JSON value as the type has it; what does not fit is Rejected with the path of the field."""
    try:
        return shape.read(value)
    except Misfit as misfit:
        raise Rejected(f"{what}{misfit.path}: {misfit.message}", details={"path": misfit.path}) from None


def parse(text: str | bytes, what: str) -> Any:
    """JSON text as plain values, numbers with a fraction as Decimal with all their digits."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Rejected(f"{what} is no JSON: {error}") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number that JSON has")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


ANSWERS = Reader(strict=False)
"""For what systems say: members that a class does not have are skipped."""
