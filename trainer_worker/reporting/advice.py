"""The section that says what to do next, from what was found in the folder and about the model."""

from __future__ import annotations

from protocol.data_report import Finding, Severity
from protocol.end_reason import EndReason
from trainer_worker.reporting.blocks import Block, Prose, Section, Step, Steps
from trainer_worker.reporting.figures import counted
from trainer_worker.reporting.headline import is_held_back
from trainer_worker.reporting.material import Material

#: Warnings about the model that are shown; metrics.json has all of them.
MOST_WARNINGS = 20
#: Findings that ask for an action although nothing is wrong.
WORTH_DOING = frozenset({"more_pictures"})
#: What to do where the score rests on too few pictures.
MORE_PHOTOS = "Add photos and train again: the range narrows as more of them score the model."
#: What to do where the model before stays in use.
HELD_BACK = (
    "See what has changed in the folder since then. To use this model all the same, post the task with promote=always."
)
#: What to do where a training ended before its time.
CUT_SHORT = {
    EndReason.EPOCHS: Step(
        "The training used up its epochs, and may not have learned all it could.", "Allow more epochs."
    ),
    EndReason.BUDGET: Step(
        "The training used up its time, and may not have learned all it could.", "Give it more time."
    ),
}
#: Findings about pictures that belong together.
COPIES = ("duplicates_exact", "duplicates_near", "same_picture_in_classes", "few_different_to_score")
#: The section that shows what a finding is about, by the finding's code.
SHOWN_IN = {
    "labels_look_wrong": "labels",
    "more_pictures": "learning",
    **dict.fromkeys(COPIES, "copies"),
}


def next_steps(material: Material, sections: list[Section]) -> Section:
    """The section of next steps. sections: the others of the page, to which steps may lead."""
    titles = {section.anchor: section.title for section in sections}
    found = material.data_report.findings
    steps = [_of_finding(finding, titles) for finding in found if finding.severity is not Severity.INFO]
    score = material.metrics.get("score") or {}
    if not score.get("enough", True):
        scored_by = counted(score.get("pictures") or 0, "photo")
        steps.insert(
            0, Step(f"Only {scored_by} scored the model, so the range of its score is wide.", MORE_PHOTOS, "warning")
        )
    comparison = material.metrics.get("comparison") or {}
    if is_held_back(material):
        see = ("comparison", titles["comparison"])
        steps.insert(0, Step("The model before did better and stays in use.", HELD_BACK, "warning", see=see))
    said = {*material.data_report.warnings(), score.get("sentence"), comparison.get("sentence")}
    others = [warning for warning in material.metrics.get("warnings") or [] if warning not in said]
    steps += [Step(warning, tone="warning") for warning in others[:MOST_WARNINGS]]
    steps += [_of_finding(finding, titles) for finding in found if finding.code in WORTH_DOING]
    steps += [step for reason, step in CUT_SHORT.items() if material.metrics.get("end_reason") == reason]
    blocks: list[Block] = [Steps(tuple(steps))] if steps else []
    if not steps:
        text = "Nothing stands out. Try the model on photos from the place where it will be used."
        blocks.append(Prose(text, "good"))
    if len(others) > MOST_WARNINGS:
        blocks.append(Prose(f"metrics.json has {counted(len(others) - MOST_WARNINGS, 'more warning')}.", "note"))
    return Section("next", "What to do next", tuple(blocks))


def _of_finding(finding: Finding, titles: dict[str, str]) -> Step:
    anchor = SHOWN_IN.get(finding.code, "")
    named = len(finding.files)
    text = counted(named, "file") if finding.count <= named else f"{named} of {counted(finding.count, 'file')}"
    return Step(
        finding.sentence,
        finding.cure,
        "plain" if finding.severity is Severity.INFO else "warning",
        finding.files,
        text if finding.files else "",
        (anchor, titles[anchor]) if anchor in titles else ("", ""),
    )
