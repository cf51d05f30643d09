"""`python -m trainer_worker.checking`: reads a CheckOrder from its input, writes a DataReport as JSON."""

from __future__ import annotations

import logging
import sys
import time

import msgspec

from protocol.data_report import DataReport
from protocol.errors import TrainingError
from protocol.folder_check import CheckOrder
from trainer_worker.checking.folder import check_folder
from trainer_worker.checking.limits import limit_resources
from trainer_worker.checkouts.ordered_folders import ordered_folders
from trainer_worker.training.registry import load_kind

MOST_ORDER_BYTES = 1024**2
#: Headers are read for this long at least.
LEAST_HEADERS_S = 0.2


def check(order: CheckOrder) -> DataReport:
    """The report on the folder of the order, which is admitted as a worker admits it."""
    try:
        with ordered_folders(order.allowed_roots).look_into(order.spec) as project:
            # A project in object storage has been copied by now, which may have taken all of that time.
            headers_until_s = max(order.headers_until_s, time.monotonic() + LEAST_HEADERS_S)
            return check_folder(load_kind(order.spec.train_type), project, headers_until_s)
    except TrainingError as error:
        return DataReport(findings=(error.finding(),))


def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    limit_resources()
    order = msgspec.json.decode(sys.stdin.buffer.read(MOST_ORDER_BYTES), type=CheckOrder)
    sys.stdout.buffer.write(msgspec.json.encode(check(order)))


if __name__ == "__main__":
    main()
