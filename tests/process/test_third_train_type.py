"""A third trainType (tests/brightness) goes from POST to done once it is added as CONTRIBUTING.md says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.brightness.installation import add_options, install
from tests.brightness.kind import KIND
from tests.process.service_under_test import ServiceUnderTest, wait_until
from tests.train.unpacked_pack import complaints, damage_sample, unpack

SIDE = 64
ENDED = ("done", "failed", "cancelled")


def make_project(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    for number in range(16):
        pixels = (rng.integers(0, 255, (SIDE, SIDE, 3)) * rng.uniform(0.2, 1.0, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:02}.png")
    return folder


def test_a_third_train_type_goes_from_post_to_done(stopped: ServiceUnderTest, tmp_path: Path) -> None:
    install(stopped.root)
    done = stopped.command("start")
    assert done.returncode == 0, done.stdout + done.stderr
    stopped.wait_until_free()
    project = make_project(stopped.projects / "pictures")

    task_id = stopped.post(project, "brightness", imageSize=SIDE, exports="tflite,keras")

    def look() -> dict[str, Any]:
        return stopped.call("GET", f"/?taskId={task_id}").body

    task = wait_until(look, lambda task: task.get("state") in ENDED, stopped.last_log_lines)
    assert task["state"] == "done", f"{task}\n{stopped.last_log_lines()}"
    folder = project / "models" / task_id
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["train_type"] == "brightness"
    assert manifest["warnings"] == []
    assert manifest["metrics"][KIND.headline] < 1e-4
    pack = unpack(folder, tmp_path / "pack")
    assert complaints(pack) == []
    assert "It is off by 0.0000 in the mean." in (pack / "MODEL_CARD.md").read_text("utf-8")
    assert f"SIDE = {SIDE};" in (pack / "web" / "brightness.mjs").read_text("utf-8")
    assert json.loads((pack / "input_spec.json").read_text("utf-8"))["output"]["note"] == "0 is black, 1 is white"
    damage_sample(pack)
    assert len(complaints(pack)) == 1


def test_a_train_type_without_a_kind_stops_the_worker_with_a_sentence(stopped: ServiceUnderTest) -> None:
    add_options(stopped.root)

    done = stopped.program("-m", "trainer_worker")

    assert done.returncode != 0
    assert "protocol/options.py has options for ['brightness', 'classification', 'segmentation']" in done.stderr
    assert "each trainType needs both" in done.stderr
