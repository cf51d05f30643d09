"""Garbage collections neither run while a process loads what it keeps nor look at that later."""

from __future__ import annotations

import gc

import pytest

from trainer_worker.training.process_memory import loading

OBJECTS = 1000


def test_no_collection_runs_while_a_process_loads_and_later_ones_pass_over_what_it_loaded() -> None:
    before = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
        loaded = [[number] for number in range(OBJECTS)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(loaded)


def test_collections_go_on_after_an_error() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()
