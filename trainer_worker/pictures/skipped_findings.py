"""What is said of files that are left out because they can't be read as pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from protocol.data_report import Finding, Severity, finding
from trainer_worker.pictures.user_files import SkippedFile


def unreadable_findings(unreadable: Sequence[SkippedFile]) -> list[Finding]:
    """One finding for each reason."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for skip in unreadable:
        files[skip.reason].append(skip.file)
    return [
        finding(
            "unreadable_pictures",
            Severity.WARNING,
            f"{len(named)} file{' is' if len(named) == 1 else 's are'} not used: {reason}.",
            "Replace or delete what can't be read.",
            named,
        )
        for reason, named in files.items()
    ]
