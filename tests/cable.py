"""A network cable in user space, between this host and a network namespace, with delay, loss and cuts.

To TCP the namespace is another host. Each end is a TUN device, and a thread carries the packets from one to the other.
The kernel's own way to spoil a network, `tc netem`, is a module that many kernels lack.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import ipaddress
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

TUN_DEVICE = Path("/dev/net/tun")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MOST_PACKET_BYTES = 65536
#: Addresses for tests of networks (RFC 2544). Each process takes four of them.
TEST_NETWORK = ipaddress.ip_network("198.18.0.0/15")
BLOCK_ADDRESSES = 4
CAN_LAY_CABLE = psutil.LINUX and os.geteuid() == 0 and TUN_DEVICE.exists() and shutil.which("ip") is not None
WHY_NOT = "a cable between network namespaces needs root, /dev/net/tun and the program ip (package iproute2)"


@dataclass
class Direction:
    """One way of the cable. lost: the share of packets that get lost; 1.0 cuts it without a word to either side."""

    delay_s: float = 0.0
    lost: float = 0.0
    packets: list[tuple[float, int, bytes]] = field(default_factory=list)


class Cable:
    """near: this host's end. far: the end in the namespace."""

    def __init__(self) -> None:
        pid = os.getpid()
        block = pid % (TEST_NETWORK.num_addresses // BLOCK_ADDRESSES)
        self.namespace = f"tfm{pid}"
        self.near_address = str(TEST_NETWORK[block * BLOCK_ADDRESSES + 1])
        self.far_address = str(TEST_NETWORK[block * BLOCK_ADDRESSES + 2])
        self.to_far, self.to_near = Direction(), Direction()
        self._names = f"tfmn{pid}", f"tfmf{pid}"
        self._chance = random.Random(1)
        self._ends: list[int] = []

    def inside(self, *words: str) -> list[str]:
        """The command that runs `words` in the namespace."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def spoil(self, delay_s: float = 0.0, lost: float = 0.0) -> None:
        """From now on, all packets take this long in each direction, and this share of them is lost."""
        for way in (self.to_far, self.to_near):
            way.delay_s, way.lost = delay_s, lost

    def cut(self) -> None:
        """Drop all packets. Neither side notices, so connections stay open."""
        self.spoil(lost=1.0)

    def mend(self) -> None:
        self.spoil()

    @contextlib.contextmanager
    def laid(self) -> Iterator[Cable]:
        near, far = self._names
        _run("ip", "netns", "add", self.namespace)
        stop_read, stop_write = os.pipe()
        carrier = threading.Thread(target=self._carry, args=(stop_read,), name="cable", daemon=True)
        try:
            self._ends = [_tun(near), _tun(far)]
            _run("ip", "link", "set", far, "netns", self.namespace)
            _run("ip", "addr", "add", f"{self.near_address}/30", "dev", near)
            _run("ip", "link", "set", near, "up")
            _run("ip", "-n", self.namespace, "addr", "add", f"{self.far_address}/30", "dev", far)
            _run("ip", "-n", self.namespace, "link", "set", far, "up")
            _run("ip", "-n", self.namespace, "link", "set", "lo", "up")
            carrier.start()
            yield self
        finally:
            os.close(stop_write)
            if carrier.ident is not None:
                carrier.join()
            for descriptor in (stop_read, *self._ends):
                os.close(descriptor)
            _run("ip", "netns", "del", self.namespace)

    def _carry(self, stop: int) -> None:
        """Read packets at each end, and write them at the other when they are due, until `stop` is closed."""
        near, far = self._ends
        ways = {near: (self.to_far, far), far: (self.to_near, near)}
        number = 0
        while True:
            due_s = min((way.packets[0][0] for way, _ in ways.values() if way.packets), default=None)
            wait_s = None if due_s is None else max(0.0, due_s - time.monotonic())
            ready = select.select([stop, *ways], [], [], wait_s)[0]
            if stop in ready:
                return
            for end in ready:
                way, _ = ways[end]
                packet = os.read(end, MOST_PACKET_BYTES)
                if self._chance.random() >= way.lost:
                    number += 1
                    heapq.heappush(way.packets, (time.monotonic() + way.delay_s, number, packet))
            for way, other_end in ways.values():
                while way.packets and way.packets[0][0] <= time.monotonic():
                    _, _, packet = heapq.heappop(way.packets)
                    if way.lost < 1.0:
                        os.write(other_end, packet)


def _tun(name: str) -> int:
    descriptor = os.open(TUN_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


def _run(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
