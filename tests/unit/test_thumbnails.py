"""Thumbnails in a real runtime process, what they cost others in a pool, and which are kept."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import signal
import struct
import sys
import zlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from protocol.prediction import (
    FolderPicture,
    Order,
    PictureRefused,
    Ready,
    RuntimeAnswer,
    Thumbnail,
    Thumbnails,
)
from tests.prediction_projects import RUNTIME, limits
from tests.sample_tasks import hex_id, make_spec
from tests.unit.test_prediction_pool import model, process_of, words
from tests.waiting import TIMEOUT_S
from web.answers.refusal import Refusal
from web.browsing.picture_on_disk import no_picture
from web.browsing.thumbnail_cache import ThumbnailCache
from web.prediction import pool as pool_file
from web.prediction import runtime_process
from web.prediction.picture_queue import FATAL
from web.prediction.pool import RuntimePool
from web.prediction.runtime_process import RuntimeDiedError, RuntimeProcess


def thumbnails(root: Path, work: Thumbnails, names: Sequence[str]) -> list[RuntimeAnswer]:
    """What one real process answers, for each picture in an order of its own."""

    async def asked() -> list[RuntimeAnswer]:
        process = await RuntimeProcess.start(RUNTIME, limits(root))
        answers = []
        for name in names:
            first, answer = [answer async for answer in process.answers(Order(work, (FolderPicture(name),)))]
            assert isinstance(first, Ready)
            answers.append(answer)
        await process.end()
        return answers

    return asyncio.run(asked())


def in_pool(folder: Path, work: Callable[[RuntimePool], Awaitable[Any]], processes: int = 2) -> None:
    """Run `work` on a pool of scripted processes."""

    async def run() -> None:
        script = (sys.executable, "-m", "tests.scripted_runtime", str(folder))
        pool = RuntimePool(script, processes, limits(folder))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await work(pool)
        finally:
            await pool.close()

    asyncio.run(run())


def bomb(side_px: int, bits: int = 8) -> bytes:
    """A PNG whose header claims so many pixels along each side. It has a hundred rows, and is not decoded so far."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" * (1 + side_px * 3 * bits // 8)
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(row) for _ in range(100)) + packer.flush()
    head = struct.pack(">IIBBBBB", side_px, side_px, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.door(25)
def test_pictures_are_opened_below_the_data_roots_through_no_link_and_within_limits(tmp_path: Path) -> None:
    root, outside = tmp_path / "projects", tmp_path / "outside"
    for folder in (root / "anna" / "models", outside):
        folder.mkdir(parents=True)
        Image.new("RGB", (300, 3000), "red").save(folder / "red.png")
    (root / "red.png").write_bytes((outside / "red.png").read_bytes())
    (root / "linked.png").symlink_to(outside / "red.png")
    (root / "linked").symlink_to(outside)
    (root / "claims.png").write_bytes(bomb(60_000))
    (root / "deep.png").write_bytes(bomb(9_000, bits=16))
    os.mkfifo(root / "pipe.png")
    bad = [
        *("linked.png", "linked/red.png", "pipe.png", "claims.png", "deep.png", "../outside/red.png", "none.png"),
        *("anna/models/red.png", "a\0b", "anna"),
    ]

    good, *refused = thumbnails(root, Thumbnails(160), [f"{root}/red.png", *(f"{root}/{name}" for name in bad)])
    in_task = Thumbnails(160, make_spec(hex_id(1), project_path=f"{root}/anna"))
    of_task = thumbnails(root, in_task, ["../red.png", f"{root}/red.png", "models/red.png"])

    assert isinstance(good, Thumbnail)
    assert Image.open(io.BytesIO(good.jpeg)).size == (16, 160)
    for answer in (*refused, *of_task):
        assert isinstance(answer, PictureRefused), answer


@pytest.mark.door(25)
def test_a_process_that_works_on_a_picture_for_too_long_ends_itself(tmp_path: Path) -> None:
    Image.new("L", (9900, 9900)).save(tmp_path / "slow.png", compress_level=1)

    async def run() -> None:
        process = await RuntimeProcess.start(RUNTIME, limits(tmp_path, thumbnail_s=0.01))
        order = Order(Thumbnails(64), (FolderPicture(f"{tmp_path}/slow.png"),))
        with pytest.raises(RuntimeDiedError, match=f"exit code -{signal.SIGALRM:d}"):
            assert [answer async for answer in process.answers(order)] == []
        await process.end()

    asyncio.run(run())


@pytest.mark.door(25)
def test_a_picture_that_ends_its_process_costs_nobody_else_a_thumbnail(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        names = ("ok", "die", "ok", "ok")
        answers = await asyncio.gather(*(pool.thumbnail(Thumbnails(64), FolderPicture(name)) for name in names))
        assert [answer == FATAL for answer in answers] == [False, True, False, False]

    in_pool(tmp_path, work, processes=1)


@pytest.mark.door(25)
def test_thumbnails_that_hang_leave_a_process_to_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_process, "KILL_AFTER_S", 0.1)

    async def work(pool: RuntimePool) -> None:
        hanging = [
            asyncio.create_task(pool.thumbnail(Thumbnails(64 + number), FolderPicture("stop"))) for number in range(3)
        ]
        await asyncio.sleep(0)
        for _ in range(5):
            assert FATAL not in await pool.predict(model(), words("ok"))
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()

    in_pool(tmp_path, work)


def test_thumbnails_of_one_size_share_orders_and_predictions_take_turns_with_them(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        shown = [pool.thumbnail(Thumbnails(64), FolderPicture("ok")) for _ in range(30)]
        told = [pool.predict(model(), words("ok")) for _ in range(5)]
        answers = await asyncio.gather(*shown, *told)
        assert all(isinstance(answer, Thumbnail) for answer in answers[:30])
        assert all(process_of(answer[0]) for answer in answers[30:] if isinstance(answer, list))

    in_pool(tmp_path, work, processes=1)


def test_too_many_thumbnails_are_refused_and_hold_up_no_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_file, "MOST_WAITING_THUMBNAILS", 2)

    async def work(pool: RuntimePool) -> None:
        waiting = [asyncio.create_task(pool.thumbnail(Thumbnails(64), FolderPicture("ok"))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refusal:
            await pool.thumbnail(Thumbnails(64), FolderPicture("ok"))
        assert (refusal.value.problem.code, refusal.value.status_code) == ("thumbnails_busy", 429)
        assert FATAL not in await pool.predict(model(), words("ok"))
        await asyncio.gather(*waiting)

    in_pool(tmp_path, work)


def test_the_cache_keeps_what_was_asked_for_last_and_is_bounded() -> None:
    cache = ThumbnailCache(most_bytes=100)
    for number in range(4):
        cache.put(str(number), bytes([number]) * 30)
        cache.get("1")
    cache.put("1", b"x" * 40)

    assert cache.get("0") is None
    assert cache.get("1") == b"x" * 40
    assert cache.get("3") == b"\3" * 30
    cache.put("huge", b"x" * 101)
    assert cache.get("huge") is None
    assert cache.get("3") is None


@pytest.mark.parametrize(
    ("name", "error", "code", "words"),
    [
        ("/photos/1.jpg", FileNotFoundError(2, "missing"), "no_picture", "is missing"),
        ("/photos/a.zip/1.jpg", NotADirectoryError(20, "a file"), "no_picture", "in zips are not shown"),
        ("/photos/1.jpg", OSError(errno.EIO, "damaged"), "file_unreadable", "Input/output error"),
        ("/photos/1.jpg", TimeoutError(), "file_unreadable", "does not answer"),
    ],
)
def test_a_disk_that_fails_is_not_told_as_a_missing_picture(name: str, error: OSError, code: str, words: str) -> None:
    refusal = no_picture(name, error)
    assert refusal.problem.code == code
    assert words in refusal.problem.error
