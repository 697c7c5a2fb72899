"""A receiver of OTLP over HTTP for tests: what comes is read by OpenTelemetry's own messages for Python.

Usage: receiver.py SETTINGS, a JSON object: certificate and key (files; without them plain HTTP), port (0: any). Prints `listening on 127.0.0.1:PORT`,
then one line of JSON for each request: {path, headers, status, spans | metrics | logs}. Orders come as lines of JSON on its input and are answered
with `ok`; it ends when that is closed.

Orders: {"answer": status, "retry-after": seconds, "times": n}: the next n requests get that; {"hang": true or false}: requests get no answer.
"""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SETTINGS = json.loads(sys.argv[1])
LOCK = threading.Lock()
FAULTS = {"answer": None, "retry-after": None, "times": 0, "hang": False}


def say(line):
    with LOCK:
        print(line, flush=True)


def value(any_value):
    kind = any_value.WhichOneof("value")
    return None if kind is None else getattr(any_value, kind)


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def spans(body):
    request = ExportTraceServiceRequest.FromString(body)
    return [
        {
            "resource": attributes(of_resource.resource.attributes),
            "trace_id": span.trace_id.hex(),
            "span_id": span.span_id.hex(),
            "parent": span.parent_span_id.hex(),
            "name": span.name,
            "kind": Span.SpanKind.Name(span.kind),
            "start": span.start_time_unix_nano,
            "end": span.end_time_unix_nano,
            "status": Status.StatusCode.Name(span.status.code),
            "attributes": attributes(span.attributes),
            "links": [{"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()} for link in span.links],
        }
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def metrics(body):
    request = ExportMetricsServiceRequest.FromString(body)
    return [
        {**MessageToDict(metric, preserving_proto_field_name=True), "resource": attributes(of_resource.resource.attributes)}
        for of_resource in request.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
    ]


def logs(body):
    request = ExportLogsServiceRequest.FromString(body)
    return [
        {
            "resource": attributes(of_resource.resource.attributes),
            "severity": record.severity_text,
            "body": value(record.body),
            "trace_id": record.trace_id.hex(),
            "span_id": record.span_id.hex(),
            "attributes": attributes(record.attributes),
        }
        for of_resource in request.resource_logs
        for of_scope in of_resource.scope_logs
        for record in of_scope.log_records
    ]


SIGNALS = {
    "/v1/traces": ("spans", spans, ExportTraceServiceResponse),
    "/v1/metrics": ("metrics", metrics, ExportMetricsServiceResponse),
    "/v1/logs": ("logs", logs, ExportLogsServiceResponse),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        with LOCK:
            status, after = 200, None
            if FAULTS["times"] > 0:
                FAULTS["times"] -= 1
                status, after = FAULTS["answer"], FAULTS["retry-after"]
            hang = FAULTS["hang"]
        seen = {"path": self.path, "headers": {name.lower(): text for name, text in self.headers.items()}, "status": status}
        known = SIGNALS.get(self.path)
        answer = b""
        if known is None or self.headers.get("content-type") != "application/x-protobuf":
            seen["status"] = status = 400
        elif status == 200 and not hang:
            name, read, response = known
            seen[name] = read(body)
            answer = response().SerializeToString()
        say(json.dumps(seen))
        if hang:
            threading.Event().wait()
        self.send_response(status)
        if after is not None:
            self.send_header("retry-after", str(after))
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", SETTINGS.get("port", 0)), Handler)
    server.daemon_threads = True
    if "certificate" in SETTINGS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(SETTINGS["certificate"], SETTINGS["key"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"listening on 127.0.0.1:{server.server_address[1]}")
    for line in sys.stdin:
        with LOCK:
            FAULTS.update(json.loads(line))
        say("ok")


main()
