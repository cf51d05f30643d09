"""Answers orders one after the other, each picture on its own."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from conf.posted_folder import PostedFolderError
from protocol.prediction import (
    MOST_PICTURE_BYTES,
    MOST_SHOWN_BYTES,
    ModelFile,
    ModelRefused,
    Order,
    Picture,
    PictureAnswer,
    PictureRefused,
    Ready,
    RuntimeLimits,
    SentPicture,
    Thumbnails,
    Work,
)
from protocol.sizes import MB
from protocol.task import TaskSpec
from trainer_worker.prediction.answering import answer, thumbnail
from trainer_worker.prediction.frames import Frames
from trainer_worker.prediction.models import LoadedModel, Models, RefusedModelError, places_of
from trainer_worker.prediction.one_picture import OnePicture
from trainer_worker.project.posted_files import OwnFolderError, open_picture


class Runtime:
    def __init__(self, limits: RuntimeLimits, frames: Frames) -> None:
        self._limits = limits
        self._places = places_of(limits)
        self._frames = frames
        self._models = Models(limits)

    def obey(self, order: Order) -> None:
        """Write the answers to an order. Raises OSError if nobody reads them any more."""
        step_s = self._limits.step_s(order.work)
        model: LoadedModel | None = None
        if isinstance(order.work, ModelFile):
            try:
                with _step(step_s):
                    model = self._models.get(order.work)
            except RefusedModelError as error:
                self._frames.write(ModelRefused(error.code, str(error)))
                return
        self._frames.write(Ready(self._models.hashes))
        for picture in order.pictures:
            with _step(step_s):
                answered = self._answer(model, order.work, picture)
            self._frames.write(answered)

    def _answer(self, model: LoadedModel | None, work: Work, picture: Picture) -> PictureAnswer:
        most_bytes = MOST_SHOWN_BYTES if isinstance(work, Thumbnails) else MOST_PICTURE_BYTES
        try:
            opened = self._opened(picture, work.spec, most_bytes)
            if isinstance(work, Thumbnails):
                return thumbnail(work.side_px, opened, picture.name)
            assert model is not None
            return answer(model, opened, picture.name)
        except MemoryError:
            return PictureRefused("picture_too_large", "The picture takes too much memory; save it smaller.")
        except OwnFolderError:
            return PictureRefused(
                "bad_picture",
                "path is not the path of a picture of the user's below the project folder; send it relative to "
                "projectDir, without '..'. The folders models and .tfmodel hold no pictures.",
            )
        except PostedFolderError:
            return PictureRefused("bad_picture", "The picture's folder is not where it was, so it is not read.")
        except OSError as error:
            return PictureRefused(
                "bad_picture",
                f"The picture can't be read ({error.strerror or 'it was replaced'}): path names no regular file of at "
                f"most {most_bytes // MB} MB, or it leads through a link.",
            )

    def _opened(self, picture: Picture, spec: TaskSpec | None, most_bytes: int) -> OnePicture:
        if isinstance(picture, SentPicture):
            return OnePicture.sent(picture.content)
        with open_picture(spec, picture, most_bytes, self._places) as file:
            return OnePicture.opened(file)


@contextlib.contextmanager
def _step(step_s: float) -> Iterator[None]:
    """Have the system end this process if the step takes longer than step_s.

    This also works while C code runs, and after the front-end, which would kill the process as well, has ended.
    """
    signal.setitimer(signal.ITIMER_REAL, step_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
