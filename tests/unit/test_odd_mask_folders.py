"""Folders with masks or outlines that are easily misunderstood: what is used, and what their owner is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from protocol.data_report import Finding
from protocol.errors import TrainingError
from tests.project_trees import pictures, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.layout import MaskFile, MaskLayout, Part
from trainer_worker.layouts.masks import recognise_masks

IMAGES = pictures("images", 4)
MASKS = pictures("masks", 4, "{}.png")


def found(layout: MaskLayout, code: str) -> Finding:
    (only,) = [each for each in layout.findings if each.code == code]
    return only


def labelme(label: str, points: Sequence[Sequence[int]] = ((1, 1), (9, 1), (9, 9))) -> str:
    return json.dumps({"shapes": [{"label": label, "points": points, "shape_type": "polygon"}]})


def drawn(texts: Mapping[str, str]) -> MaskLayout:
    return recognise_masks(tree_of(pictures("", 4), texts=texts))


def test_predictions_never_train_as_pictures() -> None:
    other = [*pictures("predictions", 4, "{}.png"), *pictures("pred_masks", 4, "{}.png")]
    layout = recognise_masks(tree_of(IMAGES, MASKS, other))
    assert [picture.path for picture in layout.pictures] == IMAGES
    assert {file.path for file in layout.unused} == {*other}


@pytest.mark.parametrize("folder", ["masks_old", "masks - Copy", "pred_masks"])
def test_masks_of_pictures_that_have_another_one_are_called_second_masks(folder: str) -> None:
    layout = recognise_masks(tree_of(IMAGES, MASKS, pictures(folder, 3, "{}.png")))
    assert len(layout.pictures) == 4
    assert found(layout, "second_masks").count == 3
    assert "masks_without_picture" not in {each.code for each in layout.findings}


def test_two_masks_of_a_picture_may_be_two_classes() -> None:
    with pytest.raises(TrainingError, match="save them as one, with a number for each class"):
        recognise_masks(tree_of(IMAGES, pictures("masks_crack", 4, "{}.png"), pictures("masks_hole", 4, "{}.png")))


def test_nnunets_folders_are_understood() -> None:
    tree = tree_of(
        pictures("imagesTr", 4, "case_{}_0000.png"),
        pictures("labelsTr", 4, "case_{}.png"),
        pictures("imagesTs", 2, "case_9{}_0000.png"),
        pictures("labelsTs", 2, "case_9{}.png"),
    )
    layout = recognise_masks(tree)
    assert [picture.part for picture in layout.pictures] == [Part.TRAIN] * 4 + [Part.TEST] * 2
    with pytest.raises(TrainingError, match="set of pictures with masks"):
        recognise_classes(tree)


def test_the_first_frame_of_a_film_gets_no_masks_of_other_frames() -> None:
    images = [f"images/frame_{n:04}.png" for n in range(3)]
    lost = [f"masks/frame_{n:04}.png" for n in (7, 8)]
    layout = recognise_masks(tree_of(images, [f"masks/frame_{n:04}.png" for n in (1, 2)], lost))
    assert [picture.path for picture in layout.pictures] == images[1:]
    assert found(layout, "masks_without_picture").count == 2


@pytest.mark.parametrize("folders", [("BUSI_with_GT/benign", "BUSI_with_GT/normal"), ("cell_segmentation",)])
@pytest.mark.parametrize("mask", ["{} (1)_mask.png", "{} (1).png"])
def test_a_folder_around_everything_is_no_folder_of_masks(folders: Sequence[str], mask: str) -> None:
    shown = [path for folder in folders for path in pictures(folder, 4, "{} (1).jpg")]
    layout = recognise_masks(tree_of(shown, *(pictures(folder, 4, mask) for folder in folders)))
    assert [picture.path for picture in layout.pictures] == shown
    with pytest.raises(TrainingError, match="no pictures, but masks"):
        recognise_masks(tree_of(*(pictures(folder, 4, "{} (1).png") for folder in folders)))


@pytest.mark.parametrize(
    ("picture", "mask", "other"),
    [
        ("CamVid/701_StillsRaw_full/{}.png", "CamVid/LabeledApproved_full/{}_L.png", ""),
        ("train2017/{}.jpg", "stuffthingmaps_trainval2017/train2017/{}.png", ""),
        ("ds0/img/{}.jpg", "ds0/masks_machine/{}.png", "ds0/masks_human/{}.png"),
        ("{}_json/img.png", "{}_json/label.png", "{}_json/label_viz.png"),
        ("images/{}.jpg", "manual1/{}.tif", "mask/{}_mask.tif"),  # HRF
        ("Warwick/train_{}.bmp", "Warwick/train_{}_anno.bmp", ""),
        ("2_Ortho_RGB/top_2_{}_RGB.tif", "5_Labels_all/top_2_{}_label.tif", ""),
        ("png_images/IMAGES/img_{}.png", "png_masks/MASKS/seg_{}.png", ""),
        ("set/original_images/{}.jpg", "set/label_images_semantic/{}.png", "RGB_color_image_masks/{}.png"),
        ("images/10k/{}.jpg", "labels/sem_seg/masks/{}.png", "labels/sem_seg/colormaps/{}.png"),
        ("training/image_2/{}.png", "training/semantic/{}.png", "training/instance/{}.png"),
        ("CameraRGB/{}.png", "CameraSeg/{}.png", ""),
        ("p{}.jpg", "p{}_label_ground-truth.png", ""),
        ("p{}.png", "p{}_Simple Segmentation.png", ""),
        ("p{}.tif", "p{}_cp_masks.tif", "p{}_flows.tif"),
        ("p{}.tif", "p{}.tif.labeling.png", ""),
        ("ADE/street/{}.jpg", "ADE/street/{}_seg.png", "ADE/street/{}_parts_1.png"),
    ],
)
def test_published_sets_are_understood(picture: str, mask: str, other: str) -> None:
    shown, masks = ([form.format(number) for number in range(4)] for form in (picture, mask))
    others = [other.format(number) for number in range(4)] if other else []
    layout = recognise_masks(tree_of(shown, masks, others))
    assert {each.path: each.mask for each in layout.pictures} == dict(zip(shown, map(MaskFile, masks), strict=True))
    assert [(each.code, each.count) for each in layout.findings] == ([("other_masks", 4)] if other else [])


def test_shorter_names_pair_only_if_most_masks_do_and_each_has_one_picture() -> None:
    shown, drawn = pictures("2_RGB", 6, "top_{}_RGB.tif"), pictures("5_labels", 6, "top_{}_label.tif")
    other = pictures("nir", 6, "top_{}_image.tif")
    assert len(recognise_masks(tree_of(shown, drawn)).pictures) == 6
    for files in ([shown, drawn, other], [shown, drawn, pictures("5_labels", 6, "east_{}_label.tif")]):
        with pytest.raises(TrainingError, match="No mask has the name of a picture"):
            recognise_masks(tree_of(*files))


@pytest.mark.parametrize("names", ["{}.png", "cell{}.png"])
def test_two_folders_with_files_of_the_same_names_may_be_pictures_and_masks(names: str) -> None:
    with pytest.raises(TrainingError, match="folders x and y hold files of the same names") as caught:
        recognise_masks(tree_of(pictures("x", 4, names), pictures("y", 4, names)))
    assert "rename the folders to images and masks" in caught.value.error
    with pytest.raises(TrainingError) as caught:
        recognise_masks(tree_of(pictures("x", 4, names), pictures("y", 4, "other" + names)))
    assert "same names" not in caught.value.error


def test_a_mask_whose_picture_is_missing_is_no_second_mask_of_a_picture_elsewhere() -> None:
    shown = [*pictures("a/images", 4), *pictures("b/images", 2)]
    layout = recognise_masks(tree_of(shown, pictures("a/masks", 4, "{}.png"), pictures("b/masks", 3, "{}.png")))
    assert len(layout.pictures) == 6
    assert found(layout, "masks_without_picture").count == 1
    assert "second_masks" not in {each.code for each in layout.findings}


def test_classes_that_differ_in_capitals_are_named() -> None:
    layout = drawn({f"{n}.json": labelme(("cell", "Cell")[n % 2]) for n in range(4)})
    assert "'Cell' and 'cell'" in found(layout, "case_twins").sentence


def test_a_set_of_rectangles_is_told_that_it_learns_boxes() -> None:
    box = ((1, 1), (9, 1), (9, 9), (1, 9))
    boxes = {f"{n}.json": labelme("cell", box) for n in range(4)}
    assert "boxes" in found(drawn(boxes), "rectangles_only").sentence
    layout = drawn({**boxes, "3.json": labelme("cell")})
    assert "rectangles_only" not in {each.code for each in layout.findings}


def test_one_mistake_in_many_text_files_is_one_finding() -> None:
    polygon = " 0.1 0.1 0.5 0.1 0.5 0.5\n"
    texts = {f"{n}.txt": f"{n % 2 * 7}{polygon}" for n in range(20)}
    layout = recognise_masks(tree_of(pictures("", 20), texts={**texts, "data.yaml": "names: [cell, leaf]\n"}))
    mistake = found(layout, "unusable_annotations")
    assert mistake.count == 10
    assert "the class 7, but the list of classes names 2" in mistake.sentence


def test_every_picture_that_is_left_out_is_counted_however_many_reasons_there_are() -> None:
    polygon = " 0.1 0.1 0.5 0.1 0.5 0.5\n"
    texts = {f"{n}.txt": f"{n}{polygon}" for n in range(20)}
    layout = recognise_masks(tree_of(pictures("", 21), texts={**texts, "data.yaml": "names: [cell, leaf]\n"}))
    mistakes = [each for each in layout.findings if each.code == "unusable_annotations"]
    assert len(mistakes) == 9
    assert sum(each.count for each in mistakes) == 18
    assert found(layout, "pictures_without_annotation").count == 1


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"annotations.xml": "<?xml version='1.0'?><annotations><track/></annotations>"}, "Segmentation mask 1.1"),
        ({"train.csv": "ImageId,EncodedPixels\n0.jpg,1 3\n"}, "holds masks as run lengths"),
        ({f"{n}.txt": "0 0.5 0.5 0.2 0.2\n" for n in range(4)}, "No trainType learns from boxes"),
    ],
)
def test_what_is_not_read_is_named_with_the_way_out(texts: Mapping[str, str], said: str) -> None:
    with pytest.raises(TrainingError, match=said) as caught:
        recognise_masks(tree_of(pictures("", 4), texts=texts))
    assert caught.value.code == "layout_unsupported"
    assert "another trainType" not in caught.value.error


def test_volumes_in_place_of_pictures_are_named() -> None:
    with pytest.raises(TrainingError, match=r"imagesTr/0\.nii\.gz is not read: it is a NIfTI volume") as caught:
        recognise_masks(tree_of(pictures("imagesTr", 3, "{}.nii.gz"), pictures("labelsTr", 3, "{}.nii.gz")))
    assert caught.value.code == "no_images"


def test_masks_that_are_only_in_a_cloud_are_named() -> None:
    layout = recognise_masks(tree_of(IMAGES, MASKS, ["masks/.7.png.icloud"]))
    assert found(layout, "unfinished_files").count == 1


def test_numbers_alone_do_not_pair_across_folders_of_other_names() -> None:
    """The control lies in folders of the same name."""
    shown = pictures("images/p1", 12, "img_{}.jpg")
    with pytest.raises(TrainingError, match="No mask has the name of a picture"):
        recognise_masks(tree_of(shown, pictures("masks/p2", 12, "mask_{}.png")))
    assert len(recognise_masks(tree_of(shown, pictures("masks/p1", 12, "mask_{}.png"))).pictures) == 12


def test_a_folder_called_sat_is_a_day_or_a_place_like_its_neighbours() -> None:
    names = [(f"images/{day}", f"masks/{day}") for day in ("Fri", "Sat", "Sun")]
    layout = recognise_masks(tree_of(*(pictures(folder, 3, "{}.png") for pair in names for folder in pair)))
    assert len(layout.pictures) == 9


@pytest.mark.parametrize(
    "folders",
    [
        {"a/images": "a/masks_machine", "b/images": "b/masks"},
        {"a/images": "a/manual1", "b/images": "b/masks"},
        {"images_color": "masks_color", "images_gray": "masks_gray"},
    ],
)
def test_each_place_has_its_own_kind_of_masks(folders: dict[str, str]) -> None:
    """Masks that another kind outranks in one place are the only ones in another place."""
    shown = [path for folder in folders for path in pictures(folder, 5, "{}.jpg")]
    layout = recognise_masks(tree_of(shown, *(pictures(folder, 5, "{}.png") for folder in folders.values())))
    assert [picture.path for picture in layout.pictures] == shown
