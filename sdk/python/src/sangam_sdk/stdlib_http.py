# pyright: reportPrivateUsage=false
"""The HTTP clients of Python over the host: `http.client`, `urllib.request`, and what stands on them (`urllib3`,
`requests`). There are no sockets in a component; a connection here is one that speaks to the host.

Two headers say what the contract has fields for, and do not leave: `Sangam-Effect: read` marks a request that only
reads, `Sangam-Effect-Name` names a write. The rest is as in `sangam_sdk.http`.
"""

from __future__ import annotations

import http.client
import io
import sys
from http import HTTPStatus
from typing import Any, BinaryIO

from . import host
from .failure import Failure

# The host sets these itself.
_HOSTS_OWN = ("host", "connection", "content-length", "transfer-encoding", "te", "trailer", "keep-alive", "expect", "upgrade")


class HostConnectionError(ConnectionError):
    """A request without an answer, as `http.client` says it. An action that does not catch it ends with `failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class HostTimeoutError(TimeoutError):
    """No answer in time."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Wire:
    """Takes the bytes of a request as a socket does, and gives those of its answer."""

    def __init__(self, scheme: str, authority: str, timeout: object) -> None:
        self._origin = f"{scheme}://{authority}"
        self._timeout = timeout
        self._sent = bytearray()

    def sendall(self, data: Any) -> None:
        """Keeps it until the answer is asked for."""
        self._sent += data

    def settimeout(self, timeout: object) -> None:
        """Of the whole exchange, in seconds."""
        self._timeout = timeout

    def makefile(self, mode: str = "rb", *_: object, **__: object) -> BinaryIO:
        """Sends the request, and gives the answer as HTTP/1.1 writes it."""
        request = self._request()
        try:
            answer = host.present().send(request)
        except host.NoAnswer as error:
            failure = error.failure(f"{request.method} {request.url.partition('?')[0]}")
            raise (HostTimeoutError(failure) if error.kind == "timeout" else HostConnectionError(failure)) from None
        try:
            phrase = HTTPStatus(answer.status).phrase
        except ValueError:
            phrase = ""
        head = [f"HTTP/1.1 {answer.status} {phrase}".encode("ascii")]
        head += [name.encode("ascii") + b": " + value for name, value in answer.headers if name.lower() not in _HOSTS_OWN]
        length = dict(answer.headers).get("content-length") if request.method == "HEAD" else None
        head.append(b"content-length: " + (length or str(len(answer.body)).encode("ascii")))
        return io.BytesIO(b"\r\n".join(head) + b"\r\n\r\n" + answer.body)

    def _request(self) -> host.Request:
        head, _, body = bytes(self._sent).partition(b"\r\n\r\n")
        self._sent.clear()
        first, *lines = head.split(b"\r\n")
        method, target, _ = first.decode("latin-1").split(" ", 2)
        url = target if "://" in target else self._origin + target
        request = host.Request(method, url)
        chunked = False
        for line in lines:
            name, _, value = line.partition(b":")
            header, value = name.decode("latin-1").lower(), value.strip()
            if header == "sangam-effect":
                request.read_only = value.lower() == b"read"
            elif header == "sangam-effect-name":
                request.name = value.decode("utf-8")
            elif header == "transfer-encoding":
                chunked = value.lower() == b"chunked"
            elif header not in _HOSTS_OWN:
                request.headers.append((header, value))
        request.body = _joined(body) if chunked else body
        if isinstance(self._timeout, (int, float)):
            request.timeout_ms = max(int(self._timeout * 1000), 1)
        return request

    def close(self) -> None:
        """There is nothing to close."""

    def shutdown(self, how: int) -> None:
        """There is nothing to shut down."""

    def setsockopt(self, *_: object) -> None:
        """There is nothing to set."""


def _joined(chunks: bytes) -> bytes:
    body = bytearray()
    rest = chunks
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        body += rest[:length]
        rest = rest[length + 2 :]
    return bytes(body)


def _authority(connection: Any, default_port: int) -> str:
    name = connection.host
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return name if connection.port in (None, default_port) else f"{name}:{connection.port}"


def _connect_plain(self: Any) -> None:
    self.sock = _wire_of(self)


class HTTPSConnection(http.client.HTTPConnection):
    """A connection whose TLS the host does: certificates, contexts and keys are not for the plugin to choose."""

    default_port = 443

    def __init__(self, host: str, port: int | None = None, *, timeout: Any = None, context: object = None, **others: Any) -> None:
        super().__init__(host, port, timeout=timeout, **{name: others[name] for name in ("blocksize", "source_address") if name in others})

    def connect(self) -> None:
        """Connects to the host of the plugin."""
        self.sock: Any = Wire("https", _authority(self, 443), self.timeout)


def install() -> None:
    """Makes `http.client` speak to the host, before anything that stands on it is imported."""
    client: Any = http.client
    client.HTTPConnection.connect = _connect_plain
    client.HTTPSConnection = HTTPSConnection
    client._create_https_context = _no_context


def _no_context(*_: object, **__: object) -> None:
    """The host does TLS."""


def _wire_of(self: Any) -> Wire:
    return Wire("http", _authority(self, 80), self.timeout)


def _has_sock(self: Any) -> bool:
    return self.sock is not None


def install_urllib3() -> None:
    """The same for `urllib3`, once it is imported, and so for `requests`."""
    connection: Any = sys.modules.get("urllib3.connection")
    if connection is None:
        return
    pools: Any = sys.modules["urllib3.connectionpool"]

    base: Any = connection.HTTPConnection

    class Secure(base):
        default_port = 443
        is_verified = True

        def __init__(self, host: str, port: int | None = None, *, timeout: Any = None, blocksize: int = 16384, **_: Any) -> None:
            base.__init__(self, host, port, timeout=timeout, blocksize=blocksize)

        def _new_conn(self) -> Any:
            return Wire("https", _authority(self, 443), self.timeout)

        def set_cert(self, *_: Any, **__: Any) -> None:
            """The host judges certificates."""

    base.is_connected = property(_has_sock)
    base._new_conn = _wire_of
    connection.HTTPSConnection = pools.HTTPSConnection = pools.HTTPSConnectionPool.ConnectionCls = Secure
    adapters: Any = sys.modules.get("requests.adapters")
    if adapters is not None:
        adapters.HTTPAdapter.cert_verify = _no_context  # it would look for a file of certificates
