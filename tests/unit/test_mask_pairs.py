"""Pictures and masks that pair by their names, in all the folders and with all the names that people give them."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from protocol.errors import TrainingError
from tests.processor_time import least_processor_s
from tests.project_trees import tree_of
from trainer_worker.layouts.layout import MaskFile, MaskLayout, ObjectMasks, Part
from trainer_worker.layouts.masks import recognise_masks

NUMBERS = range(1, 7)


def pairs(layout: MaskLayout) -> dict[str, str]:
    """The mask of each picture."""
    return {picture.path: picture.mask.path for picture in layout.pictures if isinstance(picture.mask, MaskFile)}


def parts(layout: MaskLayout) -> set[tuple[str, Part]]:
    """The folder of each picture, and its part."""
    return {(picture.path.rpartition("/")[0], picture.part) for picture in layout.pictures}


def unused(layout: MaskLayout) -> dict[str, str]:
    return {file.path: file.reason for file in layout.unused}


def fails(*names: str, code: str = "layout_unclear") -> str:
    with pytest.raises(TrainingError) as caught:
        recognise_masks(tree_of(names))
    assert caught.value.code == code
    return caught.value.error


# Folders: {picture, mask} with {n} for the number.
FOLDERS = {
    "images and masks": ("images/p{n}.jpg", "masks/p{n}.png"),
    "capital letters": ("Images/p{n}.JPG", "Masks/p{n}.PNG"),
    "imgs and annotations": ("imgs/p{n}.jpg", "annotations/p{n}.png"),
    "VOC": ("JPEGImages/p{n}.jpg", "SegmentationClass/p{n}.png"),
    "one wrapper deeper": ("my set/images/p{n}.jpg", "my set/masks/p{n}.png"),
    "subfolders in parallel": ("images/day {n}/p.jpg", "masks/day {n}/p.png"),
    "words with the part": ("train_images/p{n}.jpg", "train_masks/p{n}.png"),
    "Carvana": ("train/p{n}.jpg", "train_masks/p{n}_mask.gif"),
    "CamVid": ("train/p{n}.png", "trainannot/p{n}.png"),
    "DRIVE": ("training/images/2{n}_training.tif", "training/1st_manual/2{n}_manual1.gif"),
    "ISIC": ("ISIC_Training_Data/i{n}.jpg", "ISIC_Training_GroundTruth/i{n}_Segmentation.png"),
    "Cityscapes": ("leftImg8bit/train/aachen/a{n}_leftImg8bit.png", "gtFine/train/aachen/a{n}_gtFine_labelIds.png"),
    "MMSegmentation": ("img_dir/train/p{n}.jpg", "ann_dir/train/p{n}.png"),
    "one pair a folder": ("case{n}/image.png", "case{n}/mask.png"),
    "one pair a folder, folders inside": ("case{n}/images/a.png", "case{n}/masks/b.png"),
    "side by side": ("p{n}.jpg", "p{n}_mask.png"),
    "side by side in a folder": ("train/{n}_sat.jpg", "train/{n}_mask.png"),
    "side by side, by extension": ("all/p{n}.jpg", "all/p{n}.png"),
    "pictures in a folder of any name": ("holiday/p{n}.jpg", "masks/p{n}.png"),
    "masks in a folder of any name": ("images/p{n}.jpg", "wahrheit/p{n}.png"),
    "masks of another depth": ("images/a/p{n}.jpg", "masks/p{n}.png"),
    "words before numbers": ("images/image{n}.png", "masks/mask{n}.png"),
    "words before numbers, side by side": ("img{n}.png", "mask{n}.png"),
    "words of the picture and of the mask": ("all/{n}_image.png", "all/{n}_mask.png"),
    "a word of the picture only": ("images/IMG_{n}.jpg", "masks/{n}_mask.png"),
    "Oxford pets": ("images/cat_{n}.jpg", "annotations/trimaps/cat_{n}.png"),
    "NumPy masks": ("images/p{n}.jpg", "masks/p{n}.npy"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_every_name_pair(name: str) -> None:
    picture, mask = FOLDERS[name]
    expected = {picture.format(n=n): mask.format(n=n) for n in NUMBERS}
    layout = recognise_masks(tree_of([*expected, *expected.values()]))
    assert pairs(layout) == expected
    assert not layout.unused
    assumed = ["assumed_masks"] if mask.startswith("wahrheit/") else []
    assert [found.code for found in layout.findings] == assumed
    assert f"{len(expected)} pictures" in layout.rule


NAMES = (
    *("{}", "{}_mask", "{}-mask", "{}.mask", "{} mask", "mask_{}", "mask-{}", "{}_masks", "{}_label", "{}_labels"),
    *("{}_gt", "{}_seg", "{}_segmentation", "{}_L", "{}_gtFine_labelIds", "{}_labelIds", "{}.jpg", "{}.jpg_mask"),
    *("{}_MASK", "{}_Mask", "Mask_{}", "{}_annotation", "{}_groundtruth", "label_{}", "{}mask", "{}_ganz_fertig"),
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stem", ["p{n}", "IMG_000{n}", "a b-{n}.x"])
def test_masks_of_every_name_pair(name: str, stem: str) -> None:
    stems = [stem.format(n=n) for n in NUMBERS]
    expected = {f"images/{stem}.jpg": f"masks/{name.format(stem)}.png" for stem in stems}
    layout = recognise_masks(tree_of([*expected, *expected.values()]))
    assert pairs(layout) == expected
    assert not layout.unused


def test_mixed_names_all_pair_and_it_is_said() -> None:
    ways = ("{}_mask", "{}_label", "{}-mask", "mask_{}", "{}_gt", "{}_segmentation", "{}_L", "{}_gtFine_labelIds")
    stems = [f"p{n:03}" for n in range(16)]
    expected = {
        f"images/{stem}.jpg": f"masks/{ways[0 if n < 4 else n % 8].format(stem)}.png" for n, stem in enumerate(stems)
    }
    layout = recognise_masks(tree_of([*expected, *expected.values()]))
    assert pairs(layout) == expected
    assert layout.rule.index("<name>_mask (5)") < layout.rule.index("(2)"), "the rule with the most pairs comes first"
    assert [found.code for found in layout.findings] == ["mixed_names"]


def test_the_rule_with_the_most_pairs_wins() -> None:
    """p1_mask.jpg is a picture of its own, but by the commonest rule its mask is that of p1."""
    pictures = [*(f"images/p{n}.jpg" for n in NUMBERS), "images/p1_mask.jpg"]
    layout = recognise_masks(tree_of([*pictures, *(f"masks/p{n}_mask.png" for n in NUMBERS)]))
    assert pairs(layout)["images/p1.jpg"] == "masks/p1_mask.png"
    assert set(unused(layout)) == {"images/p1_mask.jpg"}


@pytest.mark.parametrize(("of_pictures", "of_masks"), [("NFD", "NFC"), ("NFC", "NFD"), ("NFC", "NFC")])
def test_one_name_in_two_spellings_is_one_name(of_pictures: str, of_masks: str) -> None:
    form = {
        "NFC": lambda text: unicodedata.normalize("NFC", text),
        "NFD": lambda text: unicodedata.normalize("NFD", text),
    }
    expected = {
        f"images/{form[of_pictures](f'café{n}')}.jpg": f"masks/{form[of_masks](f'café{n}')}.png" for n in NUMBERS
    }
    assert pairs(recognise_masks(tree_of([*expected, *expected.values()]))) == expected


def test_names_that_differ_in_case_pair_unless_case_tells_them_apart() -> None:
    expected = {f"images/IMG_{n}.JPG": f"masks/img_{n}.png" for n in NUMBERS}
    assert pairs(recognise_masks(tree_of([*expected, *expected.values()]))) == expected
    expected |= {"images/A.jpg": "masks/A.png", "images/a.jpg": "masks/a.png"}
    assert pairs(recognise_masks(tree_of([*expected, *expected.values()]))) == expected


def test_numbers_at_the_end_belong_to_the_name() -> None:
    expected = {f"images/scan_{n}.jpg": f"masks/scan_{n}.png" for n in range(1, 21)} | {
        "images/scan.jpg": "masks/scan.png"
    }
    assert pairs(recognise_masks(tree_of([*expected, *expected.values()]))) == expected


def test_the_same_stem_twice_pairs_by_extension() -> None:
    expected = {f"images/p{n}.{suffix}": f"masks/p{n}.{suffix}.png" for n in NUMBERS for suffix in ("jpg", "png")}
    assert pairs(recognise_masks(tree_of([*expected, *expected.values()]))) == expected
    expected = {f"images/p{n}.{suffix}": f"masks/p{n}.{suffix}" for n in NUMBERS for suffix in ("bmp", "png")}
    assert pairs(recognise_masks(tree_of([*expected, *expected.values()]))) == expected


def test_the_same_stem_twice_stops_where_nothing_tells() -> None:
    plain = [*(f"images/p{n}.jpg" for n in NUMBERS), *(f"masks/p{n}.png" for n in NUMBERS)]
    assert "images/p1.jpg, images/p1.webp and masks/p1.png" in fails(*plain, "images/p1.webp")
    assert "images/p1.jpg and masks/p1.png, masks/p1.tif" in fails(*plain, "masks/p1.tif")


def test_two_folders_of_masks_stop() -> None:
    plain = [*(f"images/p{n}.jpg" for n in NUMBERS), *(f"masks/p{n}.png" for n in NUMBERS)]
    assert "labels/p1.png, masks/p1.png" in fails(*plain, *(f"labels/p{n}.png" for n in NUMBERS))
    assert "masks/cell/p1.png, masks/nucleus/p1.png" in fails(
        *(f"images/p{n}.jpg" for n in NUMBERS),
        *(f"masks/{kind}/p{n}.png" for n in NUMBERS for kind in ("cell", "nucleus")),
    )
    assert "have two masks" in fails(*plain, *(f"masks/p{n}_label.png" for n in NUMBERS))
    assert "which folder holds the masks: one, other" in fails(
        *(f"images/p{n}.jpg" for n in NUMBERS), *(f"{name}/p{n}.png" for n in NUMBERS for name in ("one", "other"))
    )


def test_a_second_mask_of_a_few_pictures_is_named() -> None:
    names = [*(f"images/p{n}.jpg" for n in NUMBERS), *(f"masks/p{n}_mask.png" for n in NUMBERS), "masks/p2_gt.png"]
    layout = recognise_masks(tree_of(names))
    assert unused(layout) == {"masks/p2_gt.png": "a second mask of images/p2.jpg, which has masks/p2_mask.png"}
    assert [(found.code, found.files) for found in layout.findings] == [("second_masks", ("masks/p2_gt.png",))]


def test_masks_that_show_the_same_in_another_way_are_told_apart() -> None:
    cityscapes = [f"gtFine/train/aachen/a{n}_gtFine_{kind}.png" for n in NUMBERS for kind in ("color", "instanceIds")]
    expected = {
        f"leftImg8bit/train/aachen/a{n}_leftImg8bit.png": f"gtFine/train/aachen/a{n}_gtFine_labelIds.png"
        for n in NUMBERS
    }
    layout = recognise_masks(tree_of([*expected, *expected.values(), *cityscapes]))
    assert pairs(layout) == expected
    assert [(found.code, found.count) for found in layout.findings] == [("other_masks", 12)]
    expected = {f"JPEGImages/p{n}.jpg": f"SegmentationClass/p{n}.png" for n in NUMBERS}
    objects = [f"SegmentationObject/p{n}.png" for n in NUMBERS]
    assert pairs(recognise_masks(tree_of([*expected, *expected.values(), *objects]))) == expected


def test_the_second_observers_masks_are_another_kind() -> None:
    """CHASE_DB1: `Image_01L_1stHO.png` and `Image_01L_2ndHO.png` beside the picture."""
    expected = {f"Image_0{n}{side}.jpg": f"Image_0{n}{side}_1stHO.png" for n in NUMBERS for side in "LR"}
    others = [mask.replace("1st", "2nd") for mask in expected.values()]
    layout = recognise_masks(tree_of([*expected, *expected.values(), *others]))
    assert pairs(layout) == expected
    assert [(found.code, found.count) for found in layout.findings] == [("other_masks", 12)]


def test_the_field_of_view_beside_manual_masks_is_never_taken_for_a_mask() -> None:
    """DRIVE: the test pictures have no 1st_manual, and mask/ shows something else."""
    expected = {f"training/images/{n}_training.tif": f"training/1st_manual/{n}_manual1.gif" for n in NUMBERS}
    views = [f"training/mask/{n}_training_mask.gif" for n in NUMBERS] + [
        f"test/mask/{n}_test_mask.gif" for n in NUMBERS
    ]
    layout = recognise_masks(
        tree_of([*expected, *expected.values(), *views, *(f"test/images/{n}_test.tif" for n in NUMBERS)])
    )
    assert pairs(layout) == expected
    assert {found.code for found in layout.findings} == {"pictures_without_mask", "other_masks"}


def test_what_has_no_partner_is_named() -> None:
    names = [*(f"images/p{n}.jpg" for n in NUMBERS), *(f"masks/p{n}.png" for n in NUMBERS)]
    layout = recognise_masks(tree_of([*names, "images/lonely.jpg", "masks/orphan.png", "loose.jpg"]))
    assert len(layout.pictures) == len(NUMBERS)
    assert {found.code: found.files for found in layout.findings} == {
        "pictures_without_mask": ("images/lonely.jpg",),
        "masks_without_picture": ("masks/orphan.png",),
        "unused_files": ("loose.jpg",),
    }
    assert set(unused(layout)) == {"images/lonely.jpg", "masks/orphan.png", "loose.jpg"}


@pytest.mark.parametrize("wrapper", ["", "export/"])
@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("{part}/images/p{n}.jpg", "{part}/masks/p{n}.png"),
        ("images/{part}/p{n}.jpg", "masks/{part}/p{n}.png"),
        ("{part}_images/p{n}.jpg", "{part}_masks/p{n}.png"),
        ("{part}/p{n}.jpg", "{part}/p{n}_mask.png"),
        ("{part}/p{n}.png", "{part}annot/p{n}.png"),
    ],
)
@pytest.mark.parametrize(
    "words", [("train", "val", "test"), ("training", "validation", "testing"), ("train", "valid", "test")]
)
def test_the_callers_split_is_kept(wrapper: str, picture: str, mask: str, words: tuple[str, str, str]) -> None:
    of_word = dict(zip(words, (Part.TRAIN, Part.VAL, Part.TEST), strict=True))
    named = {
        (wrapper + picture.format(part=word, n=n)): (wrapper + mask.format(part=word, n=n), part)
        for word, part in of_word.items()
        for n in NUMBERS
    }
    layout = recognise_masks(tree_of([*named, *(mask for mask, _ in named.values())]))
    assert {
        found.path: (found.mask.path, found.part) for found in layout.pictures if isinstance(found.mask, MaskFile)
    } == named


def test_pictures_of_one_name_in_two_parts_keep_their_own_masks() -> None:
    """The mask of val/p1 must never go to train/p1, also where train/p1 has none."""
    names = [f"{part}/images/p{n}.jpg" for part in ("train", "val") for n in NUMBERS]
    names += [f"{part}/masks/p{n}.png" for part in ("train", "val") for n in NUMBERS if (part, n) != ("train", 1)]
    layout = recognise_masks(tree_of(names))
    assert unused(layout) == {"train/images/p1.jpg": "no mask has its name"}
    assert all(picture.split("/")[0] == mask.split("/")[0] for picture, mask in pairs(layout).items())


def test_lists_of_pictures_are_the_split() -> None:
    names = [f"JPEGImages/p{n}.jpg" for n in NUMBERS] + [f"SegmentationClass/p{n}.png" for n in NUMBERS]
    lists = {
        "ImageSets/Segmentation/train.txt": "p1\np2\np3\n",
        "ImageSets/Segmentation/val.txt": "p4\np5\n",
        "ImageSets/Segmentation/trainval.txt": "p1\np2\np3\np4\np5\n",
        "ImageSets/Main/val.txt": "p1\n",
    }
    layout = recognise_masks(tree_of(names, texts=lists))
    assert layout.name == "pascal_voc"
    found = {picture.path[-5]: picture.part for picture in layout.pictures}
    assert found == dict(zip("123456", [*["train"] * 3, *["val"] * 2, ""], strict=True))
    assert layout.classes is None, "only the original set has the names of VOC"


def test_the_original_voc_has_its_names() -> None:
    stems = [f"2007_00003{n}" for n in NUMBERS]
    layout = recognise_masks(
        tree_of([f"{d}/{s}.{e}" for s in stems for d, e in (("JPEGImages", "jpg"), ("SegmentationClass", "png"))])
    )
    assert layout.classes is not None
    assert [found.name for found in layout.classes][15] == "person"
    assert layout.classes[15].colour == (192, 128, 128)


OBJECTS = {
    "Data Science Bowl": ("stage1/{n}a/images/{n}a.png", "stage1/{n}a/masks/x{k}.png"),
    "a folder a picture": ("images/p{n}.png", "masks/p{n}/x{k}.png"),
    "numbered": ("images/p{n}.png", "masks/p{n}_{k}.png"),
    "numbered masks": ("images/p{n}.png", "masks/p{n}_mask_{k}.png"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_several_masks_of_a_picture_are_its_objects(name: str) -> None:
    picture, mask = OBJECTS[name]
    expected = {picture.format(n=n): [mask.format(n=n, k=k) for k in range(3)] for n in NUMBERS}
    layout = recognise_masks(tree_of([*expected, *(path for paths in expected.values() for path in paths)]))
    found = {p.path: [path for path, _ in p.mask.files] for p in layout.pictures if isinstance(p.mask, ObjectMasks)}
    assert found == expected
    assert layout.name == "object_masks"


def test_more_numbered_masks_of_some_pictures_are_laid_together() -> None:
    """BUSI: `benign (2)_mask.png` and `benign (2)_mask_1.png` in the folder of the picture."""
    names = [f"benign/benign ({n}).png" for n in NUMBERS] + [f"benign/benign ({n})_mask.png" for n in NUMBERS]
    layout = recognise_masks(tree_of([*names, "benign/benign (2)_mask_1.png"]))
    assert len(layout.pictures) == len(NUMBERS)
    masks = layout.pictures[1].mask
    assert isinstance(masks, ObjectMasks)
    assert [path for path, _ in masks.files] == ["benign/benign (2)_mask.png", "benign/benign (2)_mask_1.png"]
    assert not layout.unused


@pytest.mark.parametrize("around", ["", "images/", "train/"])
def test_class_folders_are_named_for_what_they_are(around: str) -> None:
    names = [f"{around}{kind}/p{n}.jpg" for kind in ("cat", "dog") for n in NUMBERS]
    error = fails(*names, code="no_masks")
    assert "class folders" in error
    assert f"{around}cat/" in error
    png = [name.replace(".jpg", ".png") for name in names]
    assert "class folders" in fails(*png, code="no_masks")


def test_a_file_and_a_link_to_it_are_one() -> None:
    names = [f"{folder}/p{n}.jpg" for folder in ("pool", "images") for n in NUMBERS]
    tree = tree_of([*names, *(f"masks/p{n}.png" for n in NUMBERS)])
    linked = {f"images/p{n}.jpg": f"pool/p{n}.jpg" for n in NUMBERS}
    assert {path.split("/")[0] for path in pairs(recognise_masks(replace(tree, linked=linked)))} == {"images"}


def test_50_000_names_take_half_a_second() -> None:
    names = [f"images/p{n}.jpg" for n in range(25_000)] + [f"masks/p{n}_mask.png" for n in range(25_000)]
    tree = tree_of(names)
    assert len(recognise_masks(tree).pictures) == 25_000
    most_s = 2.5  # half a second on a quiet machine
    assert least_processor_s(lambda: recognise_masks(tree), most_s) <= most_s


def test_names_without_end_cost_little() -> None:
    """A name of 250 separators, and names that fit every rule."""
    names = [f"images/{'_' * 240}{n}.jpg" for n in range(500)] + [f"masks/{'_' * 240}{n}.png" for n in range(500)]
    names += [f"images/{'mask_' * 40}{n}.jpg" for n in range(500)] + [
        f"masks/{'mask_' * 45}{n}.png" for n in range(500)
    ]
    most_s = 3.0
    assert least_processor_s(lambda: recognise_masks(tree_of(names)), most_s) <= most_s


def test_few_masks_beside_annotations_of_more_pictures_stop() -> None:
    names = [f"p{n}.jpg" for n in range(10)] + [f"p{n}_mask.png" for n in range(4)]
    coco = '{"images": [], "annotations": [], "categories": []}'
    with pytest.raises(TrainingError, match=r"4 pictures have mask files, and 6 have none.*coco\.json") as caught:
        recognise_masks(tree_of(names, texts={"coco.json": coco}))
    assert caught.value.code == "layout_unclear"


def test_labelmes_masks_as_pictures_come_before_the_same_as_arrays() -> None:
    expected = {f"JPEGImages/p{n}.jpg": f"SegmentationClassPNG/p{n}.png" for n in NUMBERS}
    others = [f"SegmentationClass/p{n}.npy" for n in NUMBERS]
    others += [f"SegmentationClassVisualization/p{n}.jpg" for n in NUMBERS]
    layout = recognise_masks(
        tree_of(
            [*expected, *expected.values(), *others],
            texts={"class_names.txt": "__ignore__\n_background_\ncell\nleaf\n"},
        )
    )
    assert pairs(layout) == expected
    assert layout.classes is not None
    assert [(found.name, found.number) for found in layout.classes] == [("_background_", 0), ("cell", 1), ("leaf", 2)]


@pytest.mark.parametrize("suffix", ["npz", "mat", "svg"])
def test_masks_of_a_kind_that_is_not_read_are_named(suffix: str) -> None:
    names = [f"images/{n}.jpg" for n in NUMBERS] + [f"masks/{n}.{suffix}" for n in NUMBERS]
    error = fails(*names, code="no_masks")
    assert f"masks/1.{suffix} and 5 more files" in error
    assert "Save masks as PNG" in error


def test_words_for_masks_in_other_languages_pair() -> None:
    names = [f"{n}{end}" for n in NUMBERS for end in (".jpg", "_Maske.png")]
    assert len(pairs(recognise_masks(tree_of(names)))) == len(NUMBERS)
    names = [f"{folder}/{n}.png" for n in NUMBERS for folder in ("imagenes", "mascaras")]
    assert len(pairs(recognise_masks(tree_of(names)))) == len(NUMBERS)
