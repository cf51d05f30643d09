"""Findings about the parts of the caller's own split, in the layout and once pictures have turned out unreadable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.name_lists import some_of

#: The codes of what split_findings says, which holds for these pictures only.
SPLIT_CODES = frozenset({"callers_split", "class_missing_in_test"})

#: The parts as sentences call them: the folder of one may be called `valid` or `Testing`.
_IN_WORDS = {Part.TEST: "test part", Part.VAL: "validation part"}


def scoring_part(parts: Set[Part]) -> Part | None:
    """The part that scores the model; None where there is none."""
    return next((part for part in (Part.TEST, Part.VAL) if part in parts), None)


def split_sentence(parts: Set[Part]) -> str:
    """What becomes of the caller's own split of pictures with masks; "" without a part that scores."""
    scoring = scoring_part(parts)
    if scoring is None:
        return ""
    unused = " val is not used." if scoring is Part.TEST and Part.VAL in parts else ""
    return f" The split is your own: {scoring} scores the model and never trains.{unused}"


def split_findings(pictures: Sequence[tuple[str, Part]], labels: Sequence[str]) -> list[Finding]:
    """What the caller's own split does; nothing where no part scores. pictures: the label and the part of each."""
    parts = Counter(part for _, part in pictures)
    scoring = scoring_part(parts.keys())
    if scoring is None:
        return []
    train = parts[Part.TRAIN] + parts[Part.ANY]
    rest = (
        f"; the {parts[Part.VAL]} of the validation part are not used" if parts[Part.VAL] and parts[Part.TEST] else ""
    )
    sentence = (
        f"The caller's own split is used: {train} pictures train the model and {parts[scoring]} ({scoring}) score it"
        f"{rest}. The option validationSplit is not used."
    )
    findings = [finding("callers_split", Severity.INFO, sentence)]
    scored = {label for label, part in pictures if part is scoring}
    missing = [label for label in labels if label not in scored]
    if missing:
        sentence = f"Classes without a picture in the part that scores ({scoring}): {some_of(missing)}."
        cure = "Put some of their pictures there. Otherwise no score says how well the model recognises them."
        findings.append(finding("class_missing_in_test", Severity.WARNING, sentence, cure))
    return findings


def lost_part_findings(named: Set[Part], readable: Set[Part], used: Set[Part]) -> list[Finding]:
    """A finding if no picture is left of the part that was to score the model.

    named: the parts as the names of folders say. readable: those of the pictures that can be read. used: those of the
    readable pictures whose class is not left out.
    """
    meant, scoring = scoring_part(named), scoring_part(used)
    if meant is None or meant is scoring:
        return []
    lost = _IN_WORDS[meant]
    instead = f"the {_IN_WORDS[scoring]} scores" if scoring else "some of the other pictures are held out to score"
    if meant not in readable:
        sentence = f"No picture of the {lost} could be read, so {instead} the model instead."
        return [finding("scoring_part_unreadable", Severity.WARNING, sentence, f"Replace the pictures of the {lost}.")]
    sentence = f"All readable pictures of the {lost} are of classes that are left out, so {instead} the model instead."
    cure = f"Put pictures of the other classes into the {lost}, or complete the classes that are left out."
    return [finding("scoring_part_left_out", Severity.WARNING, sentence, cure)]
