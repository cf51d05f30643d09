"""`python -m trainer_worker.checking`: reads a CheckOrder from its input, writes a DataReport as JSON."""

from __future__ import annotations

import logging
import resource
import sys
import time
from pathlib import Path

import msgspec

from protocol.data_report import DataReport
from protocol.errors import TrainingError
from protocol.folder_check import CheckOrder
from trainer_worker.checking.folder import check_folder, error_finding
from trainer_worker.project.folder import admit
from trainer_worker.training.registry import load_kinds

#: Limits of this process. A folder that needs more is not checked, and nothing else suffers.
MEMORY_LIMIT_BYTES = 2 * 1024**3
PROCESSOR_LIMIT_S = 15
#: Headers are read for this long, from the start of the process. The answer should come within a second.
HEADERS_S = 0.7
MOST_ORDER_BYTES = 1024**2


def check(order: CheckOrder, headers_until_s: float) -> DataReport:
    """The report on the folder of the order, which is admitted as a worker admits it."""
    try:
        with admit(order.spec, [Path(root) for root in order.allowed_roots]) as project:
            return check_folder(load_kinds()[order.spec.train_type], project.files, headers_until_s)
    except TrainingError as error:
        return DataReport(findings=(error_finding(error),))


def main() -> None:
    begun_s = time.monotonic()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_LIMIT_S, PROCESSOR_LIMIT_S))
    order = msgspec.json.decode(sys.stdin.buffer.read(MOST_ORDER_BYTES), type=CheckOrder)
    sys.stdout.buffer.write(msgspec.json.encode(check(order, begun_s + HEADERS_S)))


if __name__ == "__main__":
    main()
