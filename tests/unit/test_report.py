"""report.html as a document: what is in it and in which order, that all text is text, and what happens without data."""

from __future__ import annotations

import dataclasses
import itertools
import time
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import numpy as np
import pytest

from protocol.data_report import DataReport, Severity, finding
from tests.report_material import HOSTILE, PLAIN, classifier, data_report, material, segmenter
from tests.report_reading import ReportReader
from trainer_worker.classification.report import PARTS as CLASSIFIER
from trainer_worker.reporting import report
from trainer_worker.reporting.blocks import Block
from trainer_worker.reporting.figures import day
from trainer_worker.reporting.material import Material, ReportParts
from trainer_worker.reporting.report import render_report
from trainer_worker.segmentation.report import CLASSES, FOREGROUND

OTHER = ReportParts(in_percent=False, baseline=lambda metrics: None, sections=lambda material: [])


def read(made: Material, parts: ReportParts = CLASSIFIER) -> ReportReader:
    return ReportReader(render_report(made, parts))


def with_metrics(made: Material, **changed: Any) -> Material:
    return dataclasses.replace(made, metrics={**made.metrics, **changed})


def test_a_classifiers_report_says_what_matters_first(tmp_path: Path) -> None:
    page = read(classifier(tmp_path, PLAIN))

    order = ["next", "confusions", "classes", "mistakes", "labels", "copies", "learning", "training", "calibration"]
    assert list(page.sections) == ["", *order, "comparison", "pictures", "files", "making"]
    assert page.sections[""].title == "9 of 10 new photos of this kind will be recognised: 87 to 94 %."
    assert not page.unclosed


