"""A third trainType, added by one folder (tests/brightness) and two lines, trains in a real trainer process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protocol import messages as m
from protocol import wire
from protocol.end_reason import EndReason
from tests.brightness.kind import KIND
from tests.project_folders import read_manifest
from tests.sample_tasks import hex_id, make_spec
from tests.train.unpacked_pack import complaints, damage_sample, unpack
from trainer_worker.training.settings import TrainerSettings

ROOT = Path(__file__).resolve().parents[2]
SIDE = 64
ANSWER_TIMEOUT_S = 120.0


@contextlib.contextmanager
def trainer_process(cache_dir: Path, roots: tuple[Path, ...]) -> Iterator[Connection]:
    """`python -m tests.brightness`, and our end of its pipe. It ends with the pipe."""
    settings = TrainerSettings(cache_dir=cache_dir, weights_dir=cache_dir, threads=1, allowed_roots=roots)
    ours, theirs = socket.socketpair()
    arguments = [str(theirs.fileno()), str(os.getpid()), settings.packed()]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.brightness", *arguments],
        cwd=ROOT,
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    pipe = Connection(ours.detach())
    try:
        yield pipe
    finally:
        pipe.close()
        process.kill()
        process.wait()


def await_message(pipe: Connection, kind: type[Any]) -> Any:
    """The next message of that kind; others are passed over."""
    seen: list[str] = []
    while pipe.poll(ANSWER_TIMEOUT_S):
        message = wire.unpack(pipe.recv_bytes(), m.TrainerToAgent)
        if isinstance(message, kind):
            return message
        seen.append(type(message).__name__)
    raise AssertionError(f"no {kind.__name__} within {ANSWER_TIMEOUT_S:g} s; seen: {seen[-5:]}")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    images = tmp_path / "project" / "images"
    images.mkdir(parents=True)
    for number in range(16):
        pixels = (rng.integers(0, 255, (SIDE, SIDE, 3)) * rng.uniform(0.2, 1.0, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"{number:02}.png")
    return tmp_path / "project"


def test_a_third_train_type_is_trained_exported_and_published(project: Path, tmp_path: Path) -> None:
    task_id = hex_id("third")
    options = {"imageSize": SIDE, "exports": ["tflite", "keras"]}
    spec = make_spec(task_id, project_path=str(project.resolve()), train_type="brightness", options=options)
    with trainer_process(tmp_path / "cache", (tmp_path.resolve(),)) as pipe:
        await_message(pipe, m.Ready)
        pipe.send_bytes(wire.pack(m.Train(spec, 1)))
        result = await_message(pipe, m.Ended).result

    assert result.failure is None, result.failure
    assert result.trained.end_reason is EndReason.CONVERGED
    assert result.trained.metrics[KIND.headline] < 1e-4
    folder = project / "models" / task_id
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["train_type"] == "brightness"
    assert manifest["warnings"] == []
    pack = unpack(folder, tmp_path / "pack")
    assert complaints(pack) == []
    assert "It is off by 0.0000 in the mean." in (pack / "MODEL_CARD.md").read_text("utf-8")
    assert f"SIDE = {SIDE};" in (pack / "web" / "brightness.mjs").read_text("utf-8")
    assert json.loads((pack / "input_spec.json").read_text("utf-8"))["output"]["note"] == "0 is black, 1 is white"
    damage_sample(pack)
    assert len(complaints(pack)) == 1
