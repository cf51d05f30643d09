"""Answers orders one after the other, each picture on its own."""

from __future__ import annotations

import signal
from pathlib import Path

from conf.posted_folder import PostedFolderError
from protocol.prediction import (
    MOST_PICTURE_BYTES,
    FolderPicture,
    ModelReady,
    ModelRefused,
    Order,
    Picture,
    PictureAnswer,
    PictureRefused,
    RuntimeLimits,
)
from trainer_worker.prediction.answering import answer
from trainer_worker.prediction.frames import Frames
from trainer_worker.prediction.models import LoadedModel, Models, RefusedModelError
from trainer_worker.project.posted_files import OwnFolderError, read_picture


class Runtime:
    def __init__(self, limits: RuntimeLimits, frames: Frames) -> None:
        self._limits = limits
        self._roots = [Path(root) for root in limits.allowed_roots]
        self._frames = frames
        self._models = Models(limits)

    def obey(self, order: Order) -> None:
        """Write the answers to an order. Raises OSError if nobody reads them any more."""
        self._begin_step()
        try:
            model = self._models.get(order.model)
        except RefusedModelError as error:
            self._frames.write(ModelRefused(error.code, str(error)))
            return
        finally:
            self._end_step()
        self._frames.write(ModelReady(self._models.hashes))
        for picture in order.pictures:
            self._begin_step()
            answered = self._answer(model, order, picture)
            self._end_step()
            self._frames.write(answered)

    def _begin_step(self) -> None:
        """Have the system end this process if the step takes too long. That works in C code, too, and if the front-end,
        which would also kill the process, has gone.
        """
        signal.setitimer(signal.ITIMER_REAL, self._limits.picture_s)

    @staticmethod
    def _end_step() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _answer(self, model: LoadedModel, order: Order, picture: Picture) -> PictureAnswer:
        try:
            if isinstance(picture, FolderPicture):
                content = read_picture(order.model.spec, picture.name, MOST_PICTURE_BYTES, self._roots)
            else:
                content = picture.content
            return answer(model, content, picture.name)
        except MemoryError:
            return PictureRefused("picture_too_large", "The picture takes too much memory; send it smaller.")
        except OwnFolderError:
            return PictureRefused(
                "bad_picture",
                "path is not the path of a picture of the user's below the project folder; send it relative to "
                "projectDir, without '..'. The folders models and .tfmodel hold no pictures.",
            )
        except PostedFolderError:
            return PictureRefused("bad_picture", "The project folder is not where it was posted; send the picture.")
        except OSError as error:
            return PictureRefused(
                "bad_picture",
                f"The picture can't be read ({error.strerror or 'it was replaced'}): path names no regular file of at "
                f"most {MOST_PICTURE_BYTES // 10**6} MB in the project folder, or it leads through a link.",
            )
