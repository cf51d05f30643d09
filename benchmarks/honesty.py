"""Whether what a training reports is true, measured on pictures that the product never saw.

    python -m benchmarks.honesty SET [SET ...] [--draws 20] [--kinds plain,small] [--image-size 96]
    python -m benchmarks.honesty --smoke        digits, one draw: shows only that everything runs

Each SET holds class folders and is not changed. Each draw makes a folder from a set:

    plain        60 pictures of each class
    duplicated   a plain folder in which a fifth of the pictures was saved again at other JPEG qualities
    imbalanced   classes of 100 down to 60 pictures, and one of 12
    small        12 to 20 pictures of each class
    mislabelled  a plain folder in which 5 % of the pictures lie in the folder of another class

At least 20 % of each class is never shown to the product, nor is any copy of these pictures; the more there are, the
more precise is the truth. The folder is trained with the default options, but for the size of pictures and the one
export, model.tflite, which then answers for the unseen pictures. They are weighted to have the folder's class shares.

An interval is said to hold the truth if the interval of the difference between report and truth holds zero (Newcombe's
method 10). It allows for the unseen pictures being a sample as well. "Strictly" counts the intervals whose bounds
enclose the share as it was measured.

The learning curve is checked on folders of half the size. The time is measured on a training of the whole set with the
default options. Everything runs in this process, one training after the other. It may be ended at any time and then
prints what it has.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from rich.console import Console

from benchmarks.checked_advice import (
    HEAD_REPEATS,
    CheckedAdvice,
    measured_gains,
    named_first,
    score_by_heads,
    score_by_training,
)
from benchmarks.dataset_folder import dataset_folder
from benchmarks.drawn_folders import (
    KINDS,
    LEAST_UNSEEN,
    Draw,
    SourceSet,
    draw,
    lay_out,
    mislabel,
    read_set,
    save_again,
    shortage,
    wanted_counts,
)
from benchmarks.honest_training import Trained, Trainer
from benchmarks.honesty_report import Findings, Timed, goal_table, row_of, summary_tables
from benchmarks.judged_training import Judged, Unseen, judge, precision_among_suspects
from benchmarks.machine import describe_machine
from demo.digits_data import make_digits_project
from protocol.options import ClassificationOptions

#: Pictures of other sets that should be called unknown.
STRANGERS = 200
SMOKE_IMAGES, SMOKE_SIZE, SMOKE_SIDE_PX = 300, 10, 64


@dataclass(frozen=True)
class Bench:
    """What all draws share.

    trainer: of the drawn folders. timed: of the whole sets. size: pictures of each class in a plain folder.
    unseen: the most pictures of each class that are scored as unseen ones.
    """

    trainer: Trainer
    timed: Trainer
    sets: list[SourceSet]
    size: int
    unseen: int

    def strangers_to(self, source: SourceSet) -> list[Path]:
        """Pictures of the other sets, at even distances."""
        others = [path for other in self.sets if other is not source for path in other.files]
        if not others:
            return []
        return [others[row] for row in np.linspace(0, len(others) - 1, min(STRANGERS, len(others))).astype(int)]

    def draw(self, source: SourceSet, kind: str, seed: int) -> Draw | None:
        """None where the set has too few pictures; a sentence then says so."""
        counts = wanted_counts(kind, len(source.labels), self.size, seed)
        drawn = draw(source, counts, seed, self.unseen)
        if sentence := shortage(source, counts, drawn):
            say(f"{source.name}, {kind}, draw {seed}: {sentence}")
        of_class = np.bincount(source.classes[drawn.unseen], minlength=len(counts))
        in_folder = np.bincount(source.classes[drawn.taken], minlength=len(counts))
        if of_class.min() < LEAST_UNSEEN or in_folder.min() < 2:
            say(f"{source.name}, {kind}, draw {seed} is left out: a class has too few pictures.")
            return None
        return drawn

    def judged(self, source: SourceSet, kind: str, seed: int) -> tuple[Judged, Trained, float | None] | None:
        """One training beside the truth. The last value: the precision of suspect labels in a mislabelled folder."""
        drawn = self.draw(source, kind, seed)
        if drawn is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder).resolve()
            lay_out(source, drawn.taken, project)
            planted: set[str] = set()
            if kind == "duplicated":
                save_again(source, drawn.taken, project, seed)
            if kind == "mislabelled":
                planted = mislabel(source, drawn.taken, project, seed)
            model = self.trainer.with_options(seed=seed).train(project)
            strangers = self.strangers_to(source)
            unseen = Unseen(
                probabilities=model.probabilities([source.files[row] for row in drawn.unseen]),
                classes=source.classes[drawn.unseen],
                strangers=model.probabilities(strangers) if strangers else np.zeros((0, len(source.labels))),
                counts=list(model.metrics["images_per_class"].values()),
            )
        precision = precision_among_suspects(model.metrics, planted) if planted else None
        return judge(model.metrics, unseen), model, precision

    def advice(self, source: SourceSet, seed: int, by_training: bool) -> CheckedAdvice | None:
        """None where the product gives no advice."""
        drawn = replace(self, size=max(4, self.size // 2), unseen=len(source.files)).draw(source, "plain", seed)
        if drawn is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder).resolve()
            lay_out(source, drawn.taken, project)
            named = named_first(self.trainer.with_options(seed=seed).train(project).metrics)
        if named is None:
            return None
        score = (score_by_training if by_training else score_by_heads)(source, self.trainer)
        return CheckedAdvice(named, measured_gains(source, drawn, score, 1 if by_training else HEAD_REPEATS, seed))

    def time(self, source: SourceSet) -> Timed:
        """A training of the whole set."""
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder).resolve()
            lay_out(source, np.arange(len(source.files)), project)
            began_s = time.perf_counter()
            model = self.timed.train(project)
            seconds = time.perf_counter() - began_s
        return Timed(source.name, len(source.files), seconds, model.stage_seconds, model.metrics["score"]["method"])


def say(line: str) -> None:
    print(line, flush=True)


def measure(bench: Bench, arguments: argparse.Namespace, findings: Findings) -> None:
    """Run all that was asked for, and print a line for each training.

    Sets and kinds take turns, so that a run that is ended early has something of each.
    """
    for seed in range(1, max(arguments.draws, arguments.label_draws) + 1):
        for source in bench.sets:
            for kind in arguments.kinds:
                if seed <= (arguments.label_draws if kind == "mislabelled" else arguments.draws):
                    _measure_draw(bench, source, kind, seed, findings)
    for seed in range(1, arguments.advice_draws + 1):
        for source in bench.sets:
            if advice := bench.advice(source, seed, arguments.advice == "trainings"):
                say(f"{source.name}, advice, draw {seed}: {advice}")
                findings.advice.setdefault(source.name, []).append(advice)
    for source in bench.sets if arguments.time else []:
        findings.timed.append(bench.time(source))
        say(str(findings.timed[-1]))


def _measure_draw(bench: Bench, source: SourceSet, kind: str, seed: int, findings: Findings) -> None:
    if (found := bench.judged(source, kind, seed)) is None:
        return
    judged, model, precision = found
    say(row_of(source.name, kind, seed, judged, sum(model.stage_seconds.values())))
    if kind == "mislabelled":
        findings.precisions.setdefault(source.name, []).append(precision)
    else:
        findings.judged.setdefault((source.name, kind), []).append(judged)


def _kinds(text: str) -> list[str]:
    kinds = [kind for kind in text.split(",") if kind]
    if not set(kinds) <= set(KINDS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of some of {','.join(KINDS)}")
    return kinds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=dataset_folder, metavar="SET", help="a set of class folders")
    parser.add_argument("--draws", type=int, default=20, help="folders of each kind; their seeds are 1, 2, …")
    parser.add_argument("--label-draws", type=int, default=3, help="mislabelled folders of each set")
    parser.add_argument("--advice-draws", type=int, default=1, help="folders whose learning curve is checked")
    parser.add_argument(
        "--advice",
        choices=("trainings", "heads"),
        default="trainings",
        help=f"how gains are measured: by real trainings, or by {HEAD_REPEATS} regressions on features for each class",
    )
    parser.add_argument("--kinds", type=_kinds, default=list(KINDS), help=f"some of {','.join(KINDS)}")
    parser.add_argument("--size", type=int, default=60, help="pictures of each class in a plain folder")
    parser.add_argument("--unseen", type=int, default=200, help="the most unseen pictures of each class to score")
    parser.add_argument("--image-size", type=int, default=224, help="side of the model's input, in pixels")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--no-time", dest="time", action="store_false", help="leave out the training of the whole set")
    parser.add_argument("--smoke", action="store_true", help="a minute or two, on generated pictures")
    return parser


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    if not arguments.sets and not arguments.smoke:
        parser.error("name a folder of class folders, or say --smoke")
    for library in ("absl", "tensorflow"):  # what they say of every export and every new graph
        logging.getLogger(library).setLevel(logging.ERROR)
    # So that the temporary folders are deleted then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory() as folder:
        options = ClassificationOptions(image_size=arguments.image_size, exports=("tflite",))
        if arguments.smoke:
            digits = Path(folder, "digits").resolve()
            make_digits_project(digits, SMOKE_IMAGES)
            arguments.sets, arguments.draws, arguments.label_draws = [digits], 1, 1
            arguments.size, arguments.advice = SMOKE_SIZE, "heads"
            options = ClassificationOptions(image_size=SMOKE_SIDE_PX, exports=("tflite",), epochs=1)
        trainer = Trainer(options, arguments.threads, Path(folder, "cache"))
        timed = trainer if arguments.smoke else replace(trainer, options=ClassificationOptions())
        say(f"{describe_machine()}; {arguments.threads} threads; {options.image_size} px")
        sets = [read_set(source) for source in arguments.sets]
        bench = Bench(trainer, timed, sets, arguments.size, arguments.unseen)
        findings = Findings()
        try:
            measure(bench, arguments, findings)
        finally:  # also of a run that is ended early
            for table in (*summary_tables(findings), goal_table(findings)):
                Console(width=150).print(table)


if __name__ == "__main__":
    main()
