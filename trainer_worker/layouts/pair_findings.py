"""Findings about pictures and masks that pair by their names, and about what has no partner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.layout import UnusedFile
from trainer_worker.layouts.name_matching import Matches
from trainer_worker.layouts.named_file import NamedFile
from trainer_worker.layouts.numbered_names import NUMBER_ALONE, OTHER_ZEROS

NO_MASK = "no mask has its name"
NO_PICTURE = "mask without a picture of its own"
OTHER_CHANNEL = "a further channel of a picture"
OTHER_KIND = "another kind of mask than the one used"
BESIDE = "it lies beside the folders with pictures and masks"
_SECOND = "a second mask"
NAMED_RULES = 4


def second_mask(picture: str, taken: str) -> str:
    """The reason why a mask is not used whose picture has another one."""
    return f"{_SECOND} of {picture}, which has {taken}"


def pair_findings(files: Sequence[NamedFile], matches: Matches, unused: Sequence[UnusedFile]) -> list[Finding]:
    """files: all that may be pictures or masks. unused: those without a partner."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for file in unused:
        by_reason[_SECOND if file.reason.startswith(_SECOND) else file.reason].append(file.path)
    found = []
    if len(matches.used) > 1:
        rules = "; ".join(f"{rule}: {count}" for rule, count in matches.used[:NAMED_RULES])
        found.append(
            finding(
                "mixed_names",
                Severity.INFO,
                f"The names of the masks follow {len(matches.used)} different rules: {rules}.",
            )
        )
    counts = dict(matches.used)
    for rule, (picture, mask) in matches.by_number.items():
        severity, sentence, cure = _BY_NUMBER[rule]
        sentence = f"{sentence}: {counts[rule]}, such as {files[picture].path} with {files[mask].path}."
        found.append(finding("paired_by_number", severity, sentence, cure))
    for reason, (code, severity, sentence, cure) in _SENTENCES.items():
        if paths := by_reason.get(reason):
            found.append(finding(code, severity, f"{sentence}: {len(paths)}.", cure, paths))
    return found


_SENTENCES = {
    NO_MASK: (
        "pictures_without_mask",
        Severity.WARNING,
        "Pictures without a mask are not used",
        "Add a mask with the picture's name or <picture>_mask, or remove the picture.",
    ),
    OTHER_CHANNEL: (
        "channels_not_used",
        Severity.WARNING,
        "Of pictures with a file for each channel only the first, _0000, is used. Files of other channels",
        "If the model needs them, save the channels of each picture as one RGB picture.",
    ),
    NO_PICTURE: (
        "masks_without_picture",
        Severity.WARNING,
        "Masks without a picture of their name are not used",
        "Add the picture, or give the mask the name of its picture.",
    ),
    _SECOND: (
        "second_masks",
        Severity.WARNING,
        "Second masks of pictures that have one already are not used",
        "Keep one mask for each picture.",
    ),
    OTHER_KIND: (
        "other_masks",
        Severity.INFO,
        "Masks that show the same in another way, such as one colour for each object, are not used",
        "",
    ),
    BESIDE: (
        "unused_files",
        Severity.WARNING,
        "Files beside the folders of pictures and masks are not used",
        "Move pictures and masks into these folders, and other files out of the project.",
    ),
}

_BY_NUMBER = {
    OTHER_ZEROS: (
        Severity.INFO,
        "Masks whose number has more or fewer zeros in front than that of their picture",
        "If a mask belongs to another picture, give it the name of its picture.",
    ),
    NUMBER_ALONE: (
        Severity.WARNING,
        "Masks that pair by their number alone, since nothing else in the names is alike",
        "Look at some of these pairs. If they are wrong, give each mask the name of its picture.",
    ),
}
