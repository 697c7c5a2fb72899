"""Write Sangam connectors in Python.

A connector is a WebAssembly component that does *actions* in one business system, or brings its *events* in. It has no
network, files, clock or secrets of its own: it asks the host, which attaches credentials, keeps to rate limits, and
records every write. So the plain way to write an action is right: look, write, return. After a crash the same call
comes again with the same input, and writes that succeeded are answered from the journal.
"""

from . import http, kv, log
from .batch import Batch, Item
from .context import Context, Run, SourceContext, Step
from .encode import to_json
from .event import Event, NewEvent
from .failure import Failure, RateLimited, Rejected, Retry, Unauthorized
from .fields import Field
from .http import READ_ONLY, UNNAMED, Response, encode
from .plugin import NoConfig, Plugin
from .source import Inbound, Page, Poll, Received, SetAside
from .undo import Effect, EffectState, Undo

__all__ = [
    "READ_ONLY",
    "UNNAMED",
    "Batch",
    "Context",
    "Effect",
    "EffectState",
    "Event",
    "Failure",
    "Field",
    "Inbound",
    "Item",
    "NewEvent",
    "NoConfig",
    "Page",
    "Plugin",
    "Poll",
    "RateLimited",
    "Received",
    "Rejected",
    "Response",
    "Retry",
    "Run",
    "SetAside",
    "SourceContext",
    "Step",
    "Unauthorized",
    "Undo",
    "encode",
    "http",
    "kv",
    "log",
    "to_json",
]
