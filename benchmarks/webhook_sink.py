"""A receiver of webhooks that does nothing but count, for benchmarks.

    python -m benchmarks.webhook_sink PORT

POST counts, GET answers {"received", "first_s", "last_s"}: how many came, and when the first and the last one did.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time


class Sink(asyncio.Protocol):
    received = 0
    first_s = 0.0
    last_s = 0.0

    def __init__(self) -> None:
        self._bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while (end := self._bytes.find(b"\r\n\r\n")) >= 0:
            head = self._bytes[:end].lower()
            _, _, length = head.partition(b"content-length:")
            size = end + 4 + int(length.split(b"\r\n", 1)[0] or 0)
            if len(self._bytes) < size:
                return
            self._bytes = self._bytes[size:]
            if head.startswith(b"post"):
                Sink.received += 1
                Sink.last_s = time.monotonic()
                Sink.first_s = Sink.first_s or Sink.last_s
            body = json.dumps({"received": Sink.received, "first_s": Sink.first_s, "last_s": Sink.last_s}).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
