"""What the URL of a project in object storage may look like, and which data root it lies below."""

from __future__ import annotations

import re

import pytest

from protocol.project_url import (
    MAX_PREFIX_BYTES,
    ProjectUrl,
    innermost_root,
    is_project_url,
    lies_below,
    worker_folder_of,
)


@pytest.mark.parametrize(
    "text",
    [
        "s3://photos/users/42",
        "gs://photos.example.com/ünï cödé/%20 + &",
        "az://abc/a",
        "s3://photos/a/.hidden/..twodots/models",
        "s3://photos/" + "x" * MAX_PREFIX_BYTES,
    ],
)
def test_a_good_url_is_its_own_normal_text(text: str) -> None:
    assert is_project_url(text)
    assert str(ProjectUrl.parse(text)) == text
    assert str(ProjectUrl.parse(f"{text}/")) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("S3://photos/a", "begins with one of s3://"),
        ("http://photos/a", "begins with one of s3://"),
        ("s3://photos", "names a whole bucket"),
        ("az://photos/", "names a whole container"),
        ("s3:///a", "names no bucket"),
        ("s3://Photos/a", "names no bucket"),
        ("s3://ab/a", "names no bucket"),
        ("s3://a..b/a", "names no bucket"),
        ("s3://photos:9000/a", "names no bucket"),
        ("s3://photos/a//b", "an empty name"),
        ("s3://photos//a", "an empty name"),
        ("s3://photos/a//", "an empty name"),
        ("s3://photos/./a", '"." or ".."'),
        ("s3://photos/a/..", '"." or ".."'),
        ("s3://photos/a\nb", "control character"),
        ("s3://photos/a\x9bb", "control character"),
        ("s3://photos/a#b", "without a query"),
        ("s3://photos/\ud800", "not valid Unicode"),
        ("s3://photos/" + "ü" * MAX_PREFIX_BYTES, "at most 768"),
    ],
)
def test_a_bad_url_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        ProjectUrl.parse(text)


@pytest.mark.parametrize(
    "text", ["s3://key:SECRET@photos/a", "s3://photos/a?X-Amz-Signature=SECRET", "s3://photos/a#SECRET"]
)
def test_a_refusal_does_not_repeat_a_secret(text: str) -> None:
    with pytest.raises(ValueError, match="s3://") as refused:
        ProjectUrl.parse(text)
    assert "SECRET" not in str(refused.value)


def test_paths_are_not_urls() -> None:
    assert not any(map(is_project_url, ["", "/srv/photos", "photos", "s3:/photos/a", "file:///srv", "xs3://photos/a"]))


def test_roots_are_compared_name_by_name() -> None:
    project = ProjectUrl.parse("s3://photos/users/42")
    inside = ["s3://photos", "s3://photos/", "s3://photos/users"]
    outside = ["s3://photo", "gs://photos", "s3://photos/user", "s3://photos/users/4", "s3://photos/users/42/a"]
    assert all(lies_below(project, ProjectUrl.parse_root(root)) for root in inside)
    assert not any(lies_below(project, ProjectUrl.parse_root(root)) for root in outside)
    assert not lies_below(project, project)
    assert lies_below(project, project, or_root=True)


def test_the_innermost_root_counts_for_the_workers_folders() -> None:
    roots = [ProjectUrl.parse_root(root) for root in ("s3://photos", "s3://photos/users/models")]
    project = ProjectUrl.parse("s3://photos/users/models/42")
    assert innermost_root(project, roots) == roots[1]
    assert worker_folder_of(project, roots[0]) == "models"
    assert worker_folder_of(project, roots[1]) == ""
    assert worker_folder_of(ProjectUrl.parse("s3://photos/models"), roots[0]) == ""
    assert worker_folder_of(ProjectUrl.parse("s3://photos/42/.tfmodel/tasks"), roots[0]) == ".tfmodel"
