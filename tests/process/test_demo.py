"""`python -m demo`: what a person sees first, with fewer pictures than it has by default."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from protocol.percent import in_percent
from tests.process.service_under_test import PATIENCE_S, ServiceUnderTest


def run_demo(service: ServiceUnderTest, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *words],
        cwd=service.root,
        env=service.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def model_folder(output: str) -> Path:
    """Of the model file that the output names."""
    found = re.search(r"^model +(.+/model\.tflite)$", output, re.MULTILINE)
    assert found, output
    assert Path(found[1]).is_file()
    return Path(found[1]).parent


def test_it_starts_the_service_trains_and_classifies_held_out_digits(stopped: ServiceUnderTest) -> None:
    done = run_demo(stopped, "classification", "--images", "200", "--image-size", "64", "--epochs", "2")
    assert done.returncode == 0, done.stdout + done.stderr + stopped.last_log_lines()
    folder = model_folder(done.stdout)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert sum(metrics["images"].values()) == 200
    assert metrics["final"]["accuracy"] > 0.5  # by chance: 0.1
    assert re.search(rf"accuracy +on 40 held-out images +{in_percent(metrics['final']['accuracy'])}", done.stdout), (
        done.stdout
    )
    known = {row["file"]: row for row in metrics["held_out"]}
    shown = re.findall(r"^(images/\d/\S+\.png) +(\d) +(\d) +(\d\.\d\d)$", done.stdout, re.MULTILINE)
    assert len(shown) == 5, done.stdout
    for file, truth, predicted, _ in shown:
        assert Path(file).parent.name == truth
        assert predicted == known[file]["predicted"], "the exported file disagrees with the trained model"
    assert f"{stopped.address}, still running" in done.stdout
    assert "server.py stop" in done.stdout
    assert "\x1b" not in done.stdout, "control characters in a pipe"
    assert re.search(r"^100\.0 %  done$", done.stdout, re.MULTILINE), done.stdout
    assert stopped.call("GET", "/readyz").status == 200


def test_it_uses_the_running_service_and_draws_the_masks(service: ServiceUnderTest) -> None:
    done = run_demo(service, "segmentation", "--images", "30", "--image-size", "64", "--epochs", "4")
    assert done.returncode == 0, done.stdout + done.stderr + service.last_log_lines()
    folder = model_folder(done.stdout)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert in_percent(metrics["final"]["dice"]) in done.stdout
    known = {row["file"]: row["dice"] for row in metrics["held_out"]}
    shown = re.findall(r"^(images/\S+\.jpg) +(\d+\.\d) %$", done.stdout, re.MULTILINE)
    assert len(shown) == 5, done.stdout
    for file, dice in shown:
        assert abs(float(dice) / 100 - known[file]) < 0.01, "the exported file disagrees with the trained model"
    # The middle column of the preview shows the five true masks.
    with Image.open(folder.parent.parent / "preview.png") as preview:
        pixels = np.asarray(preview)
    truth = (pixels[:, 64 + 2 * 6 : 2 * 64 + 2 * 6] == 255).all(axis=2)
    assert 0.02 < truth[6 + 18 :].mean() < 0.6


def test_it_says_why_the_service_cannot_be_started(stopped: ServiceUnderTest) -> None:
    with socket.socket() as squatter:
        # It doesn't listen: the demo would wait for its answer to "is the service ready?".
        squatter.bind(("127.0.0.1", stopped.ports["WEB_PORT"]))
        done = run_demo(stopped, "--images", "20")
    assert done.returncode == 1
    assert f"Port {stopped.ports['WEB_PORT']}" in done.stderr
    assert "Traceback" not in done.stderr
    assert stopped.processes() == []
