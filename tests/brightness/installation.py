"""Adds the third trainType to a copy of the program, by the steps that CONTRIBUTING.md names."""

from __future__ import annotations

import shutil
from pathlib import Path

#: For the end of protocol/options.py.
OPTIONS = '''

class BrightnessOptions(TrainingOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Options of trainType=brightness."""

    planned_cost: ClassVar[PlannedCost] = PlannedCost(fixed_s=5.0, s_per_picture=0.01)


OPTIONS_BY_TRAIN_TYPE["brightness"] = BrightnessOptions
'''
#: For training/registry.py, behind the line of another trainType.
OTHER_LINE = '        "segmentation": "trainer_worker.segmentation.kind",\n'
REGISTRY_LINE = '        "brightness": "tests.brightness.kind",\n'


def install(root: Path) -> None:
    """root: a copy of the repository without tests."""
    room = Path(__file__).parent
    shutil.copytree(room, root / "tests" / room.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(room.parent / "__init__.py", root / "tests")
    add_options(root)
    registry = root / "trainer_worker" / "training" / "registry.py"
    text = registry.read_text("utf-8")
    assert OTHER_LINE in text, f"{registry} has changed; correct this file and CONTRIBUTING.md"
    registry.write_text(text.replace(OTHER_LINE, OTHER_LINE + REGISTRY_LINE), "utf-8")


def add_options(root: Path) -> None:
    """Only the first step, after which the worker must refuse to start."""
    with (root / "protocol" / "options.py").open("a", encoding="utf-8") as file:
        file.write(OPTIONS)
