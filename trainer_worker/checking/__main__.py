"""`python -m trainer_worker.checking`: reads a CheckOrder from its input, writes a DataReport as JSON."""

from __future__ import annotations

import logging
import sys

import msgspec

from protocol.data_report import DataReport
from protocol.errors import TrainingError
from protocol.folder_check import CheckOrder
from trainer_worker.checking.folder import check_folder
from trainer_worker.checking.limits import limit_resources
from trainer_worker.checkouts.project_folders import folders_for
from trainer_worker.training.registry import load_kind

MOST_ORDER_BYTES = 1024**2


def check(order: CheckOrder) -> DataReport:
    """The report on the folder of the order, which is admitted as a worker admits it."""
    try:
        with folders_for(order.allowed_roots, order.storage).look_at(order.spec) as project:
            kind = load_kind(order.spec.train_type)
            return check_folder(kind, project, order.headers_until_s, order.spec.options)
    except TrainingError as error:
        return DataReport(findings=(error.finding(),))


def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    limit_resources()
    order = msgspec.json.decode(sys.stdin.buffer.read(MOST_ORDER_BYTES), type=CheckOrder)
    sys.stdout.buffer.write(msgspec.json.encode(check(order)))


if __name__ == "__main__":
    main()
