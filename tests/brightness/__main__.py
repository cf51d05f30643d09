"""The trainer process with the third trainType in it: `python -m tests.brightness FD PARENT_PID SETTINGS`."""

from __future__ import annotations

from protocol.options import OPTIONS_BY_TRAIN_TYPE, TrainingOptions
from trainer_worker.training import child, registry


class BrightnessOptions(TrainingOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Options of trainType=brightness."""


def register() -> None:
    """What a trainType of the program adds: a line in protocol/options.py and one in training/registry.py."""
    OPTIONS_BY_TRAIN_TYPE["brightness"] = BrightnessOptions
    registry.KIND_MODULES = {**registry.KIND_MODULES, "brightness": "tests.brightness.kind"}


if __name__ == "__main__":
    register()
    child.main()
