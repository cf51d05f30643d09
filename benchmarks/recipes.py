"""TFModel's classifier compared with two recipes that people use, on the same splits of the same pictures.

    python -m benchmarks.recipes DATASET_DIR [DATASET_DIR ...] [--drawn digits] [--seeds 5] --results FILE
    python -m benchmarks.recipes DATASET_DIR ... --per-class 40                 with 40 pictures of each class
    python -m benchmarks.recipes DATASET_DIR ... --shots 2,3,5,10,20,40,all     the form of the accuracies of clouds
    python -m benchmarks.recipes DATASET_DIR ... --recipes tfmodel --variant lite2:backbone=lite2,imageSize=256
    python -m benchmarks.recipes --results FILE --report-only                   the tables of all that the file holds
    python -m benchmarks.recipes --smoke        80 small pictures of digits: shows only that everything runs

    tfmodel      the trainer of trainType=classification, with its exports and their checks
    guide        Keras's transfer learning guide on the same backbone: the head, then all of it for five epochs
    regression   logistic regression on the frozen backbone's features, its penalty chosen by cross-validation

DATASET_DIR holds class folders, or photos with Pascal VOC annotations, whose boxes are cut out. It is not changed.
--drawn digits adds the demo's digits. For each split, pictures are drawn anew and laid out as the caller's own split;
copies, series and cuttings of one photo stay on one side. With --shots N, N pictures of each class train and others
score, which takes most of the seconds. Otherwise a fifth is held out, and the seconds are those of a user's task.

Each run has a process of its own, which first runs on a few digits. The seconds leave out what a worker does only once,
such as loading TensorFlow. Differences are paired and have 95 % intervals. Targets: the accuracy is at least that of
the better recipe, half a point less counting as equal; with 5 to 40 pictures of each class it is 2 points higher; and
the time is at most a fifth of the guide's. A target "holds" or is "MISSED" if the whole interval says so; otherwise the
splits cannot tell. Seconds count only if other processes hardly used the machine; --quiet repeats the other runs.
"""

from __future__ import annotations

import argparse
import functools
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.boxed_objects import cut_boxes, has_boxes
from benchmarks.comparison import Comparison, Trial, trainer_code
from benchmarks.comparison_report import mean_lines, mean_score, set_lines
from benchmarks.comparison_table import Table
from benchmarks.dataset_folder import dataset_folder
from benchmarks.machine import describe_machine
from benchmarks.measured_runs import measure, other_code_lines, tables_of
from benchmarks.picture_draws import Form
from benchmarks.picture_sets import PictureSet
from benchmarks.run_results import RunResults
from demo.digits_data import make_digits_project

COMPARISON = Comparison(
    "benchmarks.recipe_runs",
    ("tfmodel", "guide", "regression"),
    ("accuracy", "balanced_accuracy"),
    code=trainer_code("classification"),
    revisions={"guide": 1, "regression": 2},
    shared_options=("imageSize",),
    of_time={"guide": 0.2},
)
#: Where it should be better than both other recipes, and by how much.
LEAD, LEAD_FROM, LEAD_TO = 0.02, 5, 40
#: Mean accuracies that Azure published for Custom Vision and for the service that came after it, by the number of
#: training pictures of each class. They were measured on other sets.
AZURE = {
    "Custom Vision": {"2": 0.515, "3": 0.567, "5": 0.630, "10": 0.690, "all": 0.853},
    "Azure's later service": {"2": 0.730, "3": 0.755, "5": 0.791, "10": 0.813, "all": 0.910},
}
SMOKE_IMAGES, SMOKE_SIZE_PX = 80, 64


def sets_of(arguments: argparse.Namespace, folder: Path) -> list[PictureSet]:
    """The sets that the command line names. What has to be cut out or drawn is written to folder."""
    sets = []
    for source in arguments.datasets:
        if has_boxes(source):
            target = folder / source.name
            sets.append(PictureSet(source.name, target, cut_boxes(source, target, arguments.most_boxes)))
        else:
            sets.append(PictureSet(source.name, source))
    if arguments.smoke or "digits" in arguments.drawn:
        make_digits_project(folder / "digits", *([SMOKE_IMAGES] if arguments.smoke else []))
        sets.append(PictureSet("digits", folder / "digits"))
    return sets


def trials_of(sets: Sequence[PictureSet], forms: Sequence[Form]) -> list[Trial]:
    return [
        Trial(each.name, form.name, each.content, len(each.folders.files), functools.partial(each.lay_out, form))
        for form in forms
        for each in sets
    ]


