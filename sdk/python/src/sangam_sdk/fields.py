"""What a type can't say of a field: description, bounds, another name in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """Goes into `Annotated`; a plain text there is short for `Field("…")`.

        quantity: Annotated[int, Field("How many were taken.", minimum=1)]
        job_ref: Annotated[str, "The job's number."]

    The host checks an input against all of it before the action is called.
    """

    description: str | None = None
    """For the people who write routes."""
    name: str | None = None
    """The member's name in JSON, where it can't be that of the field."""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    min_length: int | None = None
    """Of a text, in characters."""
    max_length: int | None = None
    pattern: str | None = None
    """A regular expression that a text must contain a match of; anchor it with ^ and $."""
    format: str | None = None
    """Such as `email` or `uri`: for people, not checked."""
    min_items: int | None = None
    """Of a list."""
    max_items: int | None = None
    examples: tuple[Any, ...] = ()
    personal: bool = False
    """Personal data: the host hides, exports and erases it wherever it turns up."""
    subject: bool = False
    """Identifies the person."""

    def keywords(self) -> dict[str, Any]:
        """As JSON Schema says it."""
        named: dict[str, Any] = {
            "description": self.description,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "exclusiveMinimum": self.exclusive_minimum,
            "exclusiveMaximum": self.exclusive_maximum,
            "minLength": self.min_length,
            "maxLength": self.max_length,
            "pattern": self.pattern,
            "format": self.format,
            "minItems": self.min_items,
            "maxItems": self.max_items,
            "examples": list(self.examples) or None,
            "x-personal": self.personal or None,
            "x-subject": self.subject or None,
        }
        return {keyword: value for keyword, value in named.items() if value is not None}
