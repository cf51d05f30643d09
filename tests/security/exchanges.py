"""Ways to put something else in the place of a project folder, for somebody with rights in the folders above it."""

from __future__ import annotations

import shutil
from pathlib import Path


def swap_for_another(project: Path, victims: Path) -> None:
    project.rename(project.with_name("away"))  # a folder that is deleted may leave its number to the next one
    shutil.copytree(victims, project)


def swap_for_a_link(project: Path, victims: Path) -> None:
    project.rename(project.with_name("away"))
    project.symlink_to(victims)


def swap_parent_for_a_link(project: Path, victims: Path) -> None:
    project.parent.rename(project.parent.with_name("away"))
    (victims / project.name).mkdir()
    project.parent.symlink_to(victims)
