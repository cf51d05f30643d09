"""A wall clock of their own for some programs (wall_clock.c). It can step, and the monotonic clock does not change."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import psutil

CLOCK_SOURCE = Path(__file__).with_name("wall_clock.c")
CAN_STEP_CLOCK = psutil.LINUX and shutil.which("cc") is not None
WHY_NOT = "a clock of its own for a program needs Linux and a C compiler (cc)"


class WallClock:
    """Programs that start with `environ` have this clock."""

    def __init__(self, folder: Path, offset_s: int = 0) -> None:
        """folder: where its files are made."""
        library, self._offset_file = folder / "wall_clock.so", folder / "clock_offset"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, CLOCK_SOURCE], check=True, capture_output=True)
        self._offset_file.write_bytes(struct.pack("q", offset_s))
        self.environ = {"LD_PRELOAD": str(library), "TFM_CLOCK_OFFSET": str(self._offset_file)}

    def set_offset(self, seconds: int) -> None:
        """Step the clock of all programs to this offset from the machine's time.

        The file is changed in place, because the programs have mapped it into their memory.
        """
        with self._offset_file.open("r+b") as file:
            file.write(struct.pack("q", seconds))
