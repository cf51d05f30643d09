"""A short share of the fuzzing of project folders, and a control: a reader that believes in paths is seen."""

from __future__ import annotations

import pytest

from tests.security.fuzz_folders import fuzz_folders

INPUTS = 60


@pytest.mark.door(1)
@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_folders_reach_nothing_beside_them(seed: int) -> None:
    assert fuzz_folders(INPUTS, seed) == {
        "inputs": INPUTS,
        "files_outside_changed": 0,
        "files_outside_read": 0,
        "not_answering": 0,
    }


def test_a_reader_that_follows_links_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with the door of users' files taken out, the same inputs read the neighbour's files."""
    monkeypatch.setenv("PICTURE_WORKER_FOLLOWS_LINKS", "1")
    counts = fuzz_folders(INPUTS, 1)
    assert counts["files_outside_read"] > 0