def lead_of(form: str) -> float:
    """How much better than both other recipes it should be in this form, see Form.name."""
    return LEAD if LEAD_FROM <= _pictures(form) <= LEAD_TO else 0.0


def report_lines(tables: Sequence[Table]) -> list[str]:
    """Everything that is printed of the results."""
    by_form: dict[str, list[Table]] = {}
    for table in tables:
        by_form.setdefault(table.trial.form, []).append(table)
    lines = [line for table in tables for line in set_lines(table, lead_of(table.trial.form))]
    for form, found in by_form.items():
        if len(found) > 1:
            lines += ["", form, *mean_lines(found, lead_of(form))]
    if len(by_form) > 1:
        lines += ["", *_shots_lines(by_form)]
    return lines


def _shots_lines(by_form: dict[str, list[Table]]) -> list[str]:
    """Mean accuracy by the number of training pictures, beside what Azure published."""
    forms = {form: by_form[form] for form in sorted(by_form, key=_pictures) if not form.endswith("of a class")}
    names = dict.fromkeys(each.name for found in forms.values() for table in found for each in table.runs)
    rows = {name: [mean_score(found, name) for found in forms.values()] for name in names}
    for name, shares in AZURE.items():
        rows[f"{name}, published"] = [shares.get(form.partition(" ")[0]) for form in forms]
    lines = [
        "Accuracy in percent, mean over the sets",
        f"{'':<34}" + "".join(f"{form.partition(',')[0]:>11}" for form in forms),
        f"{'sets':<34}" + "".join(f"{len(found):>11}" for found in forms.values()),
    ]
    for name, row in rows.items():
        lines.append(f"{name:<34}" + "".join(f"{'-' if share is None else f'{100 * share:.1f}':>11}" for share in row))
    return [*lines, "Azure's sets were others than these, so its figures only show what to expect of such a service."]


def _pictures(form: str) -> float:
    """The training pictures of each class in a form, see Form.name."""
    number = form.partition(" ")[0]
    return int(number) if number.isdigit() else math.inf


def forms_of(arguments: argparse.Namespace) -> list[Form]:
    whole = Form(per_class=arguments.per_class)
    return [whole if shots == "all" else Form(int(shots), 0, arguments.scored_per_class) for shots in arguments.shots]


def _shots(text: str) -> list[str]:
    shots = text.split(",")
    if not all(each == "all" or (each.isdigit() and int(each) > 1) for each in shots):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers from 2 on, or all")
    return shots


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=dataset_folder, nargs="*", metavar="DATASET_DIR")
    parser.add_argument("--drawn", choices=["digits"], action="append", default=[], help="sets that need no folder")
    parser.add_argument("--shots", type=_shots, default=["all"], help="numbers of training pictures a class, or all")
    parser.add_argument("--scored-per-class", type=int, default=60, help="with --shots: the most that score of a class")
    parser.add_argument("--per-class", type=int, default=0, help="use at most this many images a class; 0: all")
    parser.add_argument("--most-boxes", type=int, default=400, help="the most boxes of a class that are cut out")
    COMPARISON.add_arguments(parser)
    parser.add_argument("--smoke", action="store_true", help="a minute at most, on generated pictures, one split")
    arguments = parser.parse_args()
    COMPARISON.check(parser, arguments)
    if not any((arguments.datasets, arguments.drawn, arguments.smoke, arguments.report_only)):
        parser.error("name a folder of class folders, or say --drawn or --smoke")
    if arguments.smoke:
        arguments.datasets, arguments.seeds = [], 1
        arguments.option += [f"imageSize={SMOKE_SIZE_PX}", "exports=tflite"]
    return arguments


def main() -> None:
    arguments = read_arguments()
    print(f"{describe_machine()}; {arguments.threads} threads", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        results = RunResults(arguments.results or Path(folder, "results.jsonl"))
        trials = trials_of(sets_of(arguments, Path(folder)), forms_of(arguments))
        failed = [] if arguments.report_only else measure(COMPARISON, trials, arguments, results)
        print("\n".join(report_lines(tables_of(COMPARISON, trials, arguments, results))), flush=True)
        for line in other_code_lines(COMPARISON, arguments, results):
            print(line, flush=True)
    if failed:
        raise SystemExit(f"{len(failed)} runs failed.")


if __name__ == "__main__":
    main()
