"""When traces are on, what the spans of a program say, and that a collector that is away costs one line a minute."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from msgspec.structs import replace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode
from tornado.httputil import HTTPHeaders

from broker.claims import why_not_taken
from conf.settings import ROOT, SettingsError
from conf.tracing import LOG_INTERVAL_S, RareLines, Traces, set_up_traces, traces_wanted
from protocol import messages as m
from protocol.errors import Failure, FailureClass
from protocol.pipe_messages import Report, StageBegan
from tests.agent_driver import TRAINED, of, training
from tests.otlp_receiver import read_spans
from tests.sample_tasks import hex_id, make_spec
from trainer_worker.agent import events as agent
from trainer_worker.agent.attempt_spans import record_attempt
from trainer_worker.attempt.job import PlannedStage
from trainer_worker.training.reporter import PipeReporter
from web.door.traceparent import incoming_traceparent

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({ENDPOINT: "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", ENDPOINT: "http://127.0.0.1:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", ENDPOINT: "http://127.0.0.1:4318"}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        ({ENDPOINT: ""}, False),
    ],
)
def test_the_standard_variables_switch_traces_on(environ: dict[str, str], wanted: bool) -> None:
    assert traces_wanted(environ) is wanted


def test_nothing_of_opentelemetry_is_imported_while_traces_are_off() -> None:
    code = (
        "import sys, importlib\n"
        "for name in ('web.app', 'service.run_command', 'trainer_worker.__main__', 'broker.__main__',\n"
        "             'trainer_worker.training.child'):\n"
        "    importlib.import_module(name)\n"
        "from conf.tracing import set_up_traces\n"
        "print(set_up_traces({}, 'web'), [name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "None []", done.stderr


def test_a_missing_sdk_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"pip install -r requirements-traces\.txt") as caught:
        set_up_traces({ENDPOINT: "http://127.0.0.1:4318"}, "web")
    assert ENDPOINT in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_TRACES_EXPORTER": "console"},
        {ENDPOINT: "127.0.0.1:4318"},
        {ENDPOINT: "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_a_variable_that_cannot_work_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="OTEL_"):
        set_up_traces(environ, "web")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (TRACEPARENT, TRACEPARENT),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01-what-the-future-brings", TRACEPARENT),
        (f"00-{TRACE_ID}-{SPAN_ID}-01-more", ""),
        (f"ff-{TRACE_ID}-{SPAN_ID}-01", ""),
        (f"00-{'0' * 32}-{SPAN_ID}-01", ""),
        (f"00-{TRACE_ID}-{'0' * 16}-01", ""),
        (TRACEPARENT.upper(), ""),
        (f"{TRACEPARENT},{TRACEPARENT}", ""),
        ("x" * 10_000, ""),
    ],
)
def test_only_a_well_formed_traceparent_is_taken(given: str, expected: str) -> None:
    assert incoming_traceparent(HTTPHeaders({"traceparent": given})) == expected


def test_the_trace_of_a_request_does_not_make_it_another_one() -> None:
    assert make_spec(traceparent=TRACEPARENT).same_request(make_spec())


def test_a_front_end_cannot_bring_lines_into_a_task_by_its_trace() -> None:
    spec = make_spec(hex_id(), traceparent="00-\naction=task.done")
    assert why_not_taken(spec, ["/projects"])[0] == "bad_fields"
    assert why_not_taken(replace(spec, traceparent=TRACEPARENT), ["/projects"]) == ("", "")


# ---- the spans of an attempt ----


class Recorded:
    """Traces whose spans stay in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = Traces(provider, "worker")

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


def attempt_over(traceparent: str, result: m.Result) -> agent.AttemptOver:
    start = m.Start(make_spec(traceparent=traceparent), 2, queued_at_s=NOW_S - 100)
    return agent.AttemptOver(start, result, 60.0, (StageBegan("starting", NOW_S - 60), StageBegan("train", NOW_S - 50)))


