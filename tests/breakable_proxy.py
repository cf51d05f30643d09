"""A TCP proxy in front of a port of this machine, whose connections can be cut or frozen, as by a network."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading

CHUNK_BYTES = 65536
POLL_S = 0.02


class BreakableProxy:
    """Use as a context manager. All methods may be called by any thread."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._cut = self._frozen = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)

    def __enter__(self) -> BreakableProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._close_all()
        self._listener.close()

    def cut(self) -> None:
        """Reset all connections, and refuse new ones until `mend`."""
        with self._lock:
            self._cut = True
            self._close_all()

    def freeze(self) -> None:
        """Pass nothing on until `mend`. Connections stay open, and new ones are taken: neither side is told."""
        with self._lock:
            self._frozen = True

    def mend(self) -> None:
        """Work again. Connections that were frozen are reset, as by a device that has forgotten them meanwhile."""
        with self._lock:
            if self._frozen:
                self._close_all()
            self._cut = self._frozen = False

    def _serve(self) -> None:
        while not self._ended.wait(0):
            with self._lock:
                peers = {} if self._frozen else dict(self._peers)
                listens = not self._frozen
            with selectors.DefaultSelector() as selector:
                for source in [*peers, *([self._listener] if listens else [])]:
                    with contextlib.suppress(ValueError, OSError):  # It was closed meanwhile.
                        selector.register(source, selectors.EVENT_READ)
                ready = [key.fileobj for key, _ in selector.select(POLL_S)]
            with self._lock:
                for each in ready if not self._frozen else ():
                    if each is self._listener:
                        self._accept()
                    elif isinstance(each, socket.socket) and each in self._peers:
                        self._pass_on(each)
            if not listens:
                self._ended.wait(POLL_S)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.socket()
        try:
            if self._cut:
                raise OSError
            far.connect(self._target)
        except OSError:
            _reset(near)
            far.close()
            return
        self._peers[near], self._peers[far] = far, near

    def _pass_on(self, source: socket.socket) -> None:
        target = self._peers[source]
        try:
            data = source.recv(CHUNK_BYTES)
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for each in (source, target):
                self._peers.pop(each, None)
                each.close()

    def _close_all(self) -> None:
        for each in self._peers:
            _reset(each)
        self._peers.clear()


def _reset(connection: socket.socket) -> None:
    """Close it so that the other side gets an error instead of an orderly end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
