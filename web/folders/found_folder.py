"""What became of a projectDir: the folder that it names, or what is wrong with it."""

from __future__ import annotations

import msgspec


class FoundFolder(msgspec.Struct, frozen=True):
    """The project folder at the time of the POST.

    path: with links resolved, or the normal text of a URL. shown: as answers name it. device, inode: of a folder of
    this machine.
    """

    path: str
    shown: str
    device: int = 0
    inode: int = 0


class BadField(msgspec.Struct, frozen=True):
    """A bad field. code: the code of the refusal, if all problems have the same one."""

    field: str
    error: str
    code: str = "bad_fields"
