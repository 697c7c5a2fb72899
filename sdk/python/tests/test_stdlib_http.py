"""The clients of the standard library speak to the host, and their errors end a call as they should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sangam_sdk import Rejected, Retry
from sangam_sdk.uncaught import failure_of

SOURCE = Path(__file__).parent.parent / "src"

# In a process of its own: it changes `http.client` for good.
CALLS = """
from sangam_sdk import stdlib_http
stdlib_http.install()
import http.client, urllib.request, urllib.error
from sangam_sdk import Context, Plugin, RateLimited, Rejected, Retry, testing
from sangam_sdk.uncaught import failure_of
from typing import Any

plugin = Plugin("p", title="P")

@plugin.action("go", "Go")
def go(what: str, cx: Context[Any]) -> Any:
    if what == "read":
        request = urllib.request.Request("https://a.example/x?y=1", headers={"X-A": "b"})
        with urllib.request.urlopen(request, timeout=2) as answer:
            return [answer.status, answer.headers["x-c"], answer.read().decode()]
    if what == "write":
        request = urllib.request.Request("http://a.example:8080/x", data=b"{}", method="PUT", headers={"Sangam-Effect-Name": "n", "Content-Type": "application/json"})
        return urllib.request.urlopen(request).read().decode()
    if what == "search":
        request = urllib.request.Request("https://a.example/find", data=b"q", headers={"Sangam-Effect": "read"})
        return urllib.request.urlopen(request).read().decode()
    if what == "twice":
        connection = http.client.HTTPSConnection("a.example")
        read = []
        for path in ("/1", "/2"):
            connection.request("GET", path)
            read.append(connection.getresponse().read().decode())
        connection.request("POST", "/3", body=iter([b"a", b"bc"]), encode_chunked=True)
        return read + [connection.getresponse().read().decode()]

def failing(host, what):
    try:
        host.invoke(plugin, "go", what)
    except Exception as error:
        return failure_of(error)
    raise AssertionError("it did not fail")

host = testing.Host(lambda request: testing.text(200, f"{request.method} {request.path} {request.text}", {"x-c": "d", "content-length": "99"}))
assert host.invoke(plugin, "go", "read") == [200, "d", "GET /x "]
assert host.sent[0].url == "https://a.example/x?y=1" and host.sent[0].header("x-a") == "b" and host.sent[0].header("host") is None
assert host.invoke(plugin, "go", "write") == "PUT /x {}"
assert host.sent[1].url == "http://a.example:8080/x" and host.sent[1].name == "n" and host.sent[1].header("sangam-effect-name") is None
assert host.invoke(plugin, "go", "search") == "POST /find q" and host.sent[2].read_only
assert host.invoke(plugin, "go", "twice") == ["GET /1 ", "GET /2 ", "POST /3 abc"]

slow = failing(testing.Host(lambda request: testing.text(429, "slow down", {"Retry-After": "3"})), "read")
assert isinstance(slow, RateLimited) and slow.after.total_seconds() == 3, slow
gone = failing(testing.Host(lambda request: testing.text(404)), "write")
assert isinstance(gone, Rejected) and "HTTP Error 404" in gone.reason and "in go)" in gone.reason, gone
denied = failing(testing.Host(lambda request: testing.NoAnswer("denied", "not granted")), "read")
assert isinstance(denied, Rejected) and denied.reason == "GET https://a.example/x is not allowed: not granted", denied
broken = failing(testing.Host(lambda request: testing.NoAnswer("connection", "reset")), "write")
assert isinstance(broken, Retry) and "reset" in broken.reason, broken
print("well")
"""


def test_urllib_and_http_client_go_through_the_host() -> None:
    done = subprocess.run([sys.executable, "-c", CALLS], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False)
    assert done.stdout == "well\n", done.stderr


def test_an_uncaught_error_is_tried_again_and_says_where() -> None:
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        failure = failure_of(error)
    assert isinstance(failure, Retry)
    assert failure.reason.startswith("ValueError: no such thing (test_stdlib_http.py:") and failure.reason.endswith("in test_an_uncaught_error_is_tried_again_and_says_where)")
    assert failure_of(MemoryError()).reason == "MemoryError"
    assert failure.details["exception"] == "ValueError" and "Traceback" in failure.details["traceback"]


def test_a_module_that_the_build_did_not_bring_is_rejected() -> None:
    try:
        import there_is_no_such_module  # type: ignore[import-not-found]  # noqa: F401  # pyright: ignore
    except ImportError as error:
        failure = failure_of(error)
        assert isinstance(failure, Rejected) and failure.reason.startswith("there_is_no_such_module is not in the component")
