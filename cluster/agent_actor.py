"""A worker as an actor of Ray: it starts `python -m trainer_worker`, and says how it is.

The actor imports neither TensorFlow nor ZeroMQ. Ray keeps it where it has reserved what the pool asks for.
"""

from __future__ import annotations

import collections
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

#: Where the code lies on this node.
ROOT = Path(__file__).resolve().parent.parent
#: An actor whose agent has ended waits this long for the controller to read how. Then it ends by itself, because it
#: would keep its node from being removed.
UNREAD_S = 60.0
#: How often an actor asks the head of its Ray cluster whether it is still there. docs/cluster.md names this.
HEAD_INTERVAL_S = 5.0
KEPT_LINES = 5
MAX_LINE_CHARS = 300


@dataclass(frozen=True)
class AgentOrder:
    """What to start. arguments: of Python. environment: beside the node's own. keys: for TFMODEL_KEYS, or ""."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    keys: str = field(default="", repr=False)


@dataclass(frozen=True)
class AgentReport:
    """How an agent is. node_id: of its node. ended: how it has ended, in words; "" while it runs."""

    node_id: str
    pid: int
    ended: str = ""


class AgentActor:
    """One agent, from the start of the actor on. Ray calls these methods one after the other."""

    def __init__(self, order: AgentOrder) -> None:
        self._order = order
        self._process: subprocess.Popen[str] | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self._ended = ""
        self._started = threading.Event()
        # The signal of tied_process.py is sent when the thread that has started the child ends, so this thread stays.
        threading.Thread(target=self._run, name="agent", daemon=True).start()
        self._started.wait()
        threading.Thread(target=watch_head, args=(lambda: bool(self._ended), self.leave), daemon=True).start()

    def report(self) -> AgentReport:
        """How the agent is now."""
        import ray

        pid = self._process.pid if self._process is not None else 0
        return AgentReport(ray.get_runtime_context().get_node_id(), pid, self._ended)

    def leave(self) -> None:
        """Have the agent hand back what it holds and end. The actor stays until it is ended, or for UNREAD_S."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def _run(self) -> None:
        command = [
            sys.executable,
            "-m",
            "cluster.tied_process",
            str(os.getpid()),
            sys.executable,
            *self._order.arguments,
        ]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            self._ended = f"it could not be started: {error}"
            return
        finally:
            self._started.set()
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line.rstrip()[:MAX_LINE_CHARS])
            sys.stderr.write(line)
        code = self._process.wait()
        said = f": {self._lines[-1]}" if code and self._lines else ""
        self._ended = f"it ended with code {code}{said}"
        time.sleep(UNREAD_S)
        os._exit(0)

    def _environment(self) -> dict[str, str]:
        import ray

        gpus = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
        variables = {**os.environ, "CUDA_VISIBLE_DEVICES": ",".join(gpus), **self._order.environment}
        if self._order.keys:
            variables["TFMODEL_KEYS"] = self._order.keys
        return variables


def watch_head(has_ended: Callable[[], bool], leave: Callable[[], None]) -> None:
    """Call `leave` when the head of this actor's Ray cluster has gone. Returns then, or when the agent has ended.

    A process of Ray notices that only while it waits for an answer of the head. An actor without calls never waits, so
    this function keeps a request under way. If the head does not answer it, one of two things happens. Ray ends this
    process after gcs_rpc_server_reconnect_timeout_s, and the agent with it. Or the request fails after
    gcs_server_request_timeout_seconds.
    """
    from ray.util import list_named_actors

    # Its wrappers would connect this process anew if Ray has just disconnected it in order to end it.
    ask_head = inspect.unwrap(list_named_actors)
    while not has_ended():
        try:
            ask_head()
        except Exception as error:  # Whatever it is, nobody would notice that this thread has ended.
            sys.stderr.write(f"The head of the Ray cluster does not answer, so the agent leaves: {error}\n")
            leave()
            return
        time.sleep(HEAD_INTERVAL_S)
