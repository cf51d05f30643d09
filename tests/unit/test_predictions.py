"""A real runtime process: what it answers for models whose answers can be computed by hand, and what it refuses."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from protocol.prediction import (
    FolderPicture,
    Labels,
    Mask,
    ModelFile,
    ModelRefused,
    Order,
    Picture,
    PictureAnswer,
    PictureRefused,
    Ready,
    RuntimeAnswer,
    SentPicture,
)
from tests.prediction_projects import RUNTIME, file_of, limits, plain, published, sent
from tests.runnable_tflite import SIDE, brightness_segmenter, classified, colour_classifier, colour_segmenter
from web.prediction.runtime_process import RuntimeProcess

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def ask(root: Path, *orders: Order, models_mb: int = 64) -> list[list[RuntimeAnswer]]:
    """What one process answers to these orders, one after the other."""

    async def asked() -> list[list[RuntimeAnswer]]:
        process = await RuntimeProcess.start(RUNTIME, limits(root, models_mb=models_mb))
        try:
            return [[answer async for answer in process.answers(order)] for order in orders]
        finally:
            await process.end()

    return asyncio.run(asked())


def predict(model: ModelFile, pictures: Sequence[Picture]) -> list[PictureAnswer]:
    ((_, *answers),) = ask(Path(model.spec.project_path).parent, Order(model, tuple(pictures)))
    return answers  # type: ignore[return-value]


def refusal(model: ModelFile, models_mb: int = 64) -> ModelRefused:
    ((answer,),) = ask(Path(model.spec.project_path).parent, Order(model, (plain(RED),)), models_mb=models_mb)
    assert isinstance(answer, ModelRefused)
    return answer


def mask_of(answer: PictureAnswer) -> Any:
    assert isinstance(answer, Mask)
    image = Image.open(io.BytesIO(answer.png))
    assert image.mode == "P"
    assert image.size == (answer.width, answer.height)
    return np.asarray(image)


def test_a_classifier_gives_all_probabilities_in_the_order_of_its_labels(tmp_path: Path) -> None:
    model = published(tmp_path, colour_classifier(unknown_below=0.5))

    red, mixed = predict(model, [plain(RED), plain((90, 100, 110))])

    assert isinstance(red, Labels)
    assert [label.label for label in red.labels] == ["red", "green", "blue"]
    assert [label.probability for label in red.labels] == pytest.approx(classified(*RED), abs=1e-6)
    assert not red.unknown
    assert isinstance(mixed, Labels)
    assert [label.probability for label in mixed.labels] == pytest.approx(classified(90, 100, 110), abs=1e-6)
    assert mixed.unknown


def test_a_photo_that_lies_sideways_is_turned_as_in_a_training(tmp_path: Path) -> None:
    upper_red = Image.new("RGB", (64, 32), RED)
    upper_red.paste(BLUE, (32, 0, 64, 32))  # the left half is red, the right half blue
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # shown turned clockwise: red at the top
    model = published(tmp_path, colour_segmenter())

    (answer,) = predict(model, [sent(upper_red, "photo.jpg", exif=exif, quality=95)])

    mask = mask_of(answer)
    assert mask.shape == (64, 32)
    assert (mask[:28] == 0).all()
    assert (mask[36:] == 2).all()


def test_a_segmenter_gives_class_numbers_at_the_size_of_the_picture_and_their_shares(tmp_path: Path) -> None:
    picture = Image.new("RGB", (SIDE * 4, SIDE * 2), GREEN)
    picture.paste(BLUE, (0, 0, SIDE, SIDE * 2))

    (answer,) = predict(published(tmp_path, colour_segmenter()), [sent(picture)])

    mask = mask_of(answer)
    assert isinstance(answer, Mask)
    assert (mask[:, :SIDE] == 2).all()
    assert (mask[:, SIDE + 4 :] == 1).all()
    assert [share.label for share in answer.shares] == ["red", "green", "blue"]
    assert [share.share for share in answer.shares] == pytest.approx([0.0, 0.75, 0.25], abs=0.04)


def test_a_foreground_segmenter_decides_by_its_own_threshold(tmp_path: Path) -> None:
    picture = Image.new("RGB", (SIDE, SIDE), (100, 100, 100))
    picture.paste((200, 200, 200), (0, 0, SIDE, SIDE // 2))
    usual, low = brightness_segmenter(), brightness_segmenter(foreground_above=0.3)

    models = [published(tmp_path, content, task=number) for number, content in enumerate((usual, low))]
    (_, one), (_, other) = ask(tmp_path, *(Order(model, (sent(picture),)) for model in models))

    assert isinstance(one, Mask)
    assert isinstance(other, Mask)
    assert {share.label: share.share for share in one.shares} == {"background": 0.5, "foreground": 0.5}
    assert {share.label: share.share for share in other.shares} == {"background": 0.0, "foreground": 1.0}
    assert set(np.unique(mask_of(one))) == {0, 1}


def test_a_model_for_tiles_sees_the_picture_at_its_own_size(tmp_path: Path) -> None:
    """One blue pixel would vanish if a picture of five tiles were squashed into one."""
    picture = Image.new("RGB", (SIDE * 5, SIDE + 7), RED)
    picture.putpixel((SIDE * 3 + 2, 5), BLUE)

    (answer,) = predict(published(tmp_path, colour_segmenter(fit="tiles", overlap_px=8)), [sent(picture)])

    mask = mask_of(answer)
    assert mask.shape == (SIDE + 7, SIDE * 5)
    assert np.argwhere(mask == 2).tolist() == [[5, SIDE * 3 + 2]]


def test_grey_of_16_bits_has_the_scale_of_the_training(tmp_path: Path) -> None:
    dim = Image.fromarray(np.full((8, 8), 4095, np.uint16))
    white = published(tmp_path, brightness_segmenter(grey_scale={"white": 4095.0}), task="white")
    black = published(tmp_path, brightness_segmenter(grey_scale={"white": 65535.0}), task="black")

    assert [mask_of(predict(model, [sent(dim)])[0]).max() for model in (white, black)] == [1, 0]


@pytest.mark.door(24)
def test_bad_pictures_cost_nobody_else_an_answer(tmp_path: Path) -> None:
    bomb = plain(RED).content.replace(struct.pack(">II", 40, 30), struct.pack(">II", 30_000, 30_000))
    bomb = bomb[:29] + struct.pack(">I", zlib.crc32(bomb[12:29])) + bomb[33:]
    pictures = [
        plain(RED),
        SentPicture("nothing.jpg", b""),
        SentPicture("text.png", b"these are no pixels"),
        SentPicture("bomb.png", bomb),
        SentPicture("cut.png", plain(GREEN, size=(400, 400)).content[:200]),
        plain(BLUE),
    ]

    answers = predict(published(tmp_path, colour_classifier()), pictures)

    assert [type(answer) for answer in answers] == [Labels, *[PictureRefused] * 4, Labels]
    refused = [answer for answer in answers if isinstance(answer, PictureRefused)]
    assert {answer.code for answer in refused} == {"bad_picture"}
    assert "the file is empty" in refused[0].error
    assert "megapixels" in refused[2].error


@pytest.mark.door(1)
def test_a_picture_of_the_project_is_read_below_it_and_through_no_link(tmp_path: Path) -> None:
    model = published(tmp_path, colour_classifier())
    project, outside = Path(model.spec.project_path), tmp_path / "outside"
    for folder in (project / "photos", outside):
        folder.mkdir()
        (folder / "red.png").write_bytes(plain(RED).content)
    (project / "linked.png").symlink_to(project / "photos" / "red.png")
    (project / "linked").symlink_to(outside)
    os.mkfifo(project / "pipe.png")
    (project / ".tfmodel").mkdir()
    (project / ".tfmodel" / "red.png").write_bytes(plain(RED).content)
    paths = [
        *("photos/red.png", "photos/none.png", "linked.png", "linked/red.png", "pipe.png", "../outside/red.png"),
        *(str(outside / "red.png"), ".tfmodel/red.png", "", "a\0b"),
    ]

    orders = [Order(model, (FolderPicture(path),)) for path in paths]
    answers = [answer for _, answer in ask(tmp_path, *orders)]

    assert [type(answer) for answer in answers] == [Labels, *[PictureRefused] * (len(paths) - 1)]
    assert all(answer.code == "bad_picture" for answer in answers[1:] if isinstance(answer, PictureRefused))


@pytest.mark.door(24)
def test_a_model_is_used_only_if_its_bytes_have_the_hash_of_the_journal(tmp_path: Path) -> None:
    model = published(tmp_path, colour_classifier())
    file, content = file_of(model), file_of(model).read_bytes()
    other = file.with_name("other")

    def changes() -> Iterator[str]:
        """Each of them, and what is answered after it."""
        file.write_bytes(content[:-1] + b"x")
        yield "model_changed"
        file.write_bytes(content + b"x")
        yield "no_model"
        file.rename(other)
        yield "no_model"
        file.symlink_to(other)
        yield "no_model"
        file.unlink()
        os.mkfifo(file)
        yield "no_model"

    async def asked() -> None:
        process = await RuntimeProcess.start(RUNTIME, limits(tmp_path))
        order = Order(model, (plain(RED),))
        for code in changes():
            (answer,) = [answer async for answer in process.answers(order)]
            assert isinstance(answer, ModelRefused)
            assert answer.code == code
        file.unlink()
        file.write_bytes(content)
        assert len([answer async for answer in process.answers(order)]) == 2
        await process.end()

    asyncio.run(asked())


def test_a_loaded_model_answers_without_its_file(tmp_path: Path) -> None:
    model = published(tmp_path, colour_classifier())
    order = Order(model, (plain(RED),))

    async def asked() -> None:
        process = await RuntimeProcess.start(RUNTIME, limits(tmp_path))
        first = [answer async for answer in process.answers(order)]
        file_of(model).unlink()
        assert [answer async for answer in process.answers(order)] == first
        assert process.loaded == (model.artifact.sha256,)
        await process.end()

    asyncio.run(asked())


def test_what_is_no_model_of_ours_is_refused_in_words(tmp_path: Path) -> None:
    contents = [b"x" * 100, colour_classifier()[:1100], b""]
    models = [published(tmp_path, content, task=number) for number, content in enumerate(contents)]

    answers = [answer for (answer,) in ask(tmp_path, *(Order(model, (plain(RED),)) for model in models))]

    refused = [answer for answer in answers if isinstance(answer, ModelRefused)]
    assert [answer.code for answer in refused] == ["model_unusable"] * 3
    assert all("model.tflite" in answer.error for answer in refused)


def test_models_that_answered_least_recently_make_room_for_others(tmp_path: Path) -> None:
    """Each of the three takes 8 MB at least, and 20 MB hold two of them."""
    models = [published(tmp_path, colour_classifier(weights=4_000_000 + number), task=number) for number in range(3)]
    orders = [Order(models[number], (plain(RED),)) for number in (0, 1, 0, 2, 0)]

    answered = ask(tmp_path, *orders, models_mb=20)

    hashes = [model.artifact.sha256 for model in models]
    held = [[hashes.index(loaded) for loaded in first.loaded] for first, _ in answered if isinstance(first, Ready)]
    assert held == [[0], [0, 1], [1, 0], [0, 2], [2, 0]]


def test_a_model_that_is_too_large_for_the_memory_is_refused(tmp_path: Path) -> None:
    answer = refusal(published(tmp_path, colour_classifier(weights=9_000_000)), models_mb=16)

    assert answer.code == "model_unusable"
    assert "predict_memory_mb" in answer.error
