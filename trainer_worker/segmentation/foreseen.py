"""What a segmenter's training would say about a folder before it decodes any picture or mask."""

from __future__ import annotations

import msgspec

from protocol.data_report import DataReport
from protocol.errors import TrainingError
from protocol.options import TrainingOptions
from trainer_worker.layouts.count_findings import pair_count_findings
from trainer_worker.layouts.layout import ClassLayout, MaskLayout, ObjectMasks
from trainer_worker.layouts.mirroring import mirror_findings
from trainer_worker.layouts.tree import Tree
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import PictureReader
from trainer_worker.segmentation.folders import MaskFolders, mask_folders, require_enough
from trainer_worker.segmentation.mask_sources import MaskedPicture
from trainer_worker.segmentation.masks import PictureShape
from trainer_worker.segmentation.set_rule import MaskShape, require_fitting


def foresee(
    tree: Tree,
    layout: ClassLayout | MaskLayout,
    reader: PictureReader,
    headers: Headers,
    options: TrainingOptions,
) -> DataReport:
    """See Kind.foresee. Pairs of which a header can't be read are left out, as the training leaves them out."""
    assert isinstance(layout, MaskLayout)
    try:
        folders = mask_folders(layout, tree, reader)
    except TrainingError as error:
        return DataReport(layout.name, layout.rule, len(layout.pictures), findings=(error.finding(), *layout.findings))
    report = folders.report()
    pairs = folders.pairs
    folders.leave_out_unreadable(headers)
    read = folders.report()
    report = msgspec.structs.replace(
        report, rule=read.rule, pictures=read.pictures, counts=read.counts, split=read.split, findings=read.findings
    )
    try:
        require_enough(folders)
        folders.callers_split()
        for of_objects in (False, True):  # the training looks at them in this order, too
            chosen = [pair for pair in pairs if isinstance(pair.mask, ObjectMasks) == of_objects]
            require_fitting([shape for pair in chosen for shape in _mask_shapes(folders, pair, headers)])
    except TrainingError as error:
        return msgspec.structs.replace(report, findings=(error.finding(), *report.findings))
    mirroring = mirror_findings(folders.classes.names[1:], options.mirror)
    return report.with_findings([*pair_count_findings(len(folders.pairs)), *mirroring])


def _mask_shapes(folders: MaskFolders, pair: MaskedPicture, headers: Headers) -> list[MaskShape]:
    """The shapes of a pair's masks, as far as the headers of the picture and of the masks have been read."""
    picture = headers.seen.get(folders.name_of(pair.picture))
    if picture is None:
        return []
    names = map(folders.name_of, pair.mask_files(folders.reader))
    shape = PictureShape(picture.size, picture.turn)
    return [MaskShape(name, headers.seen[name].size, shape) for name in names if name in headers.seen]
