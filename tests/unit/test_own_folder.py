"""A folder with an operator's own network: what is wrong with its settings is said with the file and the key."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from protocol.errors import TrainingError
from trainer_worker.backbones.own_folder import find_own_folder, own_names, read_own_folder
from trainer_worker.backbones.presence import NOT_THERE, why_no_folder
from trainer_worker.pictures.contents import sha256_of_path

WORDS = 'network = "Tiny"\nlicence = "CC0-1.0"\n'


def put(folder: Path, settings: str = WORDS, *files: str) -> Path:
    for file in files or ("network.keras",):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"a network")
    (folder / "backbone.toml").write_text(settings)
    return folder


def test_two_words_are_enough_and_the_rest_has_defaults(tmp_path: Path) -> None:
    found = read_own_folder(put(tmp_path / "tiny"))
    assert (found.name, found.is_keras, found.model) == ("own:tiny", True, tmp_path / "tiny" / "network.keras")
    assert found.settings.preprocessing() == ([1.0] * 3, [0.0] * 3)
    found = read_own_folder(put(tmp_path / "saved", WORDS, "saved_model/saved_model.pb"))
    assert (found.is_keras, found.model.name) == (False, "saved_model")


@pytest.mark.parametrize(
    ("settings", "scale", "offset"),
    [
        ("scale = 0.5", (0.5, 0.5, 0.5), (0, 0, 0)),
        ("scale = 1\noffset = [-1, -2, -3]", (1, 1, 1), (-1, -2, -3)),
        ("mean = [0.5, 0.4, 0]\nstd = [0.5, 0.2, 1]", (1 / 127.5, 1 / 51, 1 / 255), (-1, -2, 0)),
    ],
)
def test_pictures_are_scaled_by_one_of_two_pairs_of_words(
    tmp_path: Path, settings: str, scale: tuple[float, ...], offset: tuple[float, ...]
) -> None:
    found = read_own_folder(put(tmp_path / "tiny", WORDS + settings)).settings.preprocessing()
    assert found[0] == pytest.approx(scale)
    assert found[1] == pytest.approx(offset)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("netwrok = 1", "unknown key 'netwrok'; it may have network, licence"),
        ("scale = 'much'", "scale = .*one number, or three"),
        ("scale = [1, 2]", "scale = .*one number, or three"),
        ("scale = nan", "scale = .*finite"),
        ("offset = inf", "scale = .*finite"),
        ("mean = [0, 0, 0]", "mean = .*give both"),
        ("mean = [0, 0, 0]\nstd = [1, 1, 0]", "std = .*larger than 0"),
        ("mean = [0, 0, 0]\nstd = [1, 1, 1]\nscale = 2", "mean = .*either"),
        ("channels = 'rbg'", "channels = 'rbg'.*rgb, bgr"),
        ("input_px = 100", "input_px = '100'.*multiple of 32"),
        ("input_px = 32", "input_px = '32'.*64 to 512"),
        ("tokens = 'last'", "tokens = 'last'.*mean, first"),
        ("endpoints = ['a', 'b']", "endpoints = .*five layers"),
        ("cost = 0", "cost = '0'"),
        ("network = 3", "network = '3'|Cannot overwrite"),
        ("this is no TOML", "can't be read as TOML"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(tmp_path: Path, settings: str, words: str) -> None:
    with pytest.raises(TrainingError, match=words) as caught:
        read_own_folder(put(tmp_path / "tiny", WORDS + settings))
    assert caught.value.code == "unsupported_option"
    assert str(tmp_path / "tiny" / "backbone.toml") in caught.value.error


@pytest.mark.parametrize("key", ["network", "licence"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    left = "".join(line for line in WORDS.splitlines(keepends=True) if not line.startswith(key))
    with pytest.raises(TrainingError, match=f"backbone.toml lacks the key {key}"):
        read_own_folder(put(tmp_path / "tiny", left))


def test_there_is_one_network_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"has both network.keras and saved_model/saved_model.pb"):
        read_own_folder(put(tmp_path / "two", WORDS, "network.keras", "saved_model/saved_model.pb"))
    with pytest.raises(TrainingError, match=r"has neither of network.keras and"):
        read_own_folder(put(tmp_path / "none", WORDS, "network.h5"))
    with pytest.raises(TrainingError, match=r"backbone.toml is missing"):
        read_own_folder(tmp_path)


@pytest.mark.parametrize("key", ["trunk_end = 'a'", "endpoints = ['a', 'b', 'c', 'd', 'e']"])
def test_only_a_keras_file_can_be_cut(tmp_path: Path, key: str) -> None:
    read_own_folder(put(tmp_path / "keras", f"{WORDS}{key}"))
    with pytest.raises(TrainingError, match=f"{key[:5]}.*a SavedModel can't be cut"):
        read_own_folder(put(tmp_path / "saved", f"{WORDS}{key}", "saved_model/saved_model.pb"))


def test_a_name_that_the_worker_lacks_is_answered_with_those_that_it_has(tmp_path: Path) -> None:
    assert find_own_folder("lite0", tmp_path) is None
    for missing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(TrainingError, match=r"\[worker\] backbone_dir.*has no network of its own"):
            find_own_folder("own:tiny", missing)
    for name in ("tiny", "b-2", "Not A Name", ".hidden"):
        put(tmp_path / name)
    assert own_names(tmp_path) == ["b-2", "tiny"]
    assert find_own_folder("own:tiny", tmp_path) == tmp_path / "tiny"
    with pytest.raises(TrainingError, match=re.escape(f"{tmp_path / 'other'}")) as caught:
        find_own_folder("own:other", tmp_path)
    assert "has own:b-2, own:tiny." in caught.value.error
    assert caught.value.code == "unsupported_option"


def put_file(place: Path) -> None:
    place.write_bytes(b"")


def put_dangling_link(place: Path) -> None:
    place.symlink_to(place.parent / "gone")


def put_loop(place: Path) -> None:
    place.symlink_to(place)


@pytest.mark.parametrize(
    ("put_wrong", "words"),
    [
        (put_file, "is no folder"),
        (put_dangling_link, "is a link to .*gone, where nothing is"),
        (put_loop, r"can't be looked at .Too many levels of symbolic links."),
    ],
)
def test_a_folder_that_cannot_be_looked_into_is_named_with_the_reason(
    tmp_path: Path, put_wrong: Callable[[Path], None], words: str
) -> None:
    put_wrong(tmp_path / "networks")
    with pytest.raises(
        TrainingError, match=rf"networks \(\[worker\] backbone_dir\) {words}; it must be a folder"
    ) as caught:
        find_own_folder("own:tiny", tmp_path / "networks")
    assert caught.value.code == "unsupported_option"
    put_wrong(tmp_path / "tiny")
    put(tmp_path / "other")
    with pytest.raises(TrainingError, match=rf"tiny .*on the worker, but it {words}\. This worker has own:other\."):
        find_own_folder("own:tiny", tmp_path)
    with pytest.raises(TrainingError, match=rf"tiny {words}; it must be a folder with backbone\.toml"):
        read_own_folder(tmp_path / "tiny")
    put_wrong(tmp_path / "other" / "saved_model")
    (tmp_path / "other" / "network.keras").unlink()
    with pytest.raises(TrainingError, match=r"other.*saved_model"):
        read_own_folder(tmp_path / "other")


def test_a_folder_without_the_right_to_read_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(TrainingError, match=r"backbone_dir\) can't be read \(Permission denied\); it must be a folder"):
        find_own_folder("own:tiny", tmp_path)


def links(folder: Path, content: bytes) -> str:
    """The hash of a network whose SavedModel is a link, as to one of several versions beside it."""
    (folder / "versions" / "1").mkdir(parents=True, exist_ok=True)
    (folder / "versions" / "1" / "saved_model.pb").write_bytes(content)
    network = folder / "tiny"
    if not network.exists():
        network.mkdir()
        (network / "backbone.toml").write_text(WORDS)
        (network / "saved_model").symlink_to(folder / "versions" / "1")
        (folder / "versions" / "1" / "back").symlink_to(folder / "versions")  # a loop
    assert read_own_folder(network).model == network / "saved_model"
    return sha256_of_path(network)


def test_files_behind_links_belong_to_the_hash(tmp_path: Path) -> None:
    first = links(tmp_path, b"one network")
    assert links(tmp_path, b"another one") != first
    assert links(tmp_path, b"one network") == first
    (tmp_path / "versions" / "1" / "empty").touch()
    assert links(tmp_path, b"one network") != first, "names count as well"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (f"scale = {'[' * 9000}", "can't be read as TOML: maximum recursion depth exceeded"),
        ("# " + 20_000 * "x", "can't be read as TOML: it has more than 16 kB"),
        ("cost = 0", "cost = '0'.*allowed is a number above 0, at most 10000"),
        ("endpoints = 'a'", "endpoints = 'a'.*names of five layers"),
    ],
)
def test_settings_that_no_operator_writes_are_refused_too(tmp_path: Path, settings: str, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        read_own_folder(put(tmp_path / "tiny", WORDS + settings))


def test_a_pipe_in_place_of_the_settings_holds_nobody_up(tmp_path: Path) -> None:
    folder = put(tmp_path / "tiny")
    (folder / "backbone.toml").unlink()
    os.mkfifo(folder / "backbone.toml")
    with pytest.raises(TrainingError, match=r"backbone.toml can't be read as TOML: it is no regular file"):
        read_own_folder(folder)


@pytest.mark.parametrize("instead", ["nothing", "a file"])
def test_a_link_that_is_removed_while_it_is_looked_at_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instead: str
) -> None:
    link = tmp_path / "tiny"
    link.symlink_to(tmp_path / "gone")
    readlink = Path.readlink

    def too_late(path: Path) -> Path:
        link.unlink()
        if instead == "a file":
            link.touch()
        return readlink(path)

    monkeypatch.setattr(Path, "readlink", too_late)
    assert why_no_folder(link) == NOT_THERE
