"""A posted form becomes a task, or every reason why not; no path leaves the allowed folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conf.machine import running_system
from web.folders.found_folder import BadField, FoundFolder
from web.folders.local_folders import find_folder
from web.reading.submission import MAX_FIELD_LENGTH, NOTHING_SAID, Origin, Submission, read_submission

GOOD = {"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "trainType": "classification"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = (tmp_path / "projects").resolve()
    (root / "anna" / "flowers").mkdir(parents=True)
    return root


def form(**fields: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in {**GOOD, **fields}.items()}


def submission(fields: Mapping[str, Sequence[str]], root: Path, origin: Origin = NOTHING_SAID) -> Submission:
    draft = read_submission(fields, origin)
    text = draft.project_dir
    return draft.finished(find_folder(text, [root], str(root)) if text else None)


def problems_of(fields: Mapping[str, Sequence[str]], root: Path) -> dict[str, BadField]:
    spec, problems = submission(fields, root)
    assert spec is None
    assert problems
    return {problem.field: problem for problem in problems}


def test_a_good_form_becomes_a_task(root: Path) -> None:
    spec, problems = submission(form(epochs="3", exports="onnx,tflite", userId=" anna "), root)
    assert problems == []
    assert spec is not None
    assert (spec.user_id, spec.project_id, spec.train_type) == ("anna", "flowers", "classification")
    assert (spec.project_dir, spec.project_path) == ("anna/flowers", str(root / "anna" / "flowers"))
    assert spec.options == {"epochs": 3, "exports": ["onnx", "tflite"]}


def test_each_post_is_a_task_of_its_own(root: Path) -> None:
    ids = {spec.task_id for spec in (submission(form(), root)[0] for _ in range(5)) if spec}
    assert len(ids) == 5


def test_every_problem_is_named_at_once(root: Path) -> None:
    found = problems_of({"trainType": ["sculpture"], "projectDir": ["/etc"]}, root)
    assert found.keys() == {"userId", "projectId", "projectDir", "trainType"}
    assert "classification" in found["trainType"].error


def test_bad_options_are_named_beside_other_problems(root: Path) -> None:
    fields = form(epochs="-1", colour="red", exports="tflite,coreml")
    del fields["userId"]
    found = problems_of(fields, root)
    assert found.keys() == {"userId", "epochs", "colour", "exports"}
    assert found["exports"].code == "bad_fields"
    assert "tflite_float16" in found["exports"].error


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_field_is_missing(root: Path, value: str) -> None:
    assert "missing" in problems_of(form(userId=value), root)["userId"].error


@pytest.mark.parametrize("value", ["a\0b", "a\nb", "\x1b[2J", "caf\ufffd"])
@pytest.mark.parametrize("name", ["userId", "projectId", "projectDir"])
def test_control_characters_and_broken_utf8_are_refused(root: Path, name: str, value: str) -> None:
    assert problems_of(form(**{name: value}), root)[name].code == "bad_fields"


def test_a_field_that_came_twice_or_too_long_is_refused(root: Path) -> None:
    fields: dict[str, list[str]] = {**form(), "userId": ["anna", "bert"], "projectId": ["x" * (MAX_FIELD_LENGTH + 1)]}
    found = problems_of(fields, root)
    assert "2 times" in found["userId"].error
    assert str(MAX_FIELD_LENGTH) in found["projectId"].error


# ---- projectDir ----


def refused(text: str, *roots: Path) -> BadField:
    problem = find_folder(text, roots, ", ".join(map(str, roots)))
    assert isinstance(problem, BadField), f"{text!r} was resolved to {problem}"
    return problem


def found(text: str, *roots: Path) -> str:
    folder = find_folder(text, roots, ", ".join(map(str, roots)))
    assert isinstance(folder, FoundFolder), f"{text!r} was refused: {folder}"
    return folder.path


def test_absolute_and_relative_folders_inside_a_root_are_found(root: Path, tmp_path: Path) -> None:
    assert found(str(root / "anna"), root) == str(root / "anna")
    assert found("anna/flowers/", root) == str(root / "anna" / "flowers")
    second = (tmp_path / "more").resolve()
    (second / "bert").mkdir(parents=True)
    assert found("bert", root, second) == str(second / "bert")


def test_the_task_says_which_folder_was_seen(root: Path) -> None:
    spec, _ = submission(form(), root)
    assert spec is not None
    status = (root / "anna" / "flowers").stat()
    assert (spec.seen_device, spec.seen_inode) == (str(status.st_dev), str(status.st_ino))
    assert spec.seen_on == running_system()
    (root / "anna" / "flowers").rename(root / "anna" / "old")
    (root / "anna" / "flowers").mkdir()
    again, _ = submission(form(), root)
    assert again is not None
    assert again.seen_inode != spec.seen_inode
    assert again.same_request(spec), "the same request under its Idempotency-Key"


@pytest.mark.parametrize("text", ["..", "../other", "anna/../../other", "/", "/etc", ".", "anna/.."])
def test_a_folder_outside_or_the_root_itself_is_not_allowed(root: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "other").mkdir()
    problem = refused(text, root)
    assert problem.code == "project_dir_not_allowed"
    assert "data_roots" in problem.error


def test_a_root_inside_another_root_is_no_project(root: Path) -> None:
    """It holds the projects of many users, and a task of it would be trained on all of them."""
    inner = root / "anna"
    assert refused(str(inner), root, inner).code == "project_dir_not_allowed"
    for text in ("anna", "anna/flowers/.."):
        refused(text, root, inner)
    assert found("flowers", root, inner) == found("anna/flowers", root, inner) == str(inner / "flowers")


@pytest.mark.parametrize("inside", ["models", "models/0123", ".tfmodel", ".tfmodel/tasks", "sub/models"])
def test_a_folder_of_the_worker_is_no_project(root: Path, inside: str) -> None:
    (root / "anna" / inside).mkdir(parents=True, exist_ok=True)
    (root / "link").symlink_to(root / "anna" / inside)
    for text in (f"anna/{inside}", "link", str(root / "anna" / inside)):
        problem = refused(text, root)
        assert problem.code == "bad_fields"
        assert f"lies in {inside.removeprefix('sub/').partition('/')[0]}/" in problem.error


def test_a_project_may_be_called_models(root: Path) -> None:
    """A data root is no project, so what lies in it is nothing of the worker's."""
    (root / "models" / "anna").mkdir(parents=True)
    for text in ("models", "models/anna"):
        assert found(text, root) == str(root / text)
    assert found("anna", root, root / "models") in (str(root / "anna"), str(root / "models" / "anna"))


