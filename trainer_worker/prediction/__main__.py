"""`python -m trainer_worker.prediction`: answers orders until its input ends."""

from __future__ import annotations

import contextlib
import logging
import sys

from protocol.prediction import Order, RuntimeLimits
from trainer_worker.prediction.frames import Frames
from trainer_worker.prediction.limits import limit_resources
from trainer_worker.prediction.runtime import Runtime


def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    frames = Frames.of_this_process()
    limits = frames.read(RuntimeLimits)
    if limits is None:
        return
    limit_resources(limits.models_bytes)
    runtime = Runtime(limits, frames)
    with contextlib.suppress(BrokenPipeError):
        while (order := frames.read(Order)) is not None:
            runtime.obey(order)


if __name__ == "__main__":
    main()
