"""`python server.py check DIR`: without a service, for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from conf.settings import ROOT
from tests.drawn_projects import draw_classes, draw_pairs
from tests.process.service_under_test import COMMAND_TIMEOUT_S


def check(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "server.py", "check", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)


def test_a_good_folder_is_shown_with_its_classes(tmp_path: Path) -> None:
    done = check(draw_classes(tmp_path, {"rose": 20, "tulip": 21}))

    assert done.returncode == 0, done.stderr
    assert "41 pictures, layout class_folders" in done.stdout
    assert ["│", "rose", "│", "20", "│"] in [line.split() for line in done.stdout.splitlines()]
    assert done.stdout.splitlines()[-1] == "A training can use this folder."


def test_a_folder_that_a_training_would_refuse_is_a_failure_of_the_command(tmp_path: Path) -> None:
    draw_classes(tmp_path, {"rose": 3, "tulip": 1})
    (tmp_path / "images" / "rose" / "bad.png").write_bytes(b"no picture")
    done = check(tmp_path)

    assert done.returncode == 1
    assert "error Classification needs at least 2 classes" in done.stdout
    assert "    images/rose/bad.png" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == "A training would fail; see the errors."


def test_the_trains_type_says_what_is_looked_for(tmp_path: Path) -> None:
    draw_pairs(tmp_path, 20)

    assert check(tmp_path).returncode == 1
    assert check(tmp_path, "--type", "segmentation").returncode == 0
    refused = check(tmp_path, "--type", "sculpture")
    assert refused.returncode == 2
    assert 'Choose from: "classification", "segmentation"' in refused.stderr


def test_programs_get_the_report_as_json(tmp_path: Path) -> None:
    report = json.loads(check(draw_classes(tmp_path, {"rose": 20, "tulip": 20}), "--json").stdout)

    assert (report["layout"], report["counts"], report["findings"]) == ("class_folders", {"rose": 20, "tulip": 20}, [])


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    done = check(tmp_path / "nothing")

    assert done.returncode == 1
    assert "nothing is not a folder. Name the folder that holds the pictures." in done.stderr
