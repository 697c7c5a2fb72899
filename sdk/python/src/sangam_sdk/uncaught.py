"""What becomes of a call whose code raises something that is no Failure."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from .failure import Failure, Rejected, Retry, kind_of_status

_MOST_TRACEBACK = 16_000


def failure_of(error: BaseException) -> Failure:
    """An error is tried again, as a trap is, unless it says that this can't help. Its traceback is in the details.

    - An answer that an HTTP client of the standard library or `requests` raises (`HTTPError`) is what its status is.
    - A request that the host refused is Rejected, whatever the client made of it.
    - A module that the build did not bring is Rejected: it will not be there next time.
    """
    if isinstance(error, Failure):
        return error
    trace = "".join(traceback.format_exception(type(error), error, _own(error.__traceback__)))
    details: dict[str, Any] = {"exception": type(error).__name__, "traceback": trace[-_MOST_TRACEBACK:]}
    said = f": {error}" if str(error) else ""
    reason = f"{type(error).__name__}{said}{_place(error)}"
    for one in _chain(error):
        host_says = getattr(one, "failure", None)
        if isinstance(host_says, Failure):
            return type(host_says)(host_says.reason, after=host_says.after, details=details)
        status = _status(one)
        if status is not None:
            return kind_of_status(status)(reason, after=_retry_after(one), details={"status": status, **details})
    if isinstance(error, ImportError):
        name = error.name or "a module"
        return Rejected(f"{name} is not in the component{_place(error)}: import it at the top of a module, so that the build finds it", details=details)
    return Retry(reason, details=details)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those it came from; `urllib` keeps its cause in `reason`, `requests` in `args`."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(seen) < 20:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]


def _status(error: BaseException) -> int | None:
    for holder, name in ((getattr(error, "response", None), "status_code"), (error, "code")):
        status = getattr(holder, name, None)
        if isinstance(status, int) and 400 <= status <= 599 and not isinstance(error, SystemExit):
            return status
    return None


def _retry_after(error: BaseException) -> float | None:
    headers: Any = getattr(getattr(error, "response", error), "headers", None)
    try:
        value = str(headers.get("Retry-After", "")).strip()
    except AttributeError:
        return None
    return float(min(int(value), 10_000_000)) if value.isdecimal() else None


def _own(trace: TracebackType | None) -> TracebackType | None:
    """Without the SDK's frames before the plugin's first."""
    while trace is not None and trace.tb_next is not None and _SDK in trace.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    return trace


_SDK = os.path.dirname(__file__)
_LIBRARY = os.path.dirname(os.__file__)
_connector = "/"


def look_in(folder: str) -> None:
    """Where the modules of the connector are: what went wrong is said to be there, rather than in what they use."""
    global _connector
    _connector = folder


def _place(error: BaseException) -> str:
    """Where in the plugin's own code it happened."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith((_SDK, _LIBRARY, "<frozen"))]
    frames = [frame for frame in frames if frame.filename.startswith(_connector)] or frames
    if not frames:
        return ""
    last = frames[-1]
    return f" ({os.path.basename(last.filename)}:{last.lineno}, in {last.name})"
