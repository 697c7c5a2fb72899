"""What JSON a type stands for: reading it, and its JSON Schema."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, cast
from uuid import UUID


class Misfit(Exception):
    """A value that its type does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.steps: list[str] = []
        """The way to it, innermost first."""

    @property
    def path(self) -> str:
        """Such as `.lines[2].amount`."""
        return "".join(reversed(self.steps))


class Schemas:
    """Writes schemas. A type that contains itself stands under `$defs`; all others are written where they are used."""

    def __init__(self, output: bool) -> None:
        self.output = output
        """Of what is written: there every field of a class is present."""
        self.open: list[Record] = []
        self.recursive: dict[str, Record] = {}

    def root(self, shape: Shape) -> dict[str, Any]:
        """The whole schema of a type."""
        schema = shape.schema(self)
        definitions: dict[str, Any] = {}
        while len(definitions) < len(self.recursive):
            name = next(name for name in self.recursive if name not in definitions)
            definitions[name] = self.recursive[name].schema(self)
        if definitions:
            schema["$defs"] = dict(sorted(definitions.items()))
        return schema


class Shape:
    """A type, as far as JSON is concerned. This one is any value."""

    def read(self, value: Any) -> Any:
        """The value as the type has it. Raises Misfit."""
        return value

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        """Its JSON Schema."""
        return {}


class Null(Shape):
    def read(self, value: Any) -> Any:
        if value is not None:
            raise Misfit(f"expected null, got {shown(value)}")

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        return {"type": "null"}


class Flag(Shape):
    def read(self, value: Any) -> Any:
        if value is True or value is False:
            return value
        raise Misfit(f"expected true or false, got {shown(value)}")

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        return {"type": "boolean"}


class Whole(Shape):
    def read(self, value: Any) -> Any:
        if type(value) is int:
            return value
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return int(value)  # JSON Schema takes 1.0 for an integer too
        raise Misfit(f"expected a whole number, got {shown(value)}")

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        return {"type": "integer"}


class Number(Shape):
    """float or Decimal."""

    def __init__(self, make: type[float] | type[Decimal]) -> None:
        self.make = make

    def read(self, value: Any) -> Any:
        if type(value) is int or isinstance(value, (Decimal, float)):
            return self.make(str(value) if isinstance(value, float) else value)
        raise Misfit(f"expected a number, got {shown(value)}")

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        return {"type": "number"}


class Text(Shape):
    def read(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        raise Misfit(f"expected text, got {shown(value)}")

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        return {"type": "string"}


class Written(Shape):
    """A type that JSON writes as text."""

    def __init__(self, what: str, parse: Callable[[str], Any], schema: dict[str, Any]) -> None:
        self.what = what
        self.parse = parse
        self.words = schema

    def read(self, value: Any) -> Any:
        if isinstance(value, str):
            try:
                return self.parse(value)
            except ValueError:
                pass
        raise Misfit(f"expected {self.what}, got {shown(value)}")

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        return {"type": "string", **self.words}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment


WRITTEN: dict[Any, Written] = {
    datetime: Written("a time such as 2026-11-02T08:00:00Z", _moment, {"format": "date-time"}),
    date: Written("a date such as 2026-11-02", date.fromisoformat, {"format": "date"}),
    time: Written("a time of day such as 08:30", time.fromisoformat, {"pattern": "^\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?$"}),
    UUID: Written("a UUID", UUID, {"format": "uuid"}),
    bytes: Written("bytes in base64", lambda text: base64.b64decode(text, validate=True), {"contentEncoding": "base64"}),
}


class Choice(Shape):
    """An enum, or literals."""

    def __init__(self, values: Sequence[tuple[Any, Any]]) -> None:
        """Pairs of JSON value and what it stands for."""
        self.values = values

    def read(self, value: Any) -> Any:
        for wire, meant in self.values:
            if wire == value and (type(wire) is type(value)):
                return meant
        raise Misfit(f"expected {listed([shown(wire) for wire, _ in self.values])}, got {shown(value)}")

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        wires = [wire for wire, _ in self.values]
        kinds: set[type[Any]] = {type(wire) for wire in wires}
        words: dict[str, Any] = {"enum": wires} if len(wires) != 1 else {"const": wires[0]}
        if kinds == {str}:
            return {"type": "string", **words}
        if kinds == {int}:
            return {"type": "integer", **words}
        return words


class Listing(Shape):
    """list, set, frozenset, tuple[X, ...]."""

    def __init__(self, item: Shape, make: Callable[[list[Any]], Any], unique: bool) -> None:
        self.item = item
        self.make = make
        self.unique = unique

    def read(self, value: Any) -> Any:
        if not isinstance(value, list):
            raise Misfit(f"expected a list, got {shown(value)}")
        items: list[Any] = []
        read = self.item.read
        for index, item in enumerate(cast("list[Any]", value)):
            try:
                items.append(read(item))
            except Misfit as misfit:
                misfit.steps.append(f"[{index}]")
                raise
        return items if self.make is list else self.make(items)

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array", "items": self.item.schema(schemas)}
        if self.unique:
            schema["uniqueItems"] = True
        return schema


class Row(Shape):
    """tuple[X, Y]."""

    def __init__(self, items: list[Shape]) -> None:
        self.items = items

    def read(self, value: Any) -> Any:
        if not isinstance(value, list) or len(cast("list[Any]", value)) != len(self.items):
            raise Misfit(f"expected a list of {len(self.items)}, got {shown(value)}")
        row: list[Any] = []
        for index, (shape, item) in enumerate(zip(self.items, cast("list[Any]", value))):
            try:
                row.append(shape.read(item))
            except Misfit as misfit:
                misfit.steps.append(f"[{index}]")
                raise
        return tuple(row)

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        size = len(self.items)
        items = [shape.schema(schemas) for shape in self.items]
        return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}


