"""The sections that every trainType may have about its score: learning curve, calibration, the version before."""

from __future__ import annotations

from typing import Any

from trainer_worker.reporting.axes import axis, whole_axis
from trainer_worker.reporting.blocks import Axis, Block, Chart, Column, Facts, Line, Prose, Section, Table
from trainer_worker.reporting.figures import (
    MISSING,
    count,
    day,
    decimal,
    finite,
    percent,
    percent_in_words,
    percent_range,
    points,
)
from trainer_worker.reporting.headline import score_words
from trainer_worker.reporting.material import Material, ReportParts


def learning_curve(material: Material) -> Section | None:
    """How the score grows with the number of pictures; None where it was not computed."""
    found = material.metrics.get("learning_curve")
    if not found:
        return None
    points = [point for point in found.get("points") or [] if finite(point.get("accuracy")) is not None]
    known = {finding.sentence for finding in material.data_report.findings}  # it stands among what to do next
    sentence = found.get("sentence")
    blocks: list[Block] = [Prose(sentence)] if sentence and sentence not in known else []
    if len(points) > 1:
        blocks.append(_curve(points))
    if found.get("advice"):
        blocks.append(_advice(found))
    return Section("learning", "Would more photos help?", tuple(blocks)) if blocks else None


def _advice(found: dict[str, Any]) -> Table:
    more = found["photos_advised"]
    return Table(
        f"Which photos help most: with {more} more photos of a class, so many more of 100 new ones of it would be "
        "recognised.",
        (Column("class", "name"), Column("more of 100", "text")),
        tuple((entry["label"], _gain(entry["gain"])) for entry in found["advice"]),
    )


def _gain(gain: float) -> str:
    return f"about {100 * gain:.0f}" if gain >= 0.01 else "fewer than 1"


def _curve(points: list[dict[str, Any]]) -> Chart:
    scores = [(float(point["pictures"]), float(point["accuracy"])) for point in points]
    band = tuple(
        (float(point["pictures"]), float(point["low"]), float(point["high"]))
        for point in points
        if finite(point.get("low")) is not None and finite(point.get("high")) is not None
    )
    heights = [value for _, value in scores] + [end for _, low, high in band for end in (low, high)]
    rows = tuple(
        (
            percent(point.get("share")),
            count(point["pictures"]),
            percent(point["accuracy"]),
            percent_range(point.get("low"), point.get("high")) or MISSING,
        )
        for point in points
    )
    return Chart(
        "How much a quick model would recognise if the folder had only a part of your photos; the band is the 95 % "
        "range. A curve that still rises at its end asks for more photos.",
        whole_axis("photos in the folder", [x for x, _ in scores], count),
        axis("recognised", heights, percent, most=1.0),
        (Line("recognised", tuple(scores), band),),
        Table(
            "Learning curve",
            (Column("part", "text"), Column("photos"), Column("recognised"), Column("95 % range")),
            rows,
        ),
    )


def calibration(material: Material, parts: ReportParts) -> Section | None:
    """Whether the probabilities mean what they say; None where it was not computed."""
    found = material.metrics.get("calibration")
    if not found:
        return None
    blocks: list[Block] = []
    if finite(found.get("ece_after")) is not None:
        text = (
            f"Of all {parts.answers} that say 80 %, about 80 in 100 should be right. This model's probabilities are "
            f"off by {points(found['ece_after'])} on average (expected calibration error). {_correction(found)}"
        )
        blocks.append(Prose(text))
    if found.get("after"):
        blocks.append(_reliability(found, parts.answers))
    unknown = material.metrics.get("unknown")
    if unknown and finite(unknown.get("threshold")):  # at 0 every answer stays one
        blocks.append(Prose(_unknown_sentence(unknown)))
    return Section("calibration", "Can its probabilities be trusted?", tuple(blocks)) if blocks else None


def _is_corrected(found: dict[str, Any]) -> bool:
    return finite(found.get("temperature")) not in (None, 1.0)