def context_of(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


def times(span: ReadableSpan) -> tuple[float, float]:
    """Beginning and end, in seconds before the end of the attempt."""
    assert span.start_time is not None
    assert span.end_time is not None
    return NOW_S - span.start_time / 1e9, NOW_S - span.end_time / 1e9


def test_an_attempt_has_a_span_for_the_queue_and_for_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_worker.agent.attempt_spans.time.time", lambda: NOW_S)
    recorded = Recorded()
    record_attempt(recorded.traces, attempt_over(TRACEPARENT, m.Result("t1", 2, trained=TRAINED)))
    spans = recorded.spans
    assert {name: times(span) for name, span in spans.items()} == {
        "queue": (100, 60),
        "starting": (60, 50),
        "train": (50, 0),
        "attempt": (60, 0),
    }
    attempt = spans["attempt"]
    parents = {name: format(span.parent.span_id, "016x") for name, span in spans.items() if span.parent}
    own_id = format(context_of(attempt).span_id, "016x")
    assert parents == {"queue": SPAN_ID, "attempt": SPAN_ID, "starting": own_id, "train": own_id}
    assert {format(context_of(span).trace_id, "032x") for span in spans.values()} == {TRACE_ID}
    # Neither the user nor the folder is told to whoever can read traces.
    of_task = {"tfmodel.task.id": "t1", "tfmodel.attempt": 2, "tfmodel.train_type": "classification"}
    assert dict(spans["train"].attributes or {}) == of_task
    assert dict(attempt.attributes or {}) == {**of_task, "tfmodel.outcome": "trained"}


def test_a_failed_attempt_has_its_code_and_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_worker.agent.attempt_spans.time.time", lambda: NOW_S)
    recorded = Recorded()
    failure = Failure("no_images", FailureClass.DATA, "There is no picture in /projects/anna/flowers.")
    record_attempt(recorded.traces, attempt_over("", m.Result("t1", 2, failure=failure)))
    attempt = recorded.spans["attempt"]
    assert (attempt.status.status_code, attempt.status.description) == (StatusCode.ERROR, None)
    assert attempt.attributes is not None
    assert (attempt.attributes["error.type"], attempt.attributes["tfmodel.outcome"]) == ("no_images", "failed")
    # Without a traceparent, the attempt begins a trace of its own.
    assert attempt.parent is None
    assert {context_of(span).trace_id for span in recorded.spans.values()} == {context_of(attempt).trace_id}


def test_a_trace_that_its_caller_does_not_keep_is_not_kept_here_either() -> None:
    recorded = Recorded()
    span = recorded.traces.begin("POST /", TRACEPARENT[:-2] + "00", NOW_S, {}, is_call=True)
    span.end()
    assert recorded.spans == {}
    assert recorded.traces.traceparent_of(span).startswith(f"00-{TRACE_ID}-")


def test_the_span_of_a_call_is_the_parent_of_what_follows() -> None:
    recorded = Recorded()
    call = recorded.traces.begin("POST /", TRACEPARENT, NOW_S, {}, is_call=True)
    recorded.traces.begin("attempt", recorded.traces.traceparent_of(call), NOW_S, {}).end()
    call.end()
    spans = recorded.spans
    assert spans["POST /"].kind is SpanKind.SERVER
    parent = spans["attempt"].parent
    assert parent is not None
    assert parent.span_id == call.get_span_context().span_id


def test_the_agent_tells_of_each_attempt_once_with_its_stages() -> None:
    driver = training()
    driver.now_s += 5.0
    stages = (StageBegan("starting", NOW_S), StageBegan("train", NOW_S + 1))
    driver.trainer(1, Report(10.0, "train", 50.0, 10.0, 10.0, stages=stages))
    driver.now_s += 5.0
    result = m.Result("t1", 1, trained=TRAINED)
    (over,) = of(agent.AttemptOver, driver.ended(1, result))
    assert (over.start, over.ran_s, over.stages) == (m.Start(make_spec(), 1), 10.0, stages)
    assert over.result.trained == TRAINED
    assert of(agent.AttemptOver, driver.wait(10.0)) == []


def test_a_killed_training_is_told_of_with_the_stages_that_it_reached() -> None:
    driver = training()
    driver.trainer(1, Report(10.0, "train", 50.0, 10.0, 10.0, stages=(StageBegan("starting", NOW_S),)))
    (over,) = of(agent.AttemptOver, driver.handle(agent.TrainerExited(1, "was killed by SIGKILL")))
    assert over.result.failure is not None
    assert (over.result.failure.code, over.stages) == ("trainer_killed", (StageBegan("starting", NOW_S),))


def test_every_stage_reaches_the_agent_however_short_it_is() -> None:
    sent: list[Report] = []
    with PipeReporter(sent.append) as reporter:
        reporter.plan([PlannedStage(name, 1.0) for name in ("features", "train", "publish")])
        for name in ("features", "train", "publish"):
            reporter.enter(name)
    assert [stage.stage for stage in sent[-1].stages] == ["starting", "features", "train", "publish"]
    times_s = [stage.at_s for stage in sent[-1].stages]
    assert times_s == sorted(times_s)


def test_times_that_no_span_can_have_harm_nothing() -> None:
    recorded = Recorded()
    start = m.Start(make_spec(traceparent=TRACEPARENT), 1, queued_at_s=-1e300)
    stages = (StageBegan("starting", 1e300), StageBegan("train", -1e300))
    record_attempt(recorded.traces, agent.AttemptOver(start, m.Result("t1", 1, cancelled=True), 1e300, stages))
    sent = encode_spans(list(recorded.spans.values())).SerializeToString()
    assert {span.name for span in read_spans(sent)} == {"queue", "starting", "train", "attempt"}


# ---- a collector that is away ----


def test_a_library_that_complains_again_and_again_gets_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    handler = RareLines(lambda: now_s)
    for second in range(180):
        now_s = float(second)
        handler.emit(logging.LogRecord("opentelemetry.exporter", logging.ERROR, "", 1, "refused", None, None))
    assert len(caplog.records) == 180 / LOG_INTERVAL_S
