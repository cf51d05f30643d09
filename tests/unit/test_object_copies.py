"""Copies of objects on the front-end's disk: fetched once, whole or not at all, and within their space."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from protocol.project_url import ProjectUrl
from storage.errors import ConflictError, MissingObjectError, UnreachableError
from storage.object_store import ObjectInfo, ObjectStore
from tests.waiting import TIMEOUT_S
from web.answers.refusal import Refusal
from web.folders.object_copies import ObjectCopies
from web.folders.threads import Threads

PART = b"x" * 1000


class Store:
    """Gives objects of any name in parts. fetched: their names. error: is raised after the first part."""

    url = ProjectUrl("s3", "photos", "users")

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.error: Exception | None = None
        self.parts = 3
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def stream(self, name: str, etag: str = "") -> Iterator[bytes]:
        self.fetched.append(name)
        yield PART
        assert self.may_go_on.wait(TIMEOUT_S)
        if self.error is not None:
            raise self.error
        yield from [PART] * (self.parts - 1)


@pytest.fixture
def store() -> Store:
    return Store()


def info(name: str, etag: str = "e", size_bytes: int = 3000) -> ObjectInfo:
    return ObjectInfo(name, size_bytes, etag, 0.0)


def copies_in(folder: Path, most_bytes: int = 10_000) -> ObjectCopies:
    return ObjectCopies(folder / "copies", most_bytes, Threads("test-copies"))


async def copied(copies: ObjectCopies, store: Store, wanted: ObjectInfo) -> bytes:
    async with copies.lent(cast(ObjectStore, store), wanted) as path:
        return path.read_bytes()


def test_callers_at_the_same_time_share_a_fetch_and_a_new_etag_is_another_copy(tmp_path: Path, store: Store) -> None:
    async def run() -> None:
        (tmp_path / "copies").mkdir()
        (tmp_path / "copies" / "left").write_bytes(b"by an earlier process")
        copies = copies_in(tmp_path)
        store.may_go_on.clear()
        asked = [asyncio.create_task(copied(copies, store, info("a"))) for _ in range(5)]
        asked[0].cancel()
        await asyncio.sleep(0)
        store.may_go_on.set()
        assert await asyncio.gather(*asked[1:]) == [PART * 3] * 4
        assert (await copied(copies, store, info("a")), store.fetched) == (PART * 3, ["a"])
        await copied(copies, store, info("a", "another"))
        assert store.fetched == ["a", "a"]
        assert not (tmp_path / "copies" / "left").exists()

    asyncio.run(run())


def test_copies_that_were_used_last_stay_and_those_that_are_lent_stay_in_any_case(tmp_path: Path, store: Store) -> None:
    async def run() -> None:
        copies = copies_in(tmp_path, most_bytes=7000)
        for name in ("a", "b", "a", "c"):
            await copied(copies, store, info(name))
        assert [copies.has(cast(ObjectStore, store), info(name)) for name in "abc"] == [True, False, True]
        async with copies.lent(cast(ObjectStore, store), info("a")) as path:
            async with copies.lent(cast(ObjectStore, store), info("c")):
                with pytest.raises(Refusal, match="storage_copies_mb"):
                    await copied(copies, store, info("d"))
            await copied(copies, store, info("d"))
            assert path.read_bytes() == PART * 3
        with pytest.raises(Refusal):
            await copied(copies, store, info("huge", size_bytes=7001))
        assert "huge" not in store.fetched

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConflictError("it was replaced"), "file_unreadable"),
        (UnreachableError("Object storage failed."), "storage_away"),
        (MissingObjectError("gone"), ""),
        (None, "file_unreadable"),
    ],
)
def test_a_fetch_that_fails_leaves_nothing_and_the_next_one_begins_anew(
    tmp_path: Path, store: Store, error: Exception | None, code: str
) -> None:
    """None: the object ends too early."""

    async def run() -> None:
        copies = copies_in(tmp_path)
        store.error, store.parts = error, 2
        with pytest.raises(Refusal if code else FileNotFoundError) as caught:
            await copied(copies, store, info("a"))
        assert not code or cast(Refusal, caught.value).problem.code == code
        assert not copies.has(cast(ObjectStore, store), info("a"))
        store.error, store.parts = None, 3
        assert await copied(copies, store, info("a")) == PART * 3

    asyncio.run(run())
    assert [file.stat().st_size for file in (tmp_path / "copies").iterdir()] == [3000]


def test_a_copy_that_trickles_costs_no_thread_once_its_caller_has_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.folders.object_copies.TIMEOUT_S", 0.2)
    trickling, ended = Store(), threading.Event()

    def trickle(name: str, etag: str = "") -> Iterator[bytes]:
        while not ended.wait(0.01):
            yield b"x"

    trickling.stream = trickle  # type: ignore[method-assign]
    threads = Threads("test-copies", count=1, timeout_s=0.1)

    async def fetch_both() -> None:
        copies = ObjectCopies(tmp_path / "copies", 10_000, threads)
        with pytest.raises(Refusal):
            await copied(copies, trickling, info("slow.jpg"))
        free = threads.start(lambda: "the thread is free")
        assert await asyncio.wait_for(asyncio.wrap_future(free), TIMEOUT_S)

    try:
        asyncio.run(fetch_both())
    finally:
        ended.set()