def _correction(found: dict[str, Any]) -> str:
    if not _is_corrected(found):
        return "No correction was found to help, so the files give them as they were trained."
    return (
        f"Before their correction they were off by {points(found.get('ece_before'))}. The correction (a temperature of "
        f"{decimal(found['temperature'])}) is inside every exported file and changes no answer."
    )


def _unknown_sentence(unknown: dict[str, Any]) -> str:
    text = f"Treat an answer below {100 * unknown['threshold']:.1f} % as “unknown”."
    if finite(unknown.get("kept")) is None:
        return text
    text += f" That keeps {percent_in_words(unknown['kept'])} of the right answers"
    if finite(unknown.get("spotted")) is None:
        return f"{text}."
    return f"{text}, and spots an estimated {percent(unknown['spotted'])} of the photos that show none of the classes."


def _reliability(found: dict[str, Any], answers: str) -> Chart:
    shares = Axis("", 0.0, 1.0, tuple((tick / 4, percent(tick / 4)) for tick in range(5)))
    ideal = Line("exactly as said", ((0.0, 0.0), (1.0, 1.0)), look="ideal")
    lines = [ideal, Line("as exported", _bin_points(found["after"]))]
    if found.get("before") and _is_corrected(found):
        lines.append(Line("before the correction", _bin_points(found["before"]), look="second"))
    rows = tuple(
        (
            percent_range(each["low"], each["high"]),
            percent(each["confidence"]),
            percent(each["accuracy"]),
            count(each["pictures"]),
        )
        for each in found["after"]
        if each["pictures"]
    )
    return Chart(
        f"How often {answers} of a certain probability are right. On the dotted line they are right as often as they "
        "say; below it the model is too sure.",
        Axis("probability that the model gives", 0.0, 1.0, shares.ticks),
        Axis("right", 0.0, 1.0, shares.ticks),
        tuple(lines),
        Table(
            f"{answers.capitalize()} as exported, by their probability",
            (Column("said", "text"), Column("mean said"), Column("right"), Column(answers)),
            rows,
        ),
    )


def _bin_points(bins: list[dict[str, Any]]) -> tuple[tuple[float, float], ...]:
    return tuple(
        (float(each["confidence"]), float(each["accuracy"]))
        for each in bins
        if each["pictures"] and finite(each["confidence"]) is not None and finite(each["accuracy"]) is not None
    )


def comparison(material: Material, parts: ReportParts) -> Section | None:
    """Against the model that was `latest` before; None where there was none.

    The page outlives the decision: a copy that an unchanged folder gets later is judged anew, but has the same page.
    """
    found = material.metrics.get("comparison")
    if not found:
        return None
    words = score_words(parts.in_percent, found.get("pictures") or 0)
    facts = [
        ("Model before", str(found.get("with_task") or MISSING)),
        ("Photos that score both", count(found.get("pictures"))),
        ("Score of this model", words(found.get("score_now"))),
        ("Score of the model before", words(found.get("score_before"))),
    ]
    if found.get("now_only_right") is not None:
        facts.append(("Right now only", count(found["now_only_right"])))
        facts.append(("Right before only", count(found["before_only_right"])))
    if finite(found.get("p_value")) is not None:
        facts.append(("Chance of such a difference by luck", _p_value(found["p_value"])))
    promoted = found.get("promoted")
    if promoted is not None:
        facts.append(("models/latest", "was moved to this model" if promoted else "stayed with the model before"))
    sentence = str(found.get("sentence") or "")
    blocks: list[Block] = [Prose(sentence, "plain" if promoted is not False else "warning")] if sentence else []
    dated = (
        f"As of {day(material.made_on)}. models/latest may have moved since; manifest.json says what was decided last."
    )
    return Section(
        "comparison", "Better than the version before?", (*blocks, Facts(tuple(facts)), Prose(dated, "note"))
    )


def _p_value(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