class Table(Shape):
    """dict[str, X]."""

    def __init__(self, key: Shape, value: Shape) -> None:
        self.key = key
        self.value = value

    def read(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit(f"expected an object, got {shown(value)}")
        table: dict[Any, Any] = {}
        for name, member in cast("dict[str, Any]", value).items():
            try:
                table[self.key.read(name)] = self.value.read(member)
            except Misfit as misfit:
                misfit.steps.append(f".{name}")
                raise
        return table

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "additionalProperties": self.value.schema(schemas)}
        if not isinstance(self.key, Text):
            schema["propertyNames"] = self.key.schema(schemas)
        return schema


class Member:
    """A field of a class."""

    def __init__(self, attribute: str, name: str, shape: Shape, required: bool, default: dict[str, Any]) -> None:
        self.attribute = attribute
        self.name = name
        self.shape = shape
        self.required = required
        self.default = default
        """`{"default": …}` for the schema, if there is one to show."""


class Record(Shape):
    """A dataclass, or a TypedDict."""

    def __init__(self, cls: type[Any], strict: bool) -> None:
        self.cls = cls
        self.strict = strict
        """Members that the class does not have are refused."""
        self.members: list[Member] = []
        self.by_name: dict[str, Member] = {}
        self.description: str | None = None

    def fill(self, members: list[Member], description: str | None) -> None:
        """After construction, for types that contain themselves."""
        self.members = members
        self.by_name = {member.name: member for member in members}
        self.description = description

    def read(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit(f"expected an object, got {shown(value)}")
        given = cast("dict[str, Any]", value)
        fields: dict[str, Any] = {}
        for member in self.members:
            if member.name in given:
                try:
                    fields[member.attribute] = member.shape.read(given[member.name])
                except Misfit as misfit:
                    misfit.steps.append(f".{member.name}")
                    raise
            elif member.required:
                raise Misfit(f"`{member.name}` is missing")
        if self.strict and len(fields) < len(given):
            for name in given:
                if name not in self.by_name:
                    misfit = Misfit(f"there is no `{name}` here; known are {listed([f'`{known}`' for known in self.by_name])}")
                    misfit.steps.append(f".{name}")
                    raise misfit
        try:
            return self.cls(**fields)
        except ValueError as error:  # the class's own __post_init__ has a say
            raise Misfit(str(error)) from error

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        if self in schemas.open:
            name = next((name for name, record in schemas.recursive.items() if record is self), None)
            if name is None:
                name = self.cls.__name__
                while name in schemas.recursive:
                    name += "_"
                schemas.recursive[name] = self
            return {"$ref": f"#/$defs/{name}"}
        schemas.open.append(self)
        properties: dict[str, Any] = {}
        for member in self.members:
            schema = member.shape.schema(schemas)
            properties[member.name] = schema if schemas.output else {**schema, **member.default}
        schemas.open.pop()
        required = [member.name for member in self.members if member.required or schemas.output]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if self.description:
            schema["description"] = self.description
        if required:
            schema["required"] = required
        if self.strict and not schemas.output:
            schema["additionalProperties"] = False
        return schema


class Either(Shape):
    """A union."""

    def __init__(self, shapes: list[Shape]) -> None:
        self.shapes = shapes

    def read(self, value: Any) -> Any:
        if value is None and any(isinstance(shape, Null) for shape in self.shapes):
            return None
        candidates = [shape for shape in self.shapes if not isinstance(shape, Null)]
        if len(candidates) > 1:
            # The members of a union of classes usually tell themselves apart by a literal: its misfit says most.
            tagged = [shape for shape in candidates if _tag_fits(shape, value)]
            candidates = tagged or candidates
        misfits: list[Misfit] = []
        for shape in candidates:
            try:
                return shape.read(value)
            except Misfit as misfit:
                misfits.append(misfit)
        if len(misfits) == 1:
            raise misfits[0]
        raise Misfit(f"fits none of the {len(misfits)} allowed: " + "; ".join(f"{m.path or 'itself'}: {m.message}" for m in misfits))

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        parts = [shape.schema(schemas) for shape in self.shapes]
        if len(parts) == 2 and parts[1] == {"type": "null"} and isinstance(parts[0].get("type"), str) and not {"enum", "const"} & parts[0].keys():
            return {**parts[0], "type": [parts[0]["type"], "null"]}
        return {"anyOf": parts}


def _tag_fits(shape: Shape, value: Any) -> bool:
    if not isinstance(shape, Record) or not isinstance(value, dict):
        return False
    tags = [member for member in shape.members if isinstance(member.shape, Choice) and member.required]
    given = cast("dict[str, Any]", value)
    return bool(tags) and all(any(given.get(tag.name) == wire for wire, _ in cast(Choice, tag.shape).values) for tag in tags)


class Noted(Shape):
    """A type with what `Annotated` says of it."""

    def __init__(self, shape: Shape, keywords: dict[str, Any]) -> None:
        self.shape = shape
        self.keywords = keywords
        self.checks = [CHECKS[keyword](bound) for keyword, bound in keywords.items() if keyword in CHECKS]

    def read(self, value: Any) -> Any:
        for check in self.checks:
            wrong = check(value)
            if wrong:
                raise Misfit(f"{wrong}, got {shown(value)}")
        return self.shape.read(value)

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        schema = self.shape.schema(schemas)
        if "$ref" in schema:  # a description beside a reference is fine in 2020-12, but it is not the type's own
            return {"allOf": [schema], **self.keywords}
        return {**schema, **self.keywords}


Check = Callable[[Any], "str | None"]


def _number(holds: Callable[[Any, Any], bool], words: str) -> Callable[[Any], Check]:
    def of(bound: Any) -> Check:
        exact = Decimal(str(bound))

        def check(value: Any) -> str | None:
            wrong = isinstance(value, (int, Decimal)) and not isinstance(value, bool) and not holds(value, exact)
            return f"expected {words} {bound}" if wrong else None

        return check

    return of


def _size(kind: type[Any], holds: Callable[[int, int], bool], words: str, unit: str) -> Callable[[Any], Check]:
    def of(bound: Any) -> Check:
        def check(value: Any) -> str | None:
            wrong = isinstance(value, kind) and not holds(len(value), bound)
            return f"expected {words} {bound} {unit}" if wrong else None

        return check

    return of


def _pattern(bound: Any) -> Check:
    compiled = re.compile(bound)

    def check(value: Any) -> str | None:
        return f"expected a match of {bound}" if isinstance(value, str) and not compiled.search(value) else None

    return check


CHECKS: dict[str, Callable[[Any], Check]] = {
    "minimum": _number(lambda value, bound: value >= bound, "at least"),
    "maximum": _number(lambda value, bound: value <= bound, "at most"),
    "exclusiveMinimum": _number(lambda value, bound: value > bound, "more than"),
    "exclusiveMaximum": _number(lambda value, bound: value < bound, "less than"),
    "minLength": _size(str, lambda size, bound: size >= bound, "at least", "characters"),
    "maxLength": _size(str, lambda size, bound: size <= bound, "at most", "characters"),
    "minItems": _size(list, lambda size, bound: size >= bound, "at least", "items"),
    "maxItems": _size(list, lambda size, bound: size <= bound, "at most", "items"),
    "pattern": _pattern,
}


def shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(cast('list[Any]', value))}"
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def listed(names: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    if not names:
        return "nothing"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]
