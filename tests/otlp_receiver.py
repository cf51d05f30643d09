"""A collector of OpenTelemetry traces, as small as a test needs it: OTLP over HTTP, on a free port."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent


class ReceivedSpan(NamedTuple):
    """service: the service.name of the program. Ids in hexadecimal digits; parent_id: "" if there is none."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    is_call: bool
    began_ns: int
    ended_ns: int
    is_error: bool
    attributes: dict[str, str | int]


class OtlpReceiver:
    """Use as a context manager. spans: all that have arrived."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        received = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.extend(read_spans(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> OtlpReceiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make a program send its traces here, without delay."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_address[1]}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "NO_PROXY": "127.0.0.1",
        }

    def trace(self, trace_id: str) -> dict[str, ReceivedSpan]:
        """The spans of a trace by their names. No name may come twice."""
        spans = [span for span in self.spans if span.trace_id == trace_id]
        by_name = {span.name: span for span in spans}
        assert len(by_name) == len(spans), spans
        return by_name


def read_spans(body: bytes) -> list[ReceivedSpan]:
    return [
        _received(str(_values(resource.resource.attributes).get("service.name", "")), span)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _received(service: str, span: Sent) -> ReceivedSpan:
    return ReceivedSpan(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind == Sent.SPAN_KIND_SERVER,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        _values(span.attributes),
    )


def _values(attributes: object) -> dict[str, str | int]:
    pairs: list[KeyValue] = list(attributes)  # type: ignore[call-overload]
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in pairs}
