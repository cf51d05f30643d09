"""A proxy in front of a server of object storage, which fails as a test tells it to."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

#: "works": passes everything on. "hangs": takes connections and never answers. "busy": answers 503. "cuts": ends each
#: connection after `cut_after_bytes` of the answer.
Mode = Literal["works", "hangs", "busy", "cuts"]

BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 61\r\nConnection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>Slow down</Message></Error>"[:61]
)


class StorageProxy:
    """connections: how many have begun since the last change of the mode."""

    def __init__(self, server: str) -> None:
        """server: the address of the server, http://HOST:PORT."""
        parts = urlsplit(server)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._mode: Mode = "works"
        self._cut_after_bytes = 0
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def that(self, mode: Mode, cut_after_bytes: int = 1000) -> Iterator[None]:
        """Fail like this inside of the block."""
        self._change(mode, cut_after_bytes)
        try:
            yield
        finally:
            self._change("works", 0)

    def close(self) -> None:
        self._ended = True
        self._change("hangs", 0)
        self._listening.close()

    def _change(self, mode: Mode, cut_after_bytes: int) -> None:
        """Connections that clients have kept open end, so that the new mode holds for all requests."""
        with self._lock:
            self._mode, self._cut_after_bytes, self.connections = mode, cut_after_bytes, 0
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._ended:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(caller)
                mode, cut_after_bytes = self._mode, self._cut_after_bytes
            threading.Thread(target=self._serve, args=(caller, mode, cut_after_bytes), daemon=True).start()

    def _serve(self, caller: socket.socket, mode: Mode, cut_after_bytes: int) -> None:
        with caller, contextlib.suppress(OSError):
            if mode == "busy":
                caller.recv(65536)
                caller.sendall(BUSY)
            elif mode == "hangs":
                while caller.recv(65536):
                    pass
            else:
                with socket.create_connection(self._server) as server:
                    self._pass_on(caller, server, cut_after_bytes if mode == "cuts" else None)
        with self._lock:
            self._open.discard(caller)

    def _pass_on(self, caller: socket.socket, server: socket.socket, left_bytes: int | None) -> None:
        """left_bytes: of the answers, until the connection is cut; None for all."""
        with selectors.DefaultSelector() as ready:
            ready.register(caller, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, caller)
            while True:
                for key, _ in ready.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    part = source.recv(65536)
                    if left_bytes is not None and source is server:
                        part = part[:left_bytes]
                        left_bytes -= len(part)
                    if not part:
                        return
                    target.sendall(part)
