"""How fast a project in object storage becomes a folder, beside the bare client, and what a second task moves.

    python -m benchmarks.object_storage
    python -m benchmarks.object_storage --photos 2000 --rounds 5 --connections 16

Both read the same objects from the same server (moto, a process of its own on this machine) into files of an empty
folder, by turns. Target: the check-out has at least 0.8 of the bare client's speed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.machine import describe_machine
from conf.settings import load
from conf.storage_settings import StorageSettings
from protocol.project_url import ProjectUrl
from protocol.task import TaskSpec
from storage.object_store import ObjectStore, open_store
from trainer_worker.checkouts.project_folders import ObjectFolders, Unwatched

TARGET = 0.8
BUCKET, PREFIX = "photos", "users/42/flowers"
URL = ProjectUrl("s3", BUCKET, PREFIX)
#: Photos have from half to one and a half of this.
PHOTO_BYTES = 60_000
TASK_ID = "0" * 32


class Moved(Unwatched):
    """What a check-out had to read."""

    files, size_bytes = 0, 0

    def planned(self, files: int, size_bytes: int) -> None:
        self.files, self.size_bytes = files, size_bytes


@contextlib.contextmanager
def moto_process() -> Iterator[str]:
    """The address of a server that knows nothing yet."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", "0"], stdout=log, stderr=log)
        try:
            yield _address(process, log)
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Any) -> str:
    """The address that the server has written into its log."""
    while process.poll() is None:
        log.seek(0)
        found = [word for word in log.read().split() if word.startswith("http://127.0.0.1:")]
        if found:
            return str(found[0])
        time.sleep(0.05)
    raise RuntimeError("moto did not start; pip install -r requirements-cluster-dev.txt")


def fill(store: ObjectStore, photos: int) -> int:
    """Put photos into five classes; returns their bytes."""
    total = 0
    for number in range(photos):
        content = secrets.token_bytes(PHOTO_BYTES // 2 + secrets.randbelow(PHOTO_BYTES))
        store.put(f"class {number % 5}/{number:05}.jpg", content)
        total += len(content)
    return total


def bare_s(settings: StorageSettings, folder: Path) -> float:
    """Seconds that the client takes alone: list, read and write, with as many requests at once."""
    from obstore.store import S3Store

    store = S3Store(
        BUCKET, prefix=PREFIX, endpoint=settings.endpoint, client_options={"allow_http": True, "timeout": "1h"}
    )

    async def read_all() -> None:
        names = [found["path"] for chunk in store.list(chunk_size=1000) for found in chunk]
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        waiting = iter(names)

        async def work() -> None:
            for name in waiting:
                found = await store.get_async(name)
                (folder / name).write_bytes(await found.bytes_async())

        await asyncio.gather(*(work() for _ in range(settings.max_connections)))

    began_s = time.perf_counter()
    asyncio.run(read_all())
    return time.perf_counter() - began_s


def checkout_s(settings: StorageSettings, folder: Path) -> tuple[float, Moved]:
    """Seconds until a worker has the project as a folder, and what it had to read."""
    folders, moved = ObjectFolders([ProjectUrl("s3", BUCKET, "")], settings, folder), Moved()
    spec = TaskSpec(TASK_ID, "u", "p", str(URL), str(URL), "classification")
    began_s = time.perf_counter()
    with folders.check_out(spec, moved):
        return time.perf_counter() - began_s, moved


def compare(settings: StorageSettings, rounds: int) -> float:
    """Print both speeds; returns the median ratio of a round."""
    ratios = []
    print(
        "\n| round | bare client, s | check-out, s | speed of the check-out / of the bare client |\n|---|---|---|---|"
    )
    for number in range(1, rounds + 1):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            # By turns, so that neither always has the warmer server.
            if number % 2:
                bare, (ours, _) = bare_s(settings, Path(one)), checkout_s(settings, Path(other))
            else:
                (ours, _), bare = checkout_s(settings, Path(other)), bare_s(settings, Path(one))
        ratios.append(bare / ours)
        print(f"| {number} | {bare:.2f} | {ours:.2f} | {ratios[-1]:.2f} |", flush=True)
    return statistics.median(ratios)


def second_task(settings: StorageSettings, store: ObjectStore, size_bytes: int) -> None:
    """Print what a worker reads that has checked the project out before."""
    with tempfile.TemporaryDirectory() as cache:
        checkout_s(settings, Path(cache))
        took_s, moved = checkout_s(settings, Path(cache))
        print(f"\nA second task reads {moved.files} files, {moved.size_bytes:,} bytes, in {took_s:.2f} s.")
        changed = {"class 0/00000.jpg": 50_000, "class 1/new.jpg": 70_000}
        for name, count in changed.items():
            store.put(name, secrets.token_bytes(count))
        store.delete("class 2/00002.jpg")
        took_s, moved = checkout_s(settings, Path(cache))
        print(
            f"After one photo was changed, one added and one deleted, it reads {moved.files} files, "
            f"{moved.size_bytes:,} of {size_bytes:,} bytes, in {took_s:.2f} s."
        )
        assert moved.size_bytes == sum(changed.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    chosen = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}
    print(describe_machine())
    with moto_process() as address:
        settings = msgspec.structs.replace(
            load({}).storage, endpoint=address, allow_http=True, max_connections=chosen.connections
        )
        urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT")).close()
        store = open_store(URL, settings)
        size_bytes = fill(store, chosen.photos)
        print(f"{chosen.photos:,} photos with {size_bytes / 1e6:.0f} MB, {chosen.connections} requests at once")
        ratio = compare(settings, chosen.rounds)
        print(f"\nMedian: {ratio:.2f} of the bare client's speed (target: at least {TARGET}).")
        second_task(settings, store, size_bytes)
    sys.exit(0 if ratio >= TARGET else 1)


if __name__ == "__main__":
    main()