def test_a_key_from_the_header_with_control_characters_is_named_beside_other_problems(root: Path) -> None:
    _, problems = submission(form(userId=""), root, Origin("a\tb\x80"))
    assert {problem.field for problem in problems} == {"userId", "requestId"}


def test_a_sibling_whose_name_begins_like_the_root_is_not_allowed(root: Path) -> None:
    sibling = root.with_name(root.name + "-private")
    sibling.mkdir()
    assert refused(str(sibling), root).code == "project_dir_not_allowed"


def test_links_that_leave_the_roots_are_not_followed_out(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (root / "way_out").symlink_to(outside)
    (root / "chain").symlink_to(root / "way_out")
    for text in ("way_out", "way_out/deep", "chain/deep", str(root / "way_out")):
        assert refused(text, root).code == "project_dir_not_allowed"


def test_links_that_stay_inside_are_resolved(root: Path) -> None:
    (root / "inside").symlink_to(root / "anna")
    assert found("inside/flowers", root) == str(root / "anna" / "flowers")


def test_a_link_that_points_at_itself_is_a_problem_not_an_exception(root: Path) -> None:
    (root / "loop").symlink_to(root / "loop")
    refused("loop", root)


def test_a_missing_folder_and_a_file_are_named_as_such(root: Path) -> None:
    (root / "file.txt").write_text("x")
    for text in ("nowhere", "file.txt"):
        problem = refused(text, root)
        assert (problem.code, "not an existing folder" in problem.error) == ("bad_fields", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("~/photos", "home folder"),
        ("~anna/photos", "home folder"),
        ("$HOME/photos", "variable"),
        ("%USERPROFILE%/photos", "variable"),
        ("%2Fsrv%2Fprojects%2Fflowers", "percent-encoded"),
        ("anna%2fflowers", "percent-encoded"),
        ("C:\\photos", "Windows"),
        ("c:/photos", "Windows"),
        ("D:", "Windows"),
        ("\\\\server\\share\\photos", "Windows share"),
        ("anna\\flowers", "backslashes"),
        ("/srv\\photos", "backslashes"),
        ("file:///srv/photos", "without file://"),
        ("File:/srv/photos", "without file://"),
        ("https://example.com/photos", "nothing is downloaded"),
        ("s3://bucket/photos", "nothing is downloaded"),
    ],
)
def test_a_path_that_this_machine_cannot_have_gets_an_answer_that_fits(root: Path, text: str, words: str) -> None:
    problem = refused(text, root)
    assert (problem.field, problem.code) == ("projectDir", "bad_fields")
    assert words in problem.error


@pytest.mark.parametrize("name", ["~photos", "a\\b", "http:", "$x", "C:", "a%20b"])
def test_a_folder_that_exists_is_taken_whatever_its_name(root: Path, name: str) -> None:
    (root / name).mkdir()
    found = find_folder(name, [root], str(root))
    assert isinstance(found, FoundFolder)
    assert found.path == str(root / name)


def test_half_a_character_is_refused_as_what_is_no_utf8(root: Path) -> None:
    """JSON can hold it, and no message to the broker could."""
    assert problems_of(form(userId="\ud800"), root).keys() == {"userId"}
    assert problems_of(form(**{"\udfff": "x"}), root).keys() == {"\udfff"}


def test_an_empty_option_means_its_default(root: Path) -> None:
    spec, problems = submission(form(epochs="", exports=" "), root)
    assert problems == []
    assert spec is not None
    assert spec.options == {}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("./ab~*\\é") | st.characters(codec="utf-8"), max_size=40))
def test_no_text_finds_a_folder_outside(root: Path, text: str) -> None:
    spec, _ = submission(form(projectDir=text), root)
    assert spec is None or Path(spec.project_path).is_relative_to(root)


def test_a_path_that_is_too_long_for_the_system_is_a_problem_not_an_exception(root: Path) -> None:
    assert problems_of(form(projectDir="a/" * 2000), root).keys() == {"projectDir"}
    assert problems_of(form(projectDir="a" * 1000), root).keys() == {"projectDir"}
