"""Whatever lies in a folder: recognition ends in a layout or a sentence, and no picture vanishes without a word."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.data_report import Severity
from protocol.errors import TrainingError
from protocol.litter import may_be_picture
from tests.project_trees import tree_of
from trainer_worker.layouts.archives import look_into_archives, unpack
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.user_files import UserFiles

FOLDERS = (
    "images Images train test val seg_train seg_test cat Cat dog masks labels models .net JPEGImages SegmentationClass"
)
STEPS = st.sampled_from([*FOLDERS.split(), "x y", "café", "cafe\u0301"])
PICTURES = "1.jpg 2.jpg cat.1.jpg dog.2.png noext"
OTHERS = "1.txt 1.xml a.json readme b.svg c.zip d.rar labels_info.txt train.csv test.csv _classes.csv data.yaml"
NAMES = st.sampled_from([*PICTURES.split(), *OTHERS.split()])
PATHS = st.builds(lambda steps, name: "/".join([*steps, name]), st.lists(STEPS, max_size=4), NAMES)
TEXTS = st.one_of(
    st.text(alphabet='file,label\n;\t012.jpgcatdog"', max_size=80),
    st.sampled_from(["image,label\n1.jpg,cat\n2.jpg,dog\n", "name,index\ncat,0\ndog,1\n", "0 0.1 0.1 0.2 0.2\n"]),
)
ACTIONS = st.sampled_from(["label,cat", "label,Dog", "label,bird", "exclude", "keep", "label", "drop"])
ROWS = st.lists(st.builds("{},{}".format, PATHS, ACTIONS), max_size=8)


@settings(max_examples=400, deadline=None)
@given(paths=st.lists(PATHS, max_size=30, unique=True), text=TEXTS, rows=ROWS)
def test_recognition_ends_in_a_layout_or_a_sentence(paths: list[str], text: str, rows: list[str]) -> None:
    folders = {path[: path.rfind("/")] for path in paths if "/" in path}
    texts = {path: text for path in paths if path.endswith((".txt", ".csv", ".json", ".xml"))}
    if rows:
        texts["corrections.csv"] = "\n".join(["picture,action,label", *rows])
    tree = tree_of([path for path in paths if path not in texts], texts=texts)
    assert not folders & set(paths)
    try:
        layout = recognise_classes(tree)
    except TrainingError:
        return
    used = [picture.path for picture in layout.pictures]
    assert len(used) == len(set(used))
    assert set(layout.labels) == {picture.label for picture in layout.pictures}
    excluded = {file.path for file in layout.unused}
    assert not excluded & set(used)
    candidates = {path for path in paths if may_be_picture(path.rpartition("/")[2])}
    assert excluded | set(used) <= candidates
    if len(used) + len(excluded) < len(candidates):
        assert any(found.severity is not Severity.INFO and found.count for found in layout.findings)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind in ("cat", "dog"):
            for number in range(3):
                archive.writestr(f"{kind}/{number}.jpg", bytes(range(200)))
    return buffer.getvalue()


WHOLE = _zip()


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6), cut=st.integers(0, 60)
)
def test_a_damaged_zip_ends_in_a_sentence_or_costs_some_files(changes: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(WHOLE)
    for place, value in changes:
        content[place] = value
    with tempfile.TemporaryDirectory() as folder:
        project, into = Path(folder).resolve() / "project", Path(folder).resolve() / "into"
        project.mkdir()
        into.mkdir()
        (project / "a.zip").write_bytes(content[: len(content) - cut] if cut > 40 else content)
        files = UserFiles.at(project)
        try:
            tree = look_into_archives(files, walk(files))
            unpack(files, walk(files), into)
        except TrainingError:
            return
        written = {path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()}
        assert written == set(tree.files)
