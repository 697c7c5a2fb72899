"""Requests to the outside, and their answers.

The host attaches the credential and the idempotency key, keeps to grants and rate limits, and records every write.
It follows no redirect.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, TypeVar, overload
from urllib.parse import quote, urlencode

from . import host
from .encode import to_json
from .failure import Failure, Rejected, kind_of_status
from .reader import ANSWERS, parse, read

T = TypeVar("T")
_EXCERPT_BYTES = 2048


class Nameless(Enum):
    """What stands in place of a write's name."""

    READ_ONLY = "read-only"
    """The request only reads, although its method is a writing one, such as a search by POST. It goes out on every
    attempt. The administrator has to agree: list it in the plugin's `read_only` too."""
    UNNAMED = "unnamed"
    """A write without a name is known by its method, URL and body, which must come out the same on every attempt, or
    the run is dead as `diverged`."""


READ_ONLY = Nameless.READ_ONLY
UNNAMED = Nameless.UNNAMED


class Response:
    """A complete answer, of whatever status."""

    status: int
    headers: list[tuple[str, bytes]]
    """Names in lower case, in the order they came."""
    body: bytes
    to: str
    """Method and URL of the request, without its query, for failures to name."""

    def __init__(self, status: int, headers: list[tuple[str, bytes]], body: bytes, to: str = "") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.to = to

    def __repr__(self) -> str:
        return f"Response({self.status}, {self.excerpt()!r})"

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status <= 299

    def ok(self) -> Response:
        """The answer itself if it is a success (2xx); else raises the failure that HTTP says it is: 401 Unauthorized,
        429 RateLimited, 408, 425 and 5xx Retry, all others Rejected, with the status and the start of the body in the
        details, and `Retry-After` taken over. Where a system has its own ways, match those first."""
        if self.is_success:
            return self
        raise kind_of_status(self.status).from_response(self)

    @overload
    def json(self) -> Any: ...

    @overload
    def json(self, type: type[T]) -> T: ...

    def json(self, type: Any = Any) -> Any:
        """The body as that type (members that it does not have are skipped), or as plain values with numbers that keep
        their digits. Raises Rejected with the path of the field that does not fit."""
        what = f"the answer of {self.to}: body" if self.to else "body"
        try:
            value = parse(self.body, what)
            return value if type is Any else read(ANSWERS.shape(type), value, what)
        except Rejected as failure:
            raise Rejected.from_response(self, failure.reason) from None

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        name = name.lower()
        for present, value in self.headers:
            if present.lower() == name:
                return value.decode("latin-1")
        return None

    def retry_after(self) -> timedelta | None:
        """How long `Retry-After` asks to wait: seconds, or a date on the clock that the plugin sees."""
        value = (self.header("retry-after") or "").strip()
        if value.isdecimal():
            return timedelta(seconds=min(int(value), 10_000_000))
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return max(moment - datetime.now(timezone.utc), timedelta(0))

    def excerpt(self) -> str:
        """The start of the body, for people."""
        if len(self.body) <= _EXCERPT_BYTES:
            return self.text
        return self.body[:_EXCERPT_BYTES].decode("utf-8", "ignore") + "…"


Headers = Mapping[str, "str | bytes"]
Query = Mapping[str, object]


def encode(part: object) -> str:
    """Percent-encodes a segment of a path, `/` too."""
    return quote(str(part), safe="")


def get(
    url: str,
    *,
    query: Query | None = None,
    headers: Headers | None = None,
    timeout: timedelta | float | None = None,
) -> Response:
    """A GET. See `request`."""
    return request("GET", url, query=query, headers=headers, timeout=timeout)


def request(
    method: str,
    url: str,
    *,
    name: str | Nameless | None = None,
    query: Query | None = None,
    headers: Headers | None = None,
    json: object = ...,
    form: Mapping[str, object] | None = None,
    text: str | None = None,
    body: bytes | None = None,
    timeout: timedelta | float | None = None,
) -> Response:
    """Sends a request and waits for the whole answer, of whatever status; `Response.ok` judges it.

    - `name`: what a write is called among those of its step, at most 256 bytes; in a loop with the record's own id in
      it (`note/4711`), never its position. READ_ONLY and UNNAMED are the exceptions. Reads need none.
    - `query`: added to the URL, percent-encoded.
    - One of `json`, `form`, `text` or `body`, with the content type that goes with it unless `headers` has one.
    - `timeout`: of the whole exchange, seconds or a timedelta; without one what is left of the call's time.

    Where there is no answer it raises Rejected if policy or the request itself forbids it, else Retry: a write is then
    in doubt, and goes again under the same key on the next attempt.
    """
    method = method.upper()
    wire = host.Request(method, url)
    if name is None and method not in ("GET", "HEAD", "OPTIONS"):
        raise TypeError(f"say what this {method} is called: name=\"…\" (or READ_ONLY, or UNNAMED)")
    wire.name = name if isinstance(name, str) else None
    wire.read_only = name is READ_ONLY
    if query:
        wire.url += ("&" if "?" in url else "?") + urlencode([(key, _text(value)) for key, value in query.items()], quote_via=quote)
    for header, value in (headers or {}).items():
        wire.headers.append((header, value if isinstance(value, bytes) else value.encode("utf-8")))
    if (json is not ...) + (form is not None) + (text is not None) + (body is not None) > 1:
        raise TypeError("a request has one body: json, form, text or body")
    if json is not ...:
        _fill(wire, to_json(json), "application/json")
    elif form is not None:
        pairs = [(key, _text(value)) for key, value in form.items()]
        _fill(wire, urlencode(pairs, quote_via=quote), "application/x-www-form-urlencoded")
    elif text is not None:
        _fill(wire, text, "text/plain; charset=utf-8")
    elif body is not None:
        wire.body = body
    if timeout is not None:
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        wire.timeout_ms = max(int(seconds * 1000), 1)
    to = f"{method} {url.partition('?')[0]}"
    try:
        answer = host.present().send(wire)
    except host.NoAnswer as error:
        raise error.failure(to) from None
    return Response(answer.status, answer.headers, answer.body, to)


def _fill(wire: host.Request, text: str, content_type: str) -> None:
    wire.body = text.encode("utf-8")
    if not any(name.lower() == "content-type" for name, _ in wire.headers):
        wire.headers.append(("content-type", content_type.encode("ascii")))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return to_json(value)[1:-1]
    return str(value)


__all__ = ["READ_ONLY", "UNNAMED", "Failure", "Nameless", "Response", "encode", "get", "request"]
