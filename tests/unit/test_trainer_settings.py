"""What the agent tells a trainer process arrives as it was."""

from __future__ import annotations

from pathlib import Path

from conf.settings import load
from trainer_worker.training.settings import TrainerSettings


def test_they_arrive_as_they_were() -> None:
    settings = TrainerSettings(
        cache_dir=Path("/var/cache of ours"),
        weights_dir=Path("weights"),
        backbone_dir=Path("backbones"),
        threads=2,
        keep_models=3,
        allowed_roots=(Path("/srv/Fotos für alle"), Path("/mnt/b")),
        url_roots=("s3://photos/users",),
        storage=load({}).storage,
        decoding_bytes=2**30,
    )
    assert TrainerSettings.unpacked(settings.packed()) == settings
