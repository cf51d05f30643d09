"""A short share of the fuzzing of project folders, and a control: a reader that believes in paths is seen."""

from __future__ import annotations

import pytest

from tests.security.fuzz_folders import fuzz_folders, link_to_the_neighbour

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
    """The control: with the door of users' files taken out, a link to a neighbour's picture is read and counted.

    Its folders are the same in every run. Whether somebody who swaps folders meanwhile wins is a matter of luck.
    """
    assert fuzz_folders(2, 1, [link_to_the_neighbour])["files_outside_read"] == 0
    monkeypatch.setenv("PICTURE_WORKER_FOLLOWS_LINKS", "1")
    assert fuzz_folders(2, 1, [link_to_the_neighbour])["files_outside_read"] == 1
