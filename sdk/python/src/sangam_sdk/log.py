"""Lines for the people who look at the run. Put data into fields, not into the message; never secrets or payloads.

    log.info("case is already closed", case="500A", attempt=2)

`logging` of the standard library arrives here too, with `extra` as fields; so does `print`, as level info.
"""

from __future__ import annotations

import logging

from . import host


def trace(message: str, /, **fields: object) -> None:
    """Every detail, for the author."""
    _line("trace", message, fields)


def debug(message: str, /, **fields: object) -> None:
    """What helps to find a mistake."""
    _line("debug", message, fields)


def info(message: str, /, **fields: object) -> None:
    """What was done."""
    _line("info", message, fields)


def warn(message: str, /, **fields: object) -> None:
    """What is odd and was coped with."""
    _line("warn", message, fields)


def error(message: str, /, **fields: object) -> None:
    """What went wrong."""
    _line("error", message, fields)


def _line(level: host.Level, message: str, fields: dict[str, object]) -> None:
    host.present().log(level, message, [(name, str(value)) for name, value in fields.items()])


class Handler(logging.Handler):
    """Takes the lines of `logging` to the plugin's log. In a component it stands at the root logger, at level INFO."""

    # What every record has: whatever is beside it came by `extra`.
    _PLAIN = frozenset((*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"))

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        try:
            fields = [(name, str(value)) for name, value in record.__dict__.items() if name not in self._PLAIN]
            if record.name != "root":
                fields.append(("logger", record.name))
            if record.exc_info:
                fields.append(("traceback", logging.Formatter().formatException(record.exc_info)))
            host.present().log(level_of(record.levelno), record.getMessage(), fields)
        except Exception:
            self.handleError(record)


def level_of(number: int) -> host.Level:
    """The level that a number of `logging` stands for."""
    if number < logging.DEBUG:
        return "trace"
    if number < logging.INFO:
        return "debug"
    if number < logging.WARNING:
        return "info"
    return "warn" if number < logging.ERROR else "error"


def install() -> None:
    """Makes `logging` write to the plugin's log."""
    for unwanted in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, unwanted, False)
    root = logging.getLogger()
    if not any(isinstance(handler, Handler) for handler in root.handlers):
        root.addHandler(Handler())
        root.setLevel(logging.INFO)