def test_a_segmenters_report_shows_its_masks(tmp_path: Path) -> None:
    page = read(segmenter(tmp_path, ["background", "cell", "dirt"]), CLASSES)

    assert list(page.sections)[1:6] == ["next", "masks", "scores", "confusions", "classes"]
    assert [picture["alt"].split(" of ")[0] for picture in page.sections["masks"].pictures[:4]] == [
        *("photo", "truth", "prediction", "difference"),
    ]
    assert len(page.sections["masks"].pictures) == 3 * 4


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    html = render_report(classifier(tmp_path, PLAIN), CLASSIFIER)
    page = ReportReader(html)

    policy = next(
        attributes["content"] for tag, attributes in page.elements if tag == "meta" and "content" in attributes
    )
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "script" not in {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    assert "url(" not in html
    assert "@import" not in html


def test_headings_follow_each_other_and_links_lead_somewhere(tmp_path: Path) -> None:
    page = read(classifier(tmp_path, PLAIN))

    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert {attributes["href"][1:] for tag, attributes in page.elements if tag == "a"} <= set(names)


def test_each_plot_has_its_figures_as_a_table(tmp_path: Path) -> None:
    html = render_report(classifier(tmp_path, PLAIN), CLASSIFIER)

    assert html.count('class="plot"') == html.count("The same as a table") == 4
    page = ReportReader(html)
    assert page.table("training", "Loss by epoch")[2] == ["3", "0.4000"]


@pytest.mark.parametrize("make", [classifier, segmenter])
def test_names_of_strangers_are_text(tmp_path: Path, make: Any) -> None:
    parts = CLASSIFIER if make is classifier else CLASSES
    html = render_report(make(tmp_path, HOSTILE), parts)
    page = ReportReader(html)

    assert "<script" not in html
    assert "\u202e" not in html
    html.encode("utf-8")
    names = [row[0] for row in page.table("classes", "Found" if make is classifier else "Overlap")]
    for shown in ('<script>alert("1")</script>', "gpj.\\u202eexe", "x" * 255, "caf\\udce9", "שלום עולם"):
        assert any(name.startswith(f"{shown} ") for name in names), shown
    assert not page.unclosed


def test_names_of_files_and_warnings_are_text(tmp_path: Path) -> None:
    made = classifier(tmp_path, PLAIN)
    name = 'images/<img src=x onerror="alert(1)">\u202e.jpg'
    wrong = {"file": name, "truth": "rose", "predicted": "daisy", "probability": 0.99}
    bad = with_metrics(made, held_out=[wrong], warnings=["</style><script>alert(1)</script>"])

    html = render_report(bad, CLASSIFIER)

    assert "<img src=x" not in html
    assert "<script" not in html
    assert "not shown" in html  # there is no such picture
    assert "</style><script>alert(1)</script>" in ReportReader(html).sections["next"].texts


def test_what_was_not_computed_is_left_out(tmp_path: Path) -> None:
    metrics = {"labels": PLAIN, "headline": "accuracy: share of the pictures", "images": {"train": 3, "held_out": 1}}
    page = read(material(tmp_path, "classification", metrics, DataReport()))

    assert list(page.sections) == ["", "next", "training", "pictures", "making"]
    nothing = dict.fromkeys(
        ("score", "learning_curve", "calibration", "unknown", "comparison", "suspect_labels", "copies", "per_class")
    )
    assert list(read(material(tmp_path, "classification", metrics | nothing, DataReport())).sections) == list(
        page.sections
    )


@pytest.mark.parametrize("promoted", [True, False])
def test_the_comparison_is_dated_because_a_copy_of_the_model_may_come_into_use_later(
    tmp_path: Path, promoted: bool
) -> None:
    made = classifier(tmp_path, PLAIN)
    page = read(with_metrics(made, comparison={**made.metrics["comparison"], "promoted": promoted}))
    texts = " ".join(page.sections["comparison"].texts)
    assert f"As of {day(made.made_on)}. models/latest may have moved since" in texts
    said = "was moved to this model" if promoted else "stayed with the model before"
    assert said in dict(page.sections["comparison"].pairs)["models/latest"]


def test_sections_with_good_news_say_so(tmp_path: Path) -> None:
    made = classifier(tmp_path, PLAIN)
    right = [{**entry, "predicted": entry["truth"]} for entry in made.metrics["held_out"]]
    page = read(with_metrics(made, held_out=right, cross_validated=[], suspect_labels=[], history=[]))

    assert page.sections["mistakes"].texts == ["None: all 3 photos that scored the model were recognised."]
    assert page.sections["labels"].texts == ["No label is clearly wrong."]
    assert "no curve to draw" in page.sections["training"].texts[0]


def test_figures_that_are_no_numbers_don_t_break_it(tmp_path: Path) -> None:
    made = classifier(tmp_path, PLAIN)
    nan = float("nan")
    history = [{"epoch": n, "loss": nan if n == 2 else 1.0, "accuracy": None} for n in range(1, 4)]
    per_class = [{**entry, "recall_low": None, "recall_high": nan} for entry in made.metrics["per_class"]]
    score = {**made.metrics["score"], "value": nan, "low": None}

    page = read(with_metrics(made, history=history, per_class=per_class, score=score))

    assert [row[0] for row in page.table("training", "Loss by epoch")] == ["1", "3"]
    assert "nan" not in " ".join(page.sections["classes"].texts).lower()


def test_two_thousand_classes_fit(tmp_path: Path) -> None:
    labels = [f"class {number:04}" for number in range(2000)]
    rng = np.random.default_rng(0)
    confusion = np.diag(np.full(2000, 5))
    for row, column in rng.integers(0, 2000, (300, 2)):
        confusion[row, column] += row != column
    confusion[7, 8] += 50
    made = classifier(tmp_path, PLAIN)
    per_class = [{**made.metrics["per_class"][0], "label": label, "support": 5} for label in labels]
    big = with_metrics(
        made,
        labels=labels,
        confusion_matrix=confusion.tolist(),
        per_class=per_class,
        images_per_class=dict.fromkeys(labels, 25),
        learning_curve=None,
    )
    begun_s = time.process_time()
    html = render_report(big, CLASSIFIER)
    page = ReportReader(html)

    assert time.process_time() - begun_s < 3  # of one core, and ten times what it takes
    assert len(html) < 500_000
    (matrix,) = page.sections["confusions"].tables.values()
    assert [row[0] for row in matrix[1:]] == [label for label in labels if label in {row[0] for row in matrix[1:]}]
    assert {"class 0007", "class 0008"} < {row[0] for row in matrix[1:]}
    assert page.sections["confusions"].texts[1].startswith("class 0007 taken for class 0008: ")
    assert any("1,988 classes of 2,000 are left out" in text for text in page.sections["confusions"].texts)
    assert "1,970 stronger classes are left out here; metrics.json has all of them." in page.sections["classes"].texts


def test_the_same_material_gives_the_same_page(tmp_path: Path) -> None:
    first, second = (render_report(classifier(tmp_path, PLAIN), CLASSIFIER) for _ in range(2))

    assert first == second


def test_findings_come_with_their_cure_and_their_section(tmp_path: Path) -> None:
    page = read(classifier(tmp_path, PLAIN))

    texts = page.sections["next"].texts
    assert texts.index("daisy is small.") < texts.index("Add photos of it.")
    assert "The class daisy is never predicted." in texts
    assert "Folders of the system are ignored." in page.sections["pictures"].texts
    assert texts[0] == "Only 12 photos scored the model, so the range of its score is wide."
    assert texts[1].startswith("Add photos and train again")


def test_a_warning_that_is_a_finding_is_said_once(tmp_path: Path) -> None:
    made = classifier(tmp_path, PLAIN)
    (warning,) = made.data_report.warnings()
    html = render_report(with_metrics(made, warnings=[warning]), CLASSIFIER)

    assert warning not in html


def test_a_model_that_is_not_in_use_says_so_before_all_else(tmp_path: Path) -> None:
    made = classifier(tmp_path, PLAIN)
    worse = "This model is worse than the one before."
    compared = {**made.metrics["comparison"], "promoted": False, "sentence": worse}
    html = render_report(with_metrics(made, comparison=compared, warnings=[worse]), CLASSIFIER)
    page = ReportReader(html)

    assert page.sections[""].texts[1:3] == [
        "This model is not in use.",
        f"It did worse than the model before on the same 12 photos, so models/latest still names that one, of task "
        f"{'cd' * 16}. See the comparison",
    ]
    assert page.sections["next"].texts[0] == "The model before did better and stays in use."
    assert html.count(worse) == 1
    assert ("models/latest", "stayed with the model before") in page.sections["comparison"].pairs
    in_use = ReportReader(render_report(made, CLASSIFIER))
    assert "This model is not in use." not in in_use.sections[""].texts


@pytest.mark.parametrize(
    ("make", "parts", "name", "title"),
    [
        (classifier, CLASSIFIER, "held_out_accuracy", "held-out photos recognised"),
        (segmenter, CLASSES, "dice", "mean overlap"),
        (segmenter, CLASSES, "dice_of_squares", "mean overlap in squares of photos"),
        (segmenter, FOREGROUND, "dice_of_some", "mean overlap in some photos"),
        (classifier, OTHER, "mean_error", "mean error"),
    ],
)
def test_the_score_of_the_files_is_named_in_words(
    tmp_path: Path, make: Any, parts: ReportParts, name: str, title: str
) -> None:
    made = make(tmp_path, PLAIN)
    page = read(with_metrics(made, exports={**made.metrics["exports"], "score_name": name}), parts)

    assert page.sections["files"].tables["Exported files"][0] == ["file", "time per photo", title, "same answers"]


def test_a_correction_that_was_not_made_is_not_shown(tmp_path: Path) -> None:
    made = classifier(tmp_path, PLAIN)
    before = made.metrics["calibration"]["before"]
    same = {"temperature": 1.0, "ece_before": 0.0831, "ece_after": 0.0831, "before": before, "after": before}
    html = render_report(with_metrics(made, calibration=same), CLASSIFIER)

    (text,) = [text for text in ReportReader(html).sections["calibration"].texts if text.startswith("Of all answers")]
    assert "off by 8.3 percentage points on average" in text
    assert text.endswith("No correction was found to help, so the files give them as they were trained.")
    assert "before the correction" not in html


def test_what_was_said_among_the_steps_is_not_said_again(tmp_path: Path) -> None:
    made = classifier(tmp_path, PLAIN)
    found = made.data_report.findings
    advice = finding("more_pictures", Severity.INFO, "The score still rises.")
    copies = finding("duplicates_near", Severity.INFO, "3 pictures are nearly the same.", "Take other ones.")
    report_of_both = msgspec.structs.replace(made.data_report, findings=(*found, advice, copies))
    html = render_report(dataclasses.replace(made, data_report=report_of_both), CLASSIFIER)

    assert html.count("The score still rises.") == html.count("3 pictures are nearly the same.") == 1
    assert ReportReader(html).table("learning", "Which photos help most: with 20 more") == [["daisy", "about 2"]]


def test_a_training_that_was_cut_short_is_a_step(tmp_path: Path) -> None:
    page = read(with_metrics(classifier(tmp_path, PLAIN), end_reason="epochs"))

    assert "Allow more epochs." in page.sections["next"].texts
    assert page.sections["training"].texts[0] == "It took 6 epochs, and ended because the task allowed no more."


def test_the_matrix_of_many_classes_has_the_most_frequent_confusions(tmp_path: Path) -> None:
    """Classes that are confused with many others, once each, leave no room for the pairs that matter."""
    counts = np.zeros((200, 200), int)
    counts[:20, 100:] = 1
    for pair in range(6):
        counts[20 + 2 * pair, 21 + 2 * pair] = 3
    labels = [f"class {number:03}" for number in range(200)]
    page = read(
        with_metrics(classifier(tmp_path, PLAIN), labels=labels, confusion_matrix=counts.tolist(), per_class=[])
    )

    (matrix,) = page.sections["confusions"].tables.values()
    assert matrix[0][1:-1] == labels[20:32]


def test_a_train_type_without_a_score_block_has_a_report(tmp_path: Path) -> None:
    metrics = {"labels": ["light"], "headline": "mean_error: mean difference", "images": {"train": 9, "held_out": 4}}
    made = material(tmp_path, "brightness", metrics, data_report(PLAIN, []))
    made = dataclasses.replace(made, manifest={**made.manifest, "metrics": {"mean_error": 0.0123}})

    assert read(made, OTHER).sections[""].title == "mean_error: mean difference (0.012)"


def test_a_segmenter_of_foreground_has_no_table_of_classes(tmp_path: Path) -> None:
    page = read(segmenter(tmp_path, ["background", "foreground"]), FOREGROUND)

    assert {"masks", "scores"} < set(page.sections)
    assert "classes" not in page.sections


def test_every_block_has_its_macro() -> None:
    environment = report._environment()
    macros = environment.get_template("blocks.html").module
    for block in Block.__args__:
        assert hasattr(macros, block.macro), block
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ misspelt }}").render()
