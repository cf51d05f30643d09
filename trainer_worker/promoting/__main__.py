"""`python -m trainer_worker.promoting`: reads a PromotionOrder from its input, writes a Promotion as JSON."""

from __future__ import annotations

import logging
import sys

import msgspec

from protocol.errors import TrainingError
from protocol.promotion import Promotion, PromotionOrder
from trainer_worker.checkouts.project_folders import folders_for
from trainer_worker.project.promotion import promote

MOST_ORDER_BYTES = 1024**2
GONE = (
    "The project's folder has gone, or another one has taken its place since the task was posted, so its model can't "
    "be made the latest. Put the folder back, or train again."
)


def carry_out(order: PromotionOrder) -> Promotion:
    """The folder of the order is admitted as a worker admits it."""
    try:
        with folders_for(order.allowed_roots, order.storage).models_of(order.spec) as project:
            return promote(project, order.spec.task_id, order.artifacts)
    except TrainingError as error:
        if error.code in ("project_dir_missing", "project_dir_changed"):
            return Promotion("model_changed", GONE)
        return Promotion("promote_failed", error.error)


def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    order = msgspec.json.decode(sys.stdin.buffer.read(MOST_ORDER_BYTES), type=PromotionOrder)
    sys.stdout.buffer.write(msgspec.json.encode(carry_out(order)))


if __name__ == "__main__":
    main()
