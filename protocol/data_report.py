"""What was found in a project's folder: the layout that was recognised, the counts, and findings for its owner.

The check of a folder makes one from names and headers; a training adds what pixels tell. It travels in the result of
a task, so every text and list in it is bounded.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import shortened
from protocol.text import printable

#: A finding names at most this many files; `count` says how many there are.
MAX_NAMED_FILES = 10
MAX_FINDINGS = 50
#: Classes that the counts name. A set with more says how many in a finding.
MAX_COUNTED_CLASSES = 1000
MAX_SENTENCE_CHARS = 800
MAX_LABEL_CHARS = 255
#: A report travels in messages and stays in the journal, so it is shortened to this size. metrics.json has all of it.
MAX_REPORT_BYTES = 32 * 1024
#: What is left of the longest reports.
LEAST_FINDINGS, LEAST_COUNTED_CLASSES = 4, 50
MAX_FILE_NAME_CHARS = 200
#: A warning names this many files of its finding.
MAX_FILES_IN_WARNING = 3

Sentence = Annotated[str, Meta(max_length=MAX_SENTENCE_CHARS)]
FileName = Annotated[str, Meta(max_length=MAX_FILE_NAME_CHARS)]
Label = Annotated[str, Meta(max_length=MAX_LABEL_CHARS)]
FindingCode = Annotated[str, Meta(max_length=40, pattern="^[a-z][a-z0-9_]*$")]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class Severity(enum.StrEnum):
    """INFO: said, nothing to do. WARNING: the model may be worse than it could be. ERROR: it can't be trained."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One thing that the owner of the folder should know.

    code: a stable word for programs. sentence: what is the case. cure: what to do about it, "" where nothing is to be
    done. files: the first of the files it is about, relative to the project. count: of all of them.
    """

    code: FindingCode
    severity: Severity
    sentence: Sentence
    cure: Sentence = ""
    files: Annotated[tuple[FileName, ...], Meta(max_length=MAX_NAMED_FILES)] = ()
    count: Count = 0

    def warning(self) -> str:
        """All of it in words: the sentence, the cure, and the first files."""
        named = ", ".join(self.files[:MAX_FILES_IN_WARNING])
        more = self.count - MAX_FILES_IN_WARNING
        files = f"Files: {named}{f' and {more} more' if more > 0 else ''}." if named else ""
        return " ".join(part for part in (self.sentence, self.cure, files) if part)


class DataReport(msgspec.Struct, frozen=True, gc=False):
    """What a folder holds.

    layout: a name from the table in docs/layouts.md. rule: how it was recognised, as a sentence. counts: pictures of
    each class, or with each class in their masks. split: pictures by use, such as {"train": 80, "held_out": 20}.
    skipped: files that may be pictures, but are not used. Findings come with the gravest first.
    Users choose the names of classes and folders, so long ones are shortened, and bytes that are not UTF-8 are escaped.
    """

    layout: Annotated[str, Meta(max_length=40)] = ""
    rule: Sentence = ""
    pictures: Count = 0
    counts: Annotated[dict[Label, Count], Meta(max_length=MAX_COUNTED_CLASSES)] = {}
    split: Annotated[dict[Label, Count], Meta(max_length=10)] = {}
    skipped: Count = 0
    findings: Annotated[tuple[Finding, ...], Meta(max_length=MAX_FINDINGS)] = ()

    def __post_init__(self) -> None:
        counts: dict[str, int] = {}
        for label, number in list(self.counts.items())[:MAX_COUNTED_CLASSES]:
            shown = shortened(printable(label), MAX_LABEL_CHARS)
            counts[shown] = counts.get(shown, 0) + number
        msgspec.structs.force_setattr(self, "counts", counts)
        msgspec.structs.force_setattr(self, "rule", shortened(printable(self.rule), MAX_SENTENCE_CHARS))

    @property
    def trainable(self) -> bool:
        """Whether nothing was found that prevents a training."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    def warnings(self) -> list[str]:
        """The findings that a person should read: sentence, cure and the first files of each."""
        return [finding.warning() for finding in self.findings if finding.severity is not Severity.INFO]

    def with_findings(self, more: Sequence[Finding]) -> DataReport:
        return msgspec.structs.replace(self, findings=gravest_first([*self.findings, *more]))

    def shortened(self) -> DataReport:
        """This report in at most MAX_REPORT_BYTES: without file names, then with fewer classes and findings."""
        without_files = tuple(msgspec.structs.replace(finding, files=()) for finding in self.findings)
        fewer_counts = dict(list(self.counts.items())[:LEAST_COUNTED_CLASSES])
        shorter = (
            self,
            msgspec.structs.replace(self, findings=without_files),
            msgspec.structs.replace(self, findings=without_files, counts=fewer_counts),
            msgspec.structs.replace(self, findings=without_files[:LEAST_FINDINGS], counts={}),
        )
        return next((report for report in shorter if len(msgspec.json.encode(report)) <= MAX_REPORT_BYTES), shorter[-1])


def finding(code: str, severity: Severity, sentence: str, cure: str = "", files: Sequence[str] = ()) -> Finding:
    """A finding about these files; the first MAX_NAMED_FILES are named, and all are counted. Long texts are shortened.

    Names that are not UTF-8 are shown escaped.
    """
    named = tuple(shortened(printable(name), MAX_FILE_NAME_CHARS) for name in files[:MAX_NAMED_FILES])
    sentence, cure = (shortened(printable(text), MAX_SENTENCE_CHARS) for text in (sentence, cure))
    return Finding(code, severity, sentence, cure, named, len(files))


def gravest_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """At most MAX_FINDINGS of them, errors first, then warnings, otherwise in the order given."""
    gravity = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    return tuple(sorted(findings, key=lambda found: gravity.index(found.severity))[:MAX_FINDINGS])
