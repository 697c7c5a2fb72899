"""Types make schemas, and what does not fit is refused with its field."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict, Union
from uuid import UUID

import pytest

from sangam_sdk import Field, Rejected, to_json
from sangam_sdk.reader import Reader, parse, read, schema_of

STRICT = Reader(strict=True)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    amount: Annotated[Decimal, Field("What it costs.", minimum=0)]
    unit: Literal["hour", "piece"] = "piece"


@dataclass
class Order:
    """An order."""

    customer: Annotated[str, "The customer's id.", Field(min_length=1, personal=True)]
    lines: list[Line] = field(default_factory=list[Line])
    due: date | None = None
    colour: Colour | None = None
    from_: str = "here"


@dataclass
class Tree:
    name: str
    below: list[Tree] = field(default_factory=lambda: list[Tree]())


@dataclass
class Circle:
    kind: Literal["circle"]
    radius: float


@dataclass
class Square:
    kind: Literal["square"]
    side: float


class Strict(TypedDict):
    id: int


class Loose(Strict, total=False):
    note: str


@dataclass
class Everything:
    a: bool
    b: int
    c: float
    d: Decimal
    e: str
    f: bytes
    g: datetime
    h: date
    i: time
    j: UUID
    k: set[str]
    l: tuple[int, str]  # noqa: E741
    m: dict[str, int]
    n: Any
    o: None


def fits(hint: Any, text: str, reader: Reader = STRICT) -> Any:
    return read(reader.shape(hint), parse(text, "input"), "input")


def misfit(hint: Any, text: str) -> str:
    with pytest.raises(Rejected) as caught:
        fits(hint, text)
    return caught.value.reason


def test_a_class_becomes_a_schema() -> None:
    assert schema_of(STRICT.shape(Order)) == {
        "type": "object",
        "description": "An order.",
        "properties": {
            "customer": {"type": "string", "description": "The customer's id.", "minLength": 1, "x-personal": True},
            "lines": {
                "type": "array",
                "default": [],
                "items": {
                    "type": "object",
                    "properties": {
                        "amount": {"type": "number", "description": "What it costs.", "minimum": 0},
                        "unit": {"type": "string", "enum": ["hour", "piece"], "default": "piece"},
                    },
                    "required": ["amount"],
                    "additionalProperties": False,
                },
            },
            "due": {"type": ["string", "null"], "format": "date"},
            "colour": {"anyOf": [{"type": "string", "enum": ["red", "blue"]}, {"type": "null"}]},
            "from": {"type": "string", "default": "here"},
        },
        "required": ["customer"],
        "additionalProperties": False,
    }


def test_an_output_has_all_its_fields() -> None:
    schema = schema_of(Reader(strict=False).shape(Order), output=True)
    assert schema["required"] == ["customer", "lines", "due", "colour", "from"]
    assert "additionalProperties" not in schema


def test_a_type_that_contains_itself_stands_under_defs() -> None:
    schema = schema_of(STRICT.shape(Tree))
    assert schema["properties"]["below"]["items"] == {"$ref": "#/$defs/Tree"}
    assert schema["$defs"]["Tree"]["properties"]["below"]["items"] == {"$ref": "#/$defs/Tree"}
    assert fits(Tree, '{"name": "a", "below": [{"name": "b"}]}') == Tree("a", [Tree("b")])


def test_configuration_is_in_kebab_case() -> None:
    @dataclass
    class Config:
        base_url: str
        page_size: int = 10

    globals()["Config"] = Config
    shape = Reader(strict=True, kebab=True).shape(Config)
    assert list(schema_of(shape)["properties"]) == ["base-url", "page-size"]
    assert read(shape, {"base-url": "x"}, "configuration") == Config("x")


@pytest.mark.parametrize(
    ("hint", "text", "reason"),
    [
        (Order, '{"customer": 7}', "input.customer: expected text, got 7"),
        (Order, '{"customer": "a", "lines": [{"amount": 1}, {"amount": "x"}]}', 'input.lines[1].amount: expected a number, got "x"'),
        (Order, '{"lines": []}', "input: `customer` is missing"),
        (
            Order,
            '{"customer": "a", "line": []}',
            "input.line: there is no `line` here; known are `customer`, `lines`, `due`, `colour` or `from`",
        ),
        (Order, '{"customer": ""}', 'input.customer: expected at least 1 characters, got ""'),
        (Order, '{"customer": "a", "lines": [{"amount": -0.5}]}', "input.lines[0].amount: expected at least 0, got -0.5"),
        (Order, '{"customer": "a", "due": "tomorrow"}', 'input.due: expected a date such as 2026-11-02, got "tomorrow"'),
        (Order, '{"customer": "a", "colour": "green"}', 'input.colour: expected "red" or "blue", got "green"'),
        (Order, "[1]", "input: expected an object, got a list of 1"),
        (int, "true", "input: expected a whole number, got true"),
        (int, "1.5", "input: expected a whole number, got 1.5"),
        (datetime, '"2026-11-02T08:00:00"', 'input: expected a time such as 2026-11-02T08:00:00Z, got "2026-11-02T08:00:00"'),
        (tuple[int, str], "[1]", "input: expected a list of 2, got a list of 1"),
        (dict[str, int], '{"a": "b"}', 'input.a: expected a whole number, got "b"'),
        (Union[Circle, Square], '{"kind": "square", "side": "long"}', 'input.side: expected a number, got "long"'),
        (int, "{", "input is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (Any, "NaN", "input is no JSON: NaN is not a number that JSON has"),
    ],
)
def test_a_misfit_is_rejected_with_its_field(hint: Any, text: str, reason: str) -> None:
    assert misfit(hint, text) == reason


def test_deep_nesting_is_refused_and_breaks_nothing() -> None:
    assert "no JSON" in misfit(Any, "[" * 100_000)


def test_every_type_comes_back_as_it_went() -> None:
    value = Everything(
        True,
        12345678901234567890123,
        1.5,
        Decimal("10.10"),
        'ä"\n',
        b"\x00\xff",
        datetime(2026, 11, 2, 8, tzinfo=timezone(timedelta(hours=1))),
        date(2026, 11, 2),
        time(8, 30),
        UUID(int=1),
        {"b", "a"},
        (1, "x"),
        {"z": 1},
        {"n": [Decimal("10.10"), None]},
        None,
    )
    text = to_json(value)
    assert fits(Everything, text) == value
    assert '"d":10.10' in text and '"k":["a","b"]' in text and '"g":"2026-11-02T08:00:00+01:00"' in text


def test_numbers_keep_their_digits() -> None:
    assert to_json(fits(Any, '{"a": 10.10, "b": 12345678901234567890123, "c": 1.0}')) == '{"a":10.10,"b":12345678901234567890123,"c":1.0}'
    assert fits(int, "2.0") == 2 and type(fits(int, "2.0")) is int
    assert fits(float, "2") == 2.0


def test_a_union_of_classes_is_told_apart_by_its_literal() -> None:
    assert fits(Union[Circle, Square], '{"kind": "square", "side": 2}') == Square("square", 2.0)


def test_a_typed_dict_has_optional_members() -> None:
    assert schema_of(STRICT.shape(Loose))["required"] == ["id"]
    assert fits(Loose, '{"id": 1}') == {"id": 1}


def test_what_systems_say_may_have_more_members() -> None:
    assert fits(Line, '{"amount": 1, "more": 2}', Reader(strict=False)) == Line(Decimal(1))


def test_a_class_has_the_last_word_on_its_values() -> None:
    @dataclass
    class Span:
        start: int
        end: int

        def __post_init__(self) -> None:
            if self.end < self.start:
                raise ValueError("it ends before it starts")

    assert misfit(list[Span], '[{"start": 2, "end": 1}]') == "input[0]: it ends before it starts"


def test_a_type_that_json_can_not_say_is_refused_when_it_is_declared() -> None:
    @dataclass
    class Odd:
        thing: complex

    with pytest.raises(TypeError, match="Odd.thing: `complex` can't be told as JSON"):
        STRICT.shape(Odd)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": [1, float("nan")]}, ".a[1]: nan is not a number that JSON has"),
        ({"a": {1: 2}}, ".a: the key 1 is not text, as JSON wants it"),
        ([object()], "[0]: object is nothing that JSON has; return a dataclass, a dictionary or a list"),
        ({"t": datetime(2026, 1, 1)}, ".t: 2026-01-01 00:00:00 has no time zone: make it datetime(…, tzinfo=timezone.utc)"),
    ],
)
def test_what_json_can_not_say_is_named_with_its_place(value: Any, reason: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        to_json(value)
    assert str(caught.value) == reason
