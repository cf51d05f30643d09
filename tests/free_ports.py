"""Ports for services under test."""

from __future__ import annotations

import itertools
import os
import socket

#: Below what systems give to outgoing connections, so that nothing takes a port between this and its use; each
#: parallel test process has a part of its own.
_FIRST, _EACH, _PARTS = 12_000, 2_500, 8
_WORKER = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))) or 0) % _PARTS
_OWN = itertools.cycle(range(_FIRST + _WORKER * _EACH, _FIRST + (_WORKER + 1) * _EACH))
_START = os.getpid() % _EACH


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; no two calls of one process give the same ones soon after each other."""
    found: list[int] = []
    for port in itertools.islice(_OWN, _EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"There are not {count} free ports from {_FIRST} on.")


# Test runs beside each other (of another user, of another checkout) begin at different places.
next(itertools.islice(_OWN, _START, _START), None)
