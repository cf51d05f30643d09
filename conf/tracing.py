"""OpenTelemetry traces. Without the standard OTEL_ variables they are off, and nothing of OpenTelemetry is imported.

If they are on, a program sets the SDK up at its start. A thread of the SDK sends the spans, so nothing waits for a
collector. A full queue drops spans.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from conf.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

#: Where to send traces, the more special variable first.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTER = "OTEL_TRACES_EXPORTER"
#: In seconds since the epoch, shortly before the nanoseconds need more than 64 bits.
LATEST_S = 18e9
#: How long a program that ends waits for its last spans to be sent.
CLOSE_TIMEOUT_S = 2.0
#: The SDK logs every failed export. Our log has one of its lines in this time.
LOG_INTERVAL_S = 60.0


class Traces:
    """Makes the spans of a program."""

    def __init__(self, provider: TracerProvider, program: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(f"tfmodel.{program}")

    def begin(
        self, name: str, parent: Span | str, began_s: float, attributes: Mapping[str, str | int], is_call: bool = False
    ) -> Span:
        """A span that began at that time, in seconds since the epoch. The caller ends it.

        parent: a span of this program, the traceparent of another one's, or "" for a new trace.
        is_call: whether the span is the answer to an HTTP call.
        """
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if isinstance(parent, str):
            context = TraceContextTextMapPropagator().extract({"traceparent": parent})
        else:
            context = trace.set_span_in_context(parent)
        kind = trace.SpanKind.SERVER if is_call else trace.SpanKind.INTERNAL
        return self._tracer.start_span(name, context, kind, dict(attributes), start_time=nanoseconds(began_s))

    def traceparent_of(self, span: Span) -> str:
        """How another program names this span as the parent of its own."""
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def close(self) -> None:
        """Send what is left, unless that takes too long."""
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(CLOSE_TIMEOUT_S)


def end_call(span: Span, status: int) -> None:
    """End the span of an HTTP call that was answered with this status."""
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        mark_failed(span, str(status))
    span.end()


def mark_failed(span: Span, code: str) -> None:
    """The span is that of an error with this code."""
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", code)
    span.set_status(StatusCode.ERROR)


def nanoseconds(at_s: float) -> int:
    """The time as OpenTelemetry has it: nanoseconds in 64 bits. Other times would make their whole batch unreadable."""
    return int(min(max(at_s, 0.0), LATEST_S) * 1e9)


# ---- at the start ----


def set_up_traces(environ: Mapping[str, str], program: str) -> Traces | None:
    """The traces of this program; None if they are off. Raises SettingsError if they are on and cannot work.

    environ: the environment of this process, from which the SDK takes all further settings.
    """
    if not traces_wanted(environ):
        return None
    _check(environ)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            f"Traces are switched on by {_switch(environ)}, but the OpenTelemetry SDK is not complete ({error}); run "
            "'pip install -r requirements-traces.txt', or unset the variable."
        ) from error
    _log_rarely("opentelemetry")
    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    try:
        resource = Resource.create({} if named else {"service.name": f"tfmodel-{program}"})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except (ValueError, OSError) as error:
        raise SettingsError(f"An OTEL_ variable of the environment is not allowed: {error}.") from error
    logging.getLogger(program).info("action=traces.on")
    return Traces(provider, program)


def traces_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables switch traces on."""
    exporter = environ.get(EXPORTER, "").strip()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return bool(_switch(environ))


def _switch(environ: Mapping[str, str]) -> str:
    """The variable that switches traces on, or ""."""
    return next((name for name in (EXPORTER, *ENDPOINTS) if environ.get(name, "").strip()), "")


def _check(environ: Mapping[str, str]) -> None:
    exporter = environ.get(EXPORTER, "").strip()
    if exporter not in ("", "otlp"):
        raise SettingsError(f"{EXPORTER}={exporter!r} is not allowed; use otlp, or none to switch traces off.")
    for name in PROTOCOLS:
        if environ.get(name, "").strip() not in ("", "http/protobuf"):
            raise SettingsError(f"{name}={environ[name]!r} is not allowed; traces are sent as http/protobuf.")
    for name in ENDPOINTS:
        if not environ.get(name, "http://").strip().startswith(("http://", "https://")):
            raise SettingsError(f"{name} is not a URL; write one such as http://127.0.0.1:4318.")


def _log_rarely(logger: str) -> None:
    """Log at most one line of this library in LOG_INTERVAL_S."""
    library = logging.getLogger(logger)
    library.handlers, library.propagate = [RareLines(time.monotonic)], False


class RareLines(logging.Handler):
    """Passes a warning on to the root's handlers, and drops those that follow it too soon."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._next_s = clock()

    def emit(self, record: logging.LogRecord) -> None:
        if self._clock() >= self._next_s:
            self._next_s = self._clock() + LOG_INTERVAL_S
            logging.getLogger().handle(record)
