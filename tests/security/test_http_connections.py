"""Connections at a real front-end: whoever says nothing, drips, or comes in crowds keeps nobody else out."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.security.raw_http import FORM, RawCaller, request
from tests.socket.programs import Programs
from tests.waiting import wait_until

IDLE_S, TRANSFER_S, ANSWER_S = 2.5, 2.0, 5.0
#: A caller's patience for the other end to act, far beyond all of them on a busy machine as well.
PATIENCE_S = 60.0
MOST, MOST_OF_ONE = 30, 20


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """With short time-outs, and many descriptors."""
    folder = tmp_path_factory.mktemp("patience")
    clocks = {"WEB_IDLE_TIMEOUT_S": IDLE_S, "WEB_TRANSFER_TIMEOUT_S": TRANSFER_S, "WEB_REQUEST_TIMEOUT_S": ANSWER_S}
    with Programs(folder, True, HOME=folder / "state", **clocks) as it:
        yield it


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """With room for few connections."""
    folder = tmp_path_factory.mktemp("crowd")
    room = {"WEB_MAX_CONNECTIONS": MOST, "WEB_MAX_CONNECTIONS_PER_ADDRESS": MOST_OF_ONE}
    with Programs(folder, True, HOME=folder / "state", WEB_REQUEST_TIMEOUT_S=ANSWER_S, **room) as it:
        yield it


def closed_after_s(caller: RawCaller) -> float:
    assert caller.is_closed(), "the front-end keeps this connection for ever"
    return time.monotonic() - caller.began_s


def drip(caller: RawCaller, data: bytes) -> float:
    """A byte at a time until the other end closes; returns how many seconds after the connection that was."""
    caller.socket.settimeout(0.1)
    with contextlib.suppress(OSError):
        for byte in data * 1000:
            caller.send(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                if not caller.socket.recv(65536):
                    break
            assert time.monotonic() - caller.began_s < PATIENCE_S, "bytes that drip in keep the connection for ever"
    return time.monotonic() - caller.began_s


# ---- time-outs ----


@pytest.mark.door(14)
def test_a_connection_that_says_nothing_or_nothing_more_is_closed(programs: Programs) -> None:
    port = programs.ports["WEB_PORT"]
    with RawCaller(port, PATIENCE_S) as silent, RawCaller(port, PATIENCE_S) as answered:
        assert answered.ask("GET /healthz HTTP/1.1").status == 200
        with ThreadPoolExecutor(2) as pool:  # to wait for one after the other would hide that the other closes early
            took_s = list(pool.map(closed_after_s, (silent, answered)))
    assert min(took_s) > IDLE_S / 2, took_s


#: What comes at once, and then drips in again and again.
DRIPPING = {
    "the first byte of a head": (b"", b"a"),
    "a method": (b"GET", b"a"),
    "a header": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"a"),
    "a body": (request("POST / HTTP/1.1", FORM, "Content-Length: 60000"), b"1\r\na\r\n"),
    "a body in chunks": (request("POST / HTTP/1.1", FORM, "Transfer-Encoding: chunked"), b"1\r\na\r\n"),
}


@pytest.mark.door(14)
def test_what_drips_in_does_not_reset_the_clock(programs: Programs) -> None:
    def closed_after_s(what: str) -> float:
        start, dripped = DRIPPING[what]
        with RawCaller(programs.ports["WEB_PORT"], PATIENCE_S) as caller:
            caller.send(start)
            return drip(caller, dripped)

    with ThreadPoolExecutor(len(DRIPPING)) as pool:
        took_s = dict(zip(DRIPPING, pool.map(closed_after_s, DRIPPING), strict=True))
    assert min(took_s.values()) > TRANSFER_S / 2, took_s


@pytest.mark.door(14)
def test_a_body_that_does_not_come_is_answered(programs: Programs) -> None:
    with RawCaller(programs.ports["WEB_PORT"], PATIENCE_S) as caller:
        caller.send(request("POST / HTTP/1.1", FORM, "Content-Length: 10") + b"half")
        answer = caller.read_answer()
        assert (answer.status, answer.code, answer.headers["connection"]) == (408, "request_timeout", "close")
        assert caller.is_closed()


@pytest.mark.door(14)
def test_a_refused_body_that_drips_in_does_not_reset_the_clock(programs: Programs) -> None:
    with RawCaller(programs.ports["WEB_PORT"], PATIENCE_S) as caller:
        caller.send(request("POST / HTTP/1.1", FORM, "Content-Length: 99999999"))
        assert caller.read_answer().status == 413
        assert drip(caller, b"a") > TRANSFER_S / 2


@pytest.mark.door(14)
def test_a_body_that_is_too_large_and_then_stops_is_answered_once(programs: Programs) -> None:
    with RawCaller(programs.ports["WEB_PORT"], PATIENCE_S) as caller:
        caller.send(request("POST / HTTP/1.1", FORM, "Transfer-Encoding: chunked") + b"fffff\r\n" + b"x" * 80_000)
        assert caller.read_answer().status == 413
        assert caller.read_answer().status == 0, "and then the connection ends"


@pytest.mark.door(14)
def test_whoever_does_not_take_the_answers_is_cut_off(programs: Programs) -> None:
    connections = front_end(programs)
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", programs.ports["WEB_PORT"]))
        # The answers are far more than the buffers of both ends hold, and are never read.
        caller.sendall(request("GET /openapi.json HTTP/1.1") * 500)
        wait_until(lambda: open_connections(connections, programs) == 1, "the connection accepted")
        wait_until(lambda: open_connections(connections, programs) == 0, "the connection closed")


def front_end(programs: Programs) -> psutil.Process:
    return psutil.Process(programs.pid("web"))


def open_connections(process: psutil.Process, programs: Programs) -> int:
    port = programs.ports["WEB_PORT"]
    return sum(c.status == psutil.CONN_ESTABLISHED and c.laddr.port == port for c in process.net_connections("tcp"))


@pytest.mark.door(14)
def test_a_request_that_takes_its_time_here_is_not_cut_off(programs: Programs) -> None:
    """The clocks are for what callers do: without the broker an answer takes request_timeout_s."""
    with RawCaller(programs.ports["WEB_PORT"]) as caller:
        programs.kill("broker")
        try:
            answer = caller.ask(f"GET /?taskId={'0' * 32} HTTP/1.1")
        finally:
            programs.start("broker")
        assert (answer.status, answer.code) == (503, "broker_away")
    programs.wait_synced()


# ---- crowds ----


@pytest.mark.door(14)
def test_a_crowd_of_idle_connections_keeps_nobody_out(crowded: Programs) -> None:
    port = crowded.ports["WEB_PORT"]
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(RawCaller(port))
        crowd = [stack.enter_context(RawCaller(port)) for _ in range(5 * MOST)]
        assert crowded.get("/healthz").status == 200
        assert open_connections(front_end(crowded), crowded) <= MOST_OF_ONE
        assert crowd[0].is_closed()
        crowd[-1].socket.settimeout(0.05)
        assert not crowd[-1].is_closed(), "the idlest goes first"
        assert busy.ask("GET /healthz HTTP/1.1").status in (0, 200)


@pytest.mark.door(14)
def test_requests_under_way_outlast_a_crowd(crowded: Programs) -> None:
    """Those that are being answered are closed last."""
    port = crowded.ports["WEB_PORT"]
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(RawCaller(port)) for _ in range(MOST_OF_ONE - 2)]
        crowded.kill("broker")
        try:
            for caller in busy:
                caller.send(request(f"GET /?taskId={'0' * 32} HTTP/1.1"))
            for number in range(5 * MOST):
                stack.enter_context(RawCaller(port))
                if number % 10 == 0:
                    assert crowded.get("/healthz").status == 200
            assert [caller.read_answer().status for caller in busy] == [503] * len(busy)
        finally:
            crowded.start("broker")
    crowded.wait_synced()


@pytest.mark.door(14)
def test_half_a_request_from_each_of_a_crowd_keeps_nobody_out(crowded: Programs) -> None:
    port = crowded.ports["WEB_PORT"]
    with contextlib.ExitStack() as stack:
        for _ in range(5 * MOST):
            caller = stack.enter_context(RawCaller(port))
            caller.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        assert crowded.get("/healthz").status == 200


# ---- descriptors ----


@pytest.mark.door(14)
def test_the_descriptor_limit_is_raised_at_the_start(programs: Programs) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert front_end(programs).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)


@pytest.mark.door(14)
def test_without_descriptors_it_waits_and_says_so_once_a_second(tmp_path: Path) -> None:
    with Programs(tmp_path, HOME=tmp_path / "state") as programs, contextlib.ExitStack() as stack:
        process, port = front_end(programs), programs.ports["WEB_PORT"]
        lines = programs.log_of("web").count("\n")
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 8, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        used_s, began_s = sum(process.cpu_times()[:2]), time.monotonic()
        crowd = [stack.enter_context(RawCaller(port, PATIENCE_S)) for _ in range(30)]
        wait_until(lambda: programs.log_of("web").count("action=web.no_room") >= 2, "two lines about it")
        took_s = time.monotonic() - began_s
        assert programs.log_of("web").count("\n") - lines <= took_s + 3
        assert sum(process.cpu_times()[:2]) - used_s < took_s / 2, "it spins"
        # Those that say nothing make room, so whoever has something to say gets a turn.
        with RawCaller(port) as caller:
            assert caller.ask("GET /healthz HTTP/1.1").status == 200
        assert any(caller.is_closed() for caller in crowd)
