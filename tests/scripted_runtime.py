"""A runtime process that does what the pictures say: `python -m tests.scripted_runtime FOLDER`.

The content of a picture is a word: "die" ends the process, "die-once" does so unless a file of the picture's name lies
in FOLDER, "stop" makes it hang so that no timer of its own runs, and "nonsense" writes what is no answer. A model
called "die" ends it while it is loaded. All other pictures get the process id and the number of pictures that came with
them. For thumbnails the word is the picture's name, and the thumbnail is the process id.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from protocol.prediction import (
    FolderPicture,
    LabelProbability,
    Labels,
    ModelFile,
    Order,
    Ready,
    RuntimeLimits,
    Thumbnail,
)
from trainer_worker.prediction.frames import Frames


def main() -> None:
    frames, folder = Frames.of_this_process(), Path(sys.argv[1])
    assert frames.read(RuntimeLimits) is not None
    loaded: list[str] = []
    while (order := frames.read(Order)) is not None:
        if isinstance(order.work, ModelFile):
            if order.work.artifact.name == "die":
                os.abort()
            loaded.append(order.work.artifact.sha256)
        frames.write(Ready(tuple(loaded)))
        for picture in order.pictures:
            if isinstance(picture, FolderPicture):
                obey(picture.name, folder / "mark")
                frames.write(Thumbnail(str(os.getpid()).encode()))
                continue
            obey(picture.content.decode(), folder / picture.name)
            label = LabelProbability(str(os.getpid()), float(len(order.pictures)))
            frames.write(Labels((label, LabelProbability(picture.name, 0.0)), unknown=False))


def obey(word: str, mark: Path) -> None:
    if word == "die-once" and not mark.exists():
        mark.touch()
        os.abort()
    if word == "die":
        os.abort()
    if word == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if word == "nonsense":
        sys.stderr.write("about to write nonsense\n")
        os.write(1, b"goes to standard error")
        for number in range(3, 20):
            try:
                os.write(number, b"\0\0\0\5wrong")
            except OSError:
                continue


if __name__ == "__main__":
    main()
