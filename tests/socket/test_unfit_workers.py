"""A real worker that does not fit to the broker says why, and ends with the code for bad settings."""

from __future__ import annotations

from pathlib import Path

from conf.settings import EXIT_BAD_SETTINGS
from tests.socket.programs import Programs

#: `python -m trainer_worker` on a machine with another TensorFlow.
OTHER_TENSORFLOW = (
    "from trainer_worker import __main__ as program; program.own_versions = lambda: {'tensorflow': '1.15.0'}; "
    "program.main()"
)
#: ... and with another release of TFModel, whose messages have another version.
OTHER_RELEASE = (
    "from protocol import wire; wire.VERSION = b'TFM99'; wire.encode.__defaults__ = (wire.VERSION,); "
    "from trainer_worker.__main__ import main; main()"
)


def test_a_worker_with_another_tensorflow_ends(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        done = programs.run("-c", OTHER_TENSORFLOW)
        assert done.returncode == EXIT_BAD_SETTINGS
        assert "action=worker.rejected" in done.stderr
        assert "TensorFlow 1.15.0" in done.stderr.splitlines()[-1]
        assert programs.get("/v1/workers").body["workers"] == []


def test_a_worker_of_another_release_ends(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        done = programs.run("-c", OTHER_RELEASE)
        assert done.returncode == EXIT_BAD_SETTINGS
        assert "TFM99" in done.stderr.splitlines()[-1]
        assert "install the same release" in done.stderr.splitlines()[-1]
