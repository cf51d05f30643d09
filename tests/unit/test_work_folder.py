"""Folders of the worker's own: for this user only, and none is left behind for long."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_until
from trainer_worker.attempt.work_folder import take_work_dir, work_folder

ROOT = Path(__file__).resolve().parents[2]
TAKE_AND_WAIT = (
    "import sys; from pathlib import Path; from trainer_worker.attempt.work_folder import take_work_dir; "
    "print(take_work_dir(Path(sys.argv[1])), flush=True); sys.stdin.read()"
)


def other_process(cache_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_WAIT, str(cache_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.door(8)
def test_what_a_killed_process_left_is_removed_and_what_one_uses_is_not(tmp_path: Path) -> None:
    with other_process(tmp_path) as killed, other_process(tmp_path) as living:
        assert killed.stdout is not None
        assert living.stdout is not None
        left, used = Path(killed.stdout.readline().strip()), Path(living.stdout.readline().strip())
        (left / "model-1").mkdir()
        assert left.stat().st_mode & 0o777 == used.stat().st_mode & 0o777 == 0o700
        killed.kill()
        killed.wait()
        mine = take_work_dir(tmp_path)
        assert set((tmp_path / "work").iterdir()) == {used, mine}
        living.kill()


def test_a_folder_that_has_just_been_made_is_not_taken_for_a_stale_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, others = tempfile.mkdtemp, []

    def make_while_another_process_starts(**named: Any) -> str:
        made: str = make(**named)
        others.append(other_process(tmp_path))
        wait_until(lambda: others[0].poll() is not None or waits_for_a_lock(others[0].pid) or has_taken_one(), "a turn")
        return made

    def has_taken_one() -> bool:
        return any((tmp_path / "work").glob(f"{others[0].pid}-*"))

    monkeypatch.setattr(tempfile, "mkdtemp", make_while_another_process_starts)
    mine = take_work_dir(tmp_path)
    with others[0] as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        assert set((tmp_path / "work").iterdir()) == {mine, theirs}
        other.kill()


def waits_for_a_lock(process_id: int) -> bool:
    waiting = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines() if "->" in line]
    return any(str(process_id) in fields for fields in waiting)


@pytest.mark.door(8)
def test_links_in_the_cache_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "kept").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "link").symlink_to(tmp_path / "elsewhere")
    take_work_dir(tmp_path)
    assert (tmp_path / "elsewhere" / "kept").is_dir()


@pytest.mark.door(8)
@pytest.mark.parametrize("fails", [False, True])
def test_a_work_folder_goes_with_its_use(tmp_path: Path, fails: bool) -> None:
    try:
        with work_folder(tmp_path / "made") as folder:
            (folder / "half").write_text("x")
            assert folder.stat().st_mode & 0o777 == 0o700
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert list((tmp_path / "made").iterdir()) == []
