"""A project's folders may not lead out of it: the front-end has admitted the project, not what it links to."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import TrainingError
from tests.project_folders import open_project
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.training.child import refuse_links_outside


@pytest.mark.parametrize("name", ["images", "labels", "masks"])
def test_a_link_to_another_place_is_refused_by_name(tmp_path: Path, name: str) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    (project / name).symlink_to(elsewhere)
    with pytest.raises(TrainingError, match=f"^{name} in projectDir is a link") as caught:
        refuse_links_outside(UserFiles.at(project))
    assert caught.value.code == "link_leaves_project"


def test_models_are_not_written_through_a_link_be_it_to_a_place_inside(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "models").symlink_to("photos")
    with pytest.raises(TrainingError, match=r"^models in projectDir is a link") as caught:
        open_project(tmp_path).refuse_closed_models()
    assert caught.value.code == "link_leaves_project"


def test_a_loop_of_links_is_no_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "images").symlink_to("masks")
    (tmp_path / "masks").symlink_to("images")
    refuse_links_outside(UserFiles.at(tmp_path))


def test_links_within_the_project_and_a_linked_project_are_fine(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "photos").mkdir(parents=True)
    (project / "images").symlink_to("photos")
    (tmp_path / "link").symlink_to(project)
    refuse_links_outside(UserFiles.at(project))
    refuse_links_outside(UserFiles.at(tmp_path / "link"))
