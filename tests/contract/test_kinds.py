"""Every trainType is one complete value, found at start and before TensorFlow is loaded."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.options import OPTIONS_BY_TRAIN_TYPE, TrainingOptions
from tests.waiting import TIMEOUT_S
from trainer_worker.publishing.kind import Kind, Presentation
from trainer_worker.training import registry

ROOT = Path(__file__).resolve().parents[2]


def test_every_train_type_has_a_kind_with_a_trainer_and_its_snippets() -> None:
    kinds = registry.load_kinds()

    assert kinds.keys() == OPTIONS_BY_TRAIN_TYPE.keys()
    for kind in kinds.values():
        assert importlib.util.find_spec(kind.trainer), kind.train_type
        for snippets in {kind.presentation(numbers).snippets for numbers in (1, 2, 3)}:
            assert snippets.names
            for name in snippets.names:
                assert (snippets.folder / name).is_file(), f"{kind.train_type} has no {name}"


def test_no_part_of_a_kind_has_a_default() -> None:
    """A default would let a trainType forget the part without an error."""
    for field in (*dataclasses.fields(Kind), *dataclasses.fields(Presentation)):
        assert field.default is field.default_factory is dataclasses.MISSING, field.name


def test_a_kind_without_options_or_options_without_a_kind_are_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "KIND_MODULES", {**registry.KIND_MODULES, "brightness": "nowhere"})
    with pytest.raises(ValueError, match="each trainType needs both"):
        registry.train_types()
    monkeypatch.setattr(registry, "KIND_MODULES", {"classification": "trainer_worker.classification.kind"})
    with pytest.raises(ValueError, match="each trainType needs both"):
        registry.load_kinds()


def test_a_kind_under_the_wrong_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {**registry.KIND_MODULES, "segmentation": registry.KIND_MODULES["classification"]}
    monkeypatch.setattr(registry, "KIND_MODULES", modules)
    with pytest.raises(ValueError, match="describes trainType=classification instead of segmentation"):
        registry.load_kinds()


def test_kinds_are_known_without_tensorflow() -> None:
    code = (
        "import sys; from trainer_worker.training.registry import load_kinds; load_kinds()\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_nobody_asks_for_a_train_type_by_name_outside_of_its_room() -> None:
    """Whoever must know what differs between trainTypes asks the kind."""
    for file in sorted((ROOT / "trainer_worker").rglob("*.py")):
        room = file.relative_to(ROOT / "trainer_worker").parts[0]
        if room not in OPTIONS_BY_TRAIN_TYPE and file.name != "registry.py":
            text = file.read_text()
            for name in OPTIONS_BY_TRAIN_TYPE:
                assert f'== "{name}"' not in text, f"{file} asks for {name}"
                assert f'"{name}":' not in text or file.name == "pace.py", f"{file} has a table with {name}"


def test_options_without_a_planned_cost_are_refused_at_start() -> None:
    """The front-end forecasts with it."""
    with pytest.raises(TypeError, match="CostlessOptions has no planned_cost"):

        class CostlessOptions(TrainingOptions, frozen=True, kw_only=True):
            pass
