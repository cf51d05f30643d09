"""Unpacks the archives of a project for one attempt, and removes the pictures when it ends."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from trainer_worker.attempt.job import Job
from trainer_worker.attempt.work_folder import work_folder
from trainer_worker.layouts.archives import archives_of, unpack
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.user_files import UserFiles


@contextlib.contextmanager
def archives_unpacked(job: Job, tell: Callable[[], None]) -> Iterator[Job]:
    """The job with `unpacked` set if zips stand in place of pictures; else as it is.

    tell: called often; an exception from it ends the unpacking. Raises TrainingError layout_unsupported, disk_full.
    """
    files = UserFiles(job.project_dir)
    tree = walk(files, tell)
    if not archives_of(tree):
        yield job
        return
    with work_folder(job.work_dir) as folder:
        real = folder.resolve()  # pictures are read only below a path without links
        unpack(files, tree, real, tell)
        yield dataclasses.replace(job, unpacked=real)
