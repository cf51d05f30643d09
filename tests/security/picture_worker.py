"""`python -m tests.security.picture_worker FD ROOT CACHE_DIR`: a trainer process that reads as real trainers do.

It lists, hashes and decodes the pictures and masks of a project with the code of both trainTypes, and keeps what they
keep, but learns nothing. TaskSpecs come in over the pipe FD; the task's code of failure goes out, "" for a model.
"""

from __future__ import annotations

import contextlib
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np

from protocol.errors import TrainingError
from protocol.task import TaskSpec
from tests.security.project_worker import ProjectWorker
from trainer_worker.attempt.job import Job
from trainer_worker.classification.folders import keep_trainable, scan_class_folders
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.images import UnreadableImageError, read_rgb
from trainer_worker.segmentation.folders import Cutting, read_pairs, scan_mask_folders

SIDE_PX = 32
#: Set for the control: a reader that believes in paths.
FOLLOW_LINKS = "PICTURE_WORKER_FOLLOWS_LINKS"


class PictureWorker(ProjectWorker):
    def read(self, job: Job) -> tuple[list[str], np.ndarray]:
        if os.environ.get(FOLLOW_LINKS):
            for path in job.project_dir.rglob("*"):
                with contextlib.suppress(OSError):
                    path.is_file() and path.open("rb").read(1)
        self._read_masks(job)
        folders = scan_class_folders(job.project.files)
        contents = content_hashes(folders.reader.files, folders.files)
        unreadable = {}
        for row, path in enumerate(folders.files):
            try:
                read_rgb(folders.reader, path, (SIDE_PX, SIDE_PX))
            except UnreadableImageError as error:
                unreadable[row] = error
        kept = keep_trainable(folders, unreadable)
        content_of = dict(zip(folders.files, contents, strict=True))
        known = {content_of[path]: label for path, label in zip(kept.files, kept.classes, strict=True)}
        known.pop("", None)
        return list(known), np.array(list(known.values()), np.int64)

    def _read_masks(self, job: Job) -> None:
        """As segmentation does; a project without usable masks is what most of these are."""
        with contextlib.suppress(TrainingError):
            read_pairs(scan_mask_folders(job.project.files), Cutting(SIDE_PX), 1, lambda fraction: None)


def main() -> None:
    fd, root, cache_dir = sys.argv[1:]
    pipe = Connection(int(fd))
    worker = PictureWorker(Path(root), Path(cache_dir), keep_models=2)
    while True:
        try:
            spec = msgspec.msgpack.decode(pipe.recv_bytes(), type=TaskSpec)
        except EOFError:
            return
        result = worker.run(spec)
        pipe.send_bytes((result.failure.code if result.failure else "").encode())


if __name__ == "__main__":
    main()
