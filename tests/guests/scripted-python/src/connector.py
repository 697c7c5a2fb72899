"""A plugin that does what its input says, line by line, so that a test can choose any sequence of effects and failures."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any

from sangam_sdk import (
    UNNAMED,
    Context,
    Failure,
    Field,
    Plugin,
    RateLimited,
    Rejected,
    Retry,
    Unauthorized,
    Undo,
    http,
    kv,
    log,
    to_json,
)

import gather
import streams
from config import Config


plugin = Plugin("scripted", title="Scripted", config=Config)


class Verb(Enum):
    WRITE = "write"
    READ = "read"
    KEY = "key"
    GET = "get"
    SET = "set"
    DELETE = "delete"
    INCREMENT = "increment"
    SWAP = "swap"
    LIST = "list"
    SLEEP = "sleep"
    FAIL = "fail"
    TRAP = "trap"
    LOG = "log"
    EMIT = "emit"
    CLOCK = "clock"
    RANDOM = "random"
    OUTSIDE = "outside"
    ATTEMPT = "attempt"
    FETCH = "fetch"


@dataclass
class Line:
    """One line."""

    do: Annotated[Verb, "What to do."]
    on: Annotated[list[Annotated[int, Field(minimum=0)]], "Attempts on which to do it; all if empty."] = field(default_factory=list[int])
    url: Annotated[str, "Of `write`, `read`, `fetch`."] = ""
    method: Annotated[str | None, "Of `write`, POST if absent; of `fetch`, GET if absent."] = None
    name: Annotated[str | None, "Of `write`, `fetch` (absent: unnamed) and `key`."] = None
    body: Annotated[Any, "Of `write`, `fetch` (null: none), sent as JSON; data of `emit`."] = None
    whatever: Annotated[bool, "Of `write`, `fetch`: whether any answer or error is a result instead of a failure."] = False
    key: Annotated[str, "Of key-value lines; text of `fail` and `log`; type of `emit`."] = ""
    value: Annotated[str, "Of `set`, `swap`."] = ""
    expected: Annotated[str | None, "Of `swap`."] = None
    amount: Annotated[int, "Of `increment`; milliseconds of `sleep`."] = 0
    kind: Annotated[str, "Of `fail`: `retry`, `rate-limited`, `unauthorized` or `rejected`. Of `fetch`: `read` marks it as a read."] = ""


@dataclass
class Script:
    """Lines, done one after another."""

    lines: list[Line]
    echo: Annotated[Any, "What the output holds beside the results, as it came."] = None
    undo: Annotated[list[Line], "Done by `undo`, the same way."] = field(default_factory=list[Line])


@dataclass
class Results:
    """One result for each line that was done."""

    results: list[Any]
    echo: Any
    greeting: str


@plugin.action("run", "Do what the input says", description="Lines, done one after another.")
def run(script: Script, cx: Context[Config]) -> Results:
    return Results(done(script.lines, cx), script.echo, cx.config.greeting)


@plugin.action("act", "Do what the input says, and undo what it says", undo="undo", description="Lines, done one after another.")
def act(script: Script, cx: Context[Config]) -> Results:
    return run(script, cx)


@plugin.action("undo", "Do the undo lines of what is undone")
def undo(undo: Undo[Script, Any], cx: Context[Config]) -> Any:
    """Gives also what it was given."""
    return {"results": done(undo.input.undo, cx), "given": {"output": undo.output, "effects": undo.effects}}


def done(lines: list[Line], cx: Context[Config]) -> list[Any]:
    results: list[Any] = []
    for line in lines:
        if line.on and cx.attempt not in line.on:
            continue
        if line.do is Verb.EMIT:
            cx.emit(line.key, line.body)
        else:
            results.append(do(line, cx, results))
    return results


def do(line: Line, cx: Context[Config], results: list[Any]) -> Any:
    match line.do:
        case Verb.WRITE:
            return write(line)
        case Verb.FETCH:
            return fetch(line)
        case Verb.READ:
            return cx.get(line.url).ok().json()
        case Verb.KEY:
            return cx.key(line.name or "")
        case Verb.GET:
            value = kv.get(line.key)
            return None if value is None else value.decode("utf-8", "replace")
        case Verb.SET:
            return kv.set(line.key, line.value)
        case Verb.DELETE:
            return kv.delete(line.key)
        case Verb.INCREMENT:
            return kv.increment(line.key, line.amount)
        case Verb.SWAP:
            return kv.compare_and_swap(line.key, line.expected, line.value)
        case Verb.LIST:
            return kv.list(line.key).keys
        case Verb.SLEEP:
            return time.sleep(abs(line.amount) / 1000)
        case Verb.FAIL:
            raise failure(line, results)
        case Verb.TRAP:
            raise RuntimeError("the script says so")
        case Verb.LOG:
            return log.info(line.key, attempt=cx.attempt)
        case Verb.CLOCK:
            return time.time_ns() // 1000
        case Verb.RANDOM:
            return random.getrandbits(64)
        case Verb.OUTSIDE:
            return outside()
        case Verb.ATTEMPT:
            return cx.attempt
        case Verb.EMIT:
            return None


def write(line: Line) -> Any:
    try:
        answer = http.request(line.method or "POST", line.url, name=line.name or UNNAMED, json=line.body)
    except Failure as failure:
        if line.whatever:
            return {"failure": str(failure)}
        raise
    if line.whatever:
        return {"status": answer.status}
    return json_or_none(answer.ok())


def json_or_none(answer: http.Response) -> Any:
    try:
        return answer.json()
    except Rejected:
        return None


def fetch(line: Line) -> Any:
    """By way of the standard library, which is what authors and their libraries use, and which knows nothing of this house."""
    request = urllib.request.Request(line.url, method=line.method or "GET")
    if line.name is not None:
        request.add_header("Sangam-Effect-Name", line.name)
    if line.kind == "read":
        request.add_header("Sangam-Effect", "read")
    if line.body is not None:
        request.data = to_json(line.body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return told(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        if line.whatever or error.code < 400:
            return told(error.code, error.read())
        raise Retry(f"{line.url} answered {error.code}") from None
    except OSError as error:
        if line.whatever:
            return {"failure": str(error)}
        raise Retry(f"{line.url} gave no answer: {error}") from None


def told(status: int, body: bytes) -> Any:
    return {"status": status, "body": json_or_none(http.Response(status, [], body))}


def failure(line: Line, results: list[Any]) -> Failure:
    kinds = {"rate-limited": RateLimited, "unauthorized": Unauthorized, "rejected": Rejected}
    kind = kinds.get(line.kind, Retry)
    after = line.amount / 1000 if line.amount > 0 else None
    return kind(line.key, after=after, details={"results": results})


def outside() -> Any:
    """Whatever of the machine can be reached past the contract."""

    def possible(attempt: Any) -> bool:
        try:
            attempt()
        except (OSError, RuntimeError, ValueError, NotImplementedError, AttributeError):
            return False
        return True

    def tcp() -> None:
        socket.create_connection(("127.0.0.1", 22), timeout=1).close()

    def listen() -> None:
        socket.create_server(("127.0.0.1", 0)).close()

    def datagram() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))

    def written() -> None:
        with open("sangam-was-here", "w", encoding="utf-8") as file:
            file.write("x")

    return {
        "environment": list(os.environ),
        "arguments": sys.argv,
        "file": possible(lambda: open("/etc/passwd", encoding="utf-8").close()),
        "folder": possible(lambda: os.listdir("/")) or possible(lambda: os.listdir(".")),
        "written": possible(written),
        "socket": possible(tcp) or possible(listen),
        "datagram": possible(datagram),
        "name": possible(lambda: socket.getaddrinfo("localhost", 80)),
        "process": possible(lambda: subprocess.run(["/bin/true"], check=False)),
    }


@dataclass
class Person:
    """A person."""

    name: Annotated[str, Field("How they are called.", min_length=1)]
    age: Annotated[int | None, Field("In years.", minimum=0)] = None


@plugin.action("greet", "Greet by name", description="A person.")
def greet(person: Person, cx: Context[Config]) -> Any:
    return {"greeting": f"{cx.config.greeting} {person.name}", "age": person.age}


gather.add(plugin)
streams.add(plugin)
