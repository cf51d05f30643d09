"""TFModel's segmenter compared with a U-Net with the same encoder, trained end to end, on the same held-out pictures.

    python -m benchmarks.segmentation_recipes [DATASET_DIR ...] [--drawn digits,lines,classes] [--results FILE]
    python -m benchmarks.segmentation_recipes --results FILE --report-only       the tables of all that the file holds
    python -m benchmarks.segmentation_recipes --smoke        12 small drawn pictures: shows only that everything runs

    tfmodel    the trainer of trainType=segmentation, with its exports and their checks
    unet       the same encoder and decoder, all of it trained on pictures in the same views, brighter and darker
    unet_equal_time    the same U-Net, which has only the seconds that tfmodel takes for the same set

DATASET_DIR is a project folder (images/ with masks/ or labels/) and is not changed. --drawn makes folders: digits on
photos, thin lines trained by tiles, digits of four kinds with a classes.txt, street scenes of twelve classes, and
branching vessels. 20 % of the pictures are held out, half of them for lines and vessels. Dice is measured at the
pictures' own size; dice_thin is that of poles and signs. Each run has a process of its own, which first runs on a few
pictures. The seconds leave out what a worker does only once, such as loading TensorFlow. Differences are paired and
have 95 % intervals. Targets: Dice is at least that of either U-Net, half a point less counting as equal, in at most a
third of the time of the one without a limit. A target "holds" or is "MISSED" if the whole interval says so.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison import Comparison, Trial, trainer_code
from benchmarks.comparison_report import set_lines
from benchmarks.dataset_folder import dataset_folder
from benchmarks.linked_folders import folder_hash
from benchmarks.machine import describe_machine
from benchmarks.measured_runs import measure, other_code_lines, tables_of
from benchmarks.run_results import RunResults
from benchmarks.street_scenes import make_street_project
from benchmarks.vessels import make_vessels_project
from demo.segmentation_data import make_kinds_project, make_segmentation_project, make_thin_lines_project
from trainer_worker.pictures.text_files import CLASSES_FILE
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.folders import scan_mask_folders

COMPARISON = Comparison(
    "benchmarks.segmentation_recipe_runs",
    ("tfmodel", "unet", "unet_equal_time"),
    ("dice", "dice_thin"),
    code=trainer_code("segmentation"),
    revisions={"unet": 3, "unet_equal_time": 2},
    shared_options=("imageSize", "tiles", "validationSplit", "exports"),
    of_time={"unet": 1 / 3},
)
DRAWN_PICTURES, DRAWN_LINES, LINES_SIDE_PX = 100, 40, 512
DRAWN_FRAMES, DRAWN_VESSELS = 96, 24
SMOKE_PICTURES = 12
#: The Keras file is the one that scores TFModel.
SMOKE_OPTIONS = ("imageSize=64", "exports=keras")
#: The U-Net in equal time runs all that the other one does.
SMOKE_RECIPES = ("tfmodel", "unet_equal_time")


@dataclass(frozen=True)
class Drawn:
    """A drawn set. make(folder): writes a project. options: NAME=VALUE of trainType=segmentation that suit it."""

    make: Callable[[Path], None]
    options: tuple[str, ...] = ()


DRAWN = {
    "digits": Drawn(lambda folder: make_segmentation_project(folder, DRAWN_PICTURES, seed=1)),
    "lines": Drawn(
        lambda folder: make_thin_lines_project(folder, DRAWN_LINES, LINES_SIDE_PX, seed=1),
        ("tiles=16", "imageSize=128", "validationSplit=0.5"),
    ),
    "classes": Drawn(lambda folder: make_kinds_project(folder, DRAWN_PICTURES, seed=1)),
    "street": Drawn(lambda folder: make_street_project(folder, DRAWN_FRAMES, seed=1)),
    "vessels": Drawn(lambda folder: make_vessels_project(folder, DRAWN_VESSELS, seed=1), ("validationSplit=0.5",)),
}


#: The folders of masks that the sets of the benchmarks have.
MASK_FOLDERS = ("masks", "labels")


def copy_project(source: Path, project: Path) -> None:
    """Copy the source's pictures and masks to a project, so that the source gets no models/ and no checkpoints."""
    for name in ("images", *MASK_FOLDERS):
        if (source / name).is_dir():
            shutil.copytree(source / name, project / name)
    if (source / CLASSES_FILE).is_file():
        shutil.copy(source / CLASSES_FILE, project)


def trial_of(source: Path, options: Sequence[str]) -> Trial:
    folders = scan_mask_folders(UserFiles.at(source))
    listed = f", classes {', '.join(folders.classes.names)}" if folders.classes.listed else ""
    given = f"; {' '.join(options)}" if options else ""
    print(f"{source.name}: {len(folders.pairs)} pictures{listed}{given}", flush=True)

    def lay_out(split: int, project: Path) -> None:
        copy_project(source, project)

    return Trial(source.name, "held out", folder_hash(source), len(folders.pairs), lay_out, tuple(options))


def _drawn_names(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(DRAWN):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of some of {','.join(DRAWN)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=dataset_folder, nargs="*", metavar="DATASET_DIR")
    parser.add_argument("--drawn", type=_drawn_names, default=[], help=f"some of {','.join(DRAWN)}")
    COMPARISON.add_arguments(parser)
    parser.add_argument("--smoke", action="store_true", help="two minutes at most, on drawn pictures, one seed")
    arguments = parser.parse_args()
    COMPARISON.check(parser, arguments)
    if not any((arguments.datasets, arguments.drawn, arguments.smoke, arguments.report_only)):
        parser.error("name a project folder, or say --drawn or --smoke")
    print(f"{describe_machine()}; {arguments.threads} threads", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        sets: list[tuple[Path, Sequence[str]]] = [(folder, ()) for folder in arguments.datasets]
        for name in arguments.drawn:
            DRAWN[name].make(Path(temporary, name))
            sets.append((Path(temporary, name), DRAWN[name].options))
        if arguments.smoke:
            make_segmentation_project(Path(temporary, "smoke"), SMOKE_PICTURES, seed=1)
            sets, arguments.seeds = [(Path(temporary, "smoke"), SMOKE_OPTIONS)], 1
            arguments.recipes = list(SMOKE_RECIPES)
        results = RunResults(arguments.results or Path(temporary, "results.jsonl"))
        trials = [trial_of(folder, options) for folder, options in sets]
        failed = [] if arguments.report_only else measure(COMPARISON, trials, arguments, results)
        for table in tables_of(COMPARISON, trials, arguments, results):
            print("\n".join(set_lines(table, 0.0)), flush=True)
        for line in other_code_lines(COMPARISON, arguments, results):
            print(line, flush=True)
    if failed:
        raise SystemExit(f"{len(failed)} runs failed.")


if __name__ == "__main__":
    main()
