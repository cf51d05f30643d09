"""`python server.py …` as a process that goes on while a test does something else, with or without a terminal.

Starting Python and importing the client takes longer than most commands, so there is a way to call a command in the
test's own process too.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from conf.settings import ROOT
from service.command_line import main
from tests.socket.programs import Programs
from tests.waiting import TIMEOUT_S

CTRL_C = b"\x03"
MEANWHILE_S = 0.1
#: Starts a program that SIGINT can interrupt, even if the tests themselves were started with SIGINT ignored, as a
#: shell starts a command in the background. On a terminal, Ctrl-C goes to the process that the terminal belongs to.
START = (
    "import fcntl, os, signal, sys, termios; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.isatty(0) and fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
)
#: Rows, columns and two sizes in pixels that nobody reads.
WINDOW = struct.pack("HHHH", 40, 160, 0, 0)


def called(programs: Programs, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in this process, to its end, without a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, programs.environ | environ, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        exit_code = main([*map(str, words)])
    return subprocess.CompletedProcess(words, exit_code, out.getvalue(), err.getvalue())


class TypedCommand:
    """A running command. output: what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        """descriptor: where its output is read."""
        self._process = process
        self._descriptor = descriptor
        self.output = ""

    def wait_for(self, words: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Until the output has these words, beyond those of earlier calls. meanwhile: is called again and again."""
        give_up_at_s = time.monotonic() + TIMEOUT_S
        heard = ""
        while words not in heard:
            while not select.select([self._descriptor], [], [], MEANWHILE_S)[0] and time.monotonic() < give_up_at_s:
                meanwhile()
            part = self._read(give_up_at_s)
            assert part, f"the command ended without saying {words!r}:\n{self.output}"
            heard += part

    def type(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def interrupt(self) -> None:
        """As `kill -INT` does."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Read on until the command has ended. Returns its exit code."""
        give_up_at_s = time.monotonic() + TIMEOUT_S
        while self._read(give_up_at_s):
            pass
        return self._process.wait(TIMEOUT_S)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The output of --json where it streams."""
        return [json.loads(line) for line in self.output.splitlines()]

    def _read(self, give_up_at_s: float) -> str:
        left_s = give_up_at_s - time.monotonic()
        readable, _, _ = select.select([self._descriptor], [], [], max(left_s, 0.0))
        assert readable, f"the command says nothing more:\n{self.output}"
        try:
            part = os.read(self._descriptor, 65536).decode(errors="replace")
        except OSError:  # The end of a terminal's output.
            return ""
        self.output += part
        return part


@contextlib.contextmanager
def piped(programs: Programs, *words: str, **environ: str) -> Iterator[TypedCommand]:
    """The command without a terminal. Its standard error comes with its output."""
    reader, writer = os.pipe()
    with _running(programs, words, environ, subprocess.DEVNULL, writer) as process, os.fdopen(reader, "rb") as output:
        yield TypedCommand(process, output.fileno())


@contextlib.contextmanager
def on_terminal(programs: Programs, *words: str, **environ: str) -> Iterator[TypedCommand]:
    """The command on a terminal of its own."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, WINDOW)
    with _running(programs, words, environ, slave, slave) as process, os.fdopen(master, "wb", buffering=0) as terminal:
        yield TypedCommand(process, terminal.fileno())


@contextlib.contextmanager
def _running(
    programs: Programs, words: tuple[str, ...], environ: dict[str, str], stdin: int, output: int
) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {name: value for name, value in programs.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-c", START, sys.executable, "server.py", *words],
        cwd=ROOT,
        env=inherited | {"TERM": "xterm-256color"} | environ,
        stdin=stdin,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    os.close(output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
