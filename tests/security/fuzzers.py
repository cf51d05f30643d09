"""Each fuzzer against what it presses, started for it: from a number of inputs and a seed to counts."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.security.fuzz_folders import fuzz_folders
from tests.security.fuzz_http import fuzz
from tests.security.fuzz_sockets import fuzz_sockets
from tests.socket.programs import Programs


def press_http(inputs: int, seed: int) -> dict[str, int]:
    """A real front-end and broker. The short time-out lets slow requests end soon."""
    with _programs(WEB_TRANSFER_TIMEOUT_S=2) as programs:
        return fuzz(programs.ports["WEB_PORT"], inputs, seed)


def press_sockets(inputs: int, seed: int) -> dict[str, int]:
    """A real front-end and broker, whose user the fuzzer is: it may connect to all four sockets."""
    with _programs() as programs:
        folder = str(programs.projects / "anna" / "flowers")
        return fuzz_sockets(programs.settings, folder, inputs, seed, lambda: programs.post().status == 200)


@contextlib.contextmanager
def _programs(**settings: int) -> Iterator[Programs]:
    with tempfile.TemporaryDirectory(prefix="tfm-") as folder, Programs(Path(folder), True, **settings) as programs:
        yield programs


#: What is pressed, by what, and its share of all inputs.
FUZZERS: tuple[tuple[str, Callable[[int, int], dict[str, int]], float], ...] = (
    ("HTTP, raw bytes", press_http, 0.4),
    ("sockets, frames", press_sockets, 0.4),
    ("project folders", fuzz_folders, 0.2),
)
