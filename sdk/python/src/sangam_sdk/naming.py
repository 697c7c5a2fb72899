"""What the fields of a class are called in JSON."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from .fields import Field


@lru_cache(maxsize=None)
def hints(cls: type[Any]) -> dict[str, Any]:
    """The types of a class's fields, with what `Annotated` says of them."""
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(f"{cls.__name__}: the type of a field is not known: {error}. Types stand at the top of a module") from None


def notes(hint: Any) -> list[Field]:
    """What `Annotated` says; a text is a description."""
    if get_origin(hint) is not Annotated:
        return []
    found: list[Field] = []
    for note in get_args(hint)[1:]:
        if isinstance(note, str):
            found.append(Field(note))
        elif isinstance(note, Field):
            found.append(note)
        elif isinstance(getattr(note, "documentation", None), str):  # typing_extensions.Doc
            found.append(Field(note.documentation))
    return found


@lru_cache(maxsize=None)
def _names(cls: type[Any]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name, hint in hints(cls).items():
        given = [note.name for note in notes(hint) if note.name]
        names[name] = given[-1] if given else name.rstrip("_") or name
    return names


def json_name(cls: type[Any], field: dataclasses.Field[Any]) -> str:
    """The name of a field: its own (a trailing `_`, as in `from_`, does not count), or what `Field(name=…)` says."""
    return _names(cls)[field.name]
