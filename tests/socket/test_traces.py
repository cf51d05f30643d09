"""A front-end with traces: its span continues the caller's, and it needs no collector to do its work."""

from __future__ import annotations

import signal
from pathlib import Path

from protocol import messages as m
from tests.free_ports import free_ports
from tests.otlp_receiver import OtlpReceiver
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}


def test_the_worker_is_told_of_the_span_that_continues_the_callers(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    untraced = dict(programs.environ)
    with OtlpReceiver() as receiver:
        programs.environ |= receiver.environ
        with programs, ScriptedWorker(programs.endpoints.worker) as worker:
            task_id = programs.post(CALLER).body["taskId"]
            assert programs.post(CALLER, projectDir="nowhere").status == 400
            programs.task(task_id)
            start = worker.join().receive(m.Start)
            assert programs.stop("web", signal.SIGTERM) == 0  # The last spans are sent before the end.
            check_span(receiver, task_id, start)

            # Without traces of its own, the front-end passes the caller's span on.
            programs.environ = untraced
            programs.start("web")
            programs.wait_synced()
            programs.post(CALLER)
            worker.finish(start)
            worker.send(m.Heartbeat(ready=True))
            assert worker.receive(m.Start).spec.traceparent == CALLER["traceparent"]


def check_span(receiver: OtlpReceiver, task_id: str, start: m.Start) -> None:
    (span,) = receiver.spans
    assert (span.service, span.name, span.is_call) == ("tfmodel-web", "POST /", True)
    assert (span.trace_id, span.parent_id) == (TRACE_ID, SPAN_ID)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/",
        "http.response.status_code": 200,
        "tfmodel.train_type": "classification",
        "tfmodel.task.id": task_id,
    }
    assert start.spec.traceparent == f"00-{TRACE_ID}-{span.span_id}-01"
    assert span.began_ns / 1e9 < start.queued_at_s < span.ended_ns / 1e9


def test_a_collector_that_is_away_harms_nothing_and_costs_one_line(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    (nobody,) = free_ports(1)
    programs.environ |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{nobody}",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "NO_PROXY": "127.0.0.1",
    }
    with programs:
        programs.post_id()
        wait_until(lambda: "logger=opentelemetry" in programs.log_of("web"), "the log of the first failure")
        programs.post_id()
        assert programs.stop("web", signal.SIGTERM) == 0
    assert programs.log_of("web").count("logger=opentelemetry") == 1


def test_an_exporter_that_is_not_supported_is_named_at_the_start(tmp_path: Path) -> None:
    programs = Programs(tmp_path, start=False)
    programs.environ["OTEL_TRACES_EXPORTER"] = "zipkin"
    done = programs.run("server.py", "run")
    assert (done.returncode, "OTEL_TRACES_EXPORTER" in done.stderr) == (78, True), done.stderr
