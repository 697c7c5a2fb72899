"""Events: the one that a run handles, and those that a plugin brings in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Type, TypeVar, overload

from .encode import to_json
from .reader import ANSWERS, read

T = TypeVar("T")
_OWN = ("id", "source", "type", "subject", "time", "data")


@dataclass(frozen=True)
class Event:
    """An event that was accepted: a CloudEvent 1.0."""

    id: str
    """Unique within its source."""
    source: str
    type: str
    """Such as `job.completed`."""
    subject: str | None
    time: str | None
    """RFC 3339."""
    attributes: dict[str, Any]
    """All other attributes, `datacontenttype` among them."""
    _data: Any

    @staticmethod
    def of(value: dict[str, Any]) -> Event:
        """From structured JSON."""
        others = {name: member for name, member in value.items() if name not in _OWN}
        return Event(value["id"], value["source"], value["type"], value.get("subject"), value.get("time"), others, value.get("data"))

    @overload
    def data(self) -> Any: ...

    @overload
    def data(self, type: Type[T]) -> T: ...

    def data(self, type: Any = Any) -> Any:
        """The event's data as that type (members that it does not have are skipped), or as plain values. Without data
        it is None. Raises Rejected with the path of the field that does not fit."""
        return self._data if type is Any else read(ANSWERS.shape(type), self._data, "event.data")


@dataclass(frozen=True)
class NewEvent:
    """An event to bring in. The host sets its source."""

    type: str
    """Such as `leave.approved`. It must be granted with `emits`."""
    data: object
    """Anything that JSON can say; dataclasses too."""
    id: str | None = None
    """Unique within the source. In a stream take it from the record and its version, so that seeing it again brings in
    nothing twice. An action may leave it out: the host then derives one from the step."""
    subject: str | None = None
    time: datetime | str | None = None
    """When it happened; text is RFC 3339."""
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    """Extension attributes of CloudEvents: lower-case letters and digits."""

    def to_text(self) -> str:
        """Structured JSON."""
        own = {"id": self.id, "subject": self.subject, "time": self.time}
        given = {name: value for name, value in own.items() if value is not None}
        return to_json({"specversion": "1.0", "type": self.type, **given, **self.attributes, "data": self.data})
