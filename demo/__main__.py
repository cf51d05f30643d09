"""`python -m demo [classification | segmentation]`: train a model on real images through the running service."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from conf.settings import ROOT, Settings, SettingsError, load
from conf.tokens import TokenError, create_token, read_tokens, revoke_token
from demo.progress import LostTaskError, follow
from demo.recipes import PREVIEW, RECIPES, Recipe
from demo.report import print_places, print_predictions, print_result
from demo.website import Website

READY_TIMEOUT_S = 90.0
PREDICTION_TIMEOUT_S = 120.0


class DemoError(Exception):
    """Ends the demo; the message says why and what to do."""


def run(recipe: Recipe, console: Console) -> None:
    settings = load(os.environ)
    with token_of_our_own(settings) as token:
        show(recipe, settings, Website(settings.web, token), console)


def show(recipe: Recipe, settings: Settings, website: Website, console: Console) -> None:
    roots = settings.web.allowed_roots()
    if not roots:
        raise DemoError(
            "[web] data_roots has only URLs of object storage, and the demo draws its photos into a folder of this "
            "machine; name a folder as well."
        )
    project = roots[0] / recipe.folder
    lay_out(recipe, project)
    console.print(f"[bold]{recipe.images} {recipe.what}[/bold]", highlight=False)
    console.print(str(project), style="dim", soft_wrap=True, highlight=False)
    have_service(website, console)
    task = train(website, recipe, project, console)
    folder = Path(task["modelPath"]).parent
    console.print()
    print_result(console, task, folder, recipe.score)
    print_predictions(console, recipe.train_type, predict(project, folder, console))
    print_places(console, places(website, recipe, project, task))


@contextlib.contextmanager
def token_of_our_own(settings: Settings) -> Iterator[str]:
    """A token that is valid while the demo runs; "" if the server has no tokens and needs none."""
    if read_tokens(settings.token_file) is None:
        yield ""
        return
    name = f"demo-{os.getpid()}"
    token = create_token(settings.token_file, name, user="demo")
    try:
        yield token
    finally:
        revoke_token(settings.token_file, name)


def lay_out(recipe: Recipe, project: Path) -> None:
    """Write the pictures, unless an earlier run did. The final name comes last, so no unfinished set is used."""
    if project.is_dir():
        return
    unfinished = project.with_name(f".{project.name}-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    recipe.make(unfinished, recipe.images)
    unfinished.rename(project)


def have_service(website: Website, console: Console) -> None:
    """Use the running service, or start it. Raises DemoError with the reason if neither works."""
    ready, _ = website.ready()
    if ready:
        return
    command = [sys.executable, str(ROOT / "server.py"), "start"]
    with console.status("Starting the service; its worker loads TensorFlow, which takes some seconds …"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        give_up_at_s = time.monotonic() + READY_TIMEOUT_S
        # A running service counts as started, even while its worker is still loading TensorFlow.
        while done.returncode == 0 and not ready:
            ready, reason = website.ready()
            if not ready and time.monotonic() > give_up_at_s:
                raise DemoError(f"The service runs but is not ready after {READY_TIMEOUT_S:.0f} s: {reason}")
            time.sleep(0 if ready else 0.25)
    if not ready:
        raise DemoError((done.stderr or done.stdout).strip())


def train(website: Website, recipe: Recipe, project: Path, console: Console) -> dict[str, Any]:
    """Post the task as a website would and follow it to its end. Returns the finished task."""
    fields = {"userId": "demo", "projectId": recipe.folder, "projectDir": str(project)}
    status, task = website.post({**fields, "trainType": recipe.train_type, **recipe.options})
    if status != 200:
        raise DemoError(f"The task was refused: {task.get('error')}")
    task_id = task["taskId"]
    try:
        task = follow(website, task_id, console)
    except LostTaskError as error:
        raise DemoError(str(error)) from error
    except KeyboardInterrupt:
        website.cancel(task_id)
        raise DemoError(f"Interrupted, so the task is cancelled. The service still runs; {stop_words()}") from None
    if task["state"] != "done":
        raise DemoError(f"The task is {task['state']}: {task.get('error', 'somebody cancelled it')}")
    return task


def predict(project: Path, folder: Path, console: Console) -> list[dict[str, Any]]:
    """The predictions of the exported TFLite file for five held-out pictures; see demo/predictions.py."""
    command = [sys.executable, "-m", "demo.predictions", str(project), str(folder)]
    with console.status("Loading model.tflite in a process of its own …"):
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PREDICTION_TIMEOUT_S, check=False
        )
    if done.returncode != 0:
        raise DemoError(f"The model was trained, but could not be used:\n{done.stderr.strip()}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def places(website: Website, recipe: Recipe, project: Path, task: dict[str, Any]) -> dict[str, str]:
    found = {"model": str(task["modelPath"])}
    if recipe.train_type == "segmentation":
        found["look at"] = str(project / PREVIEW)
    return {**found, "service": f"{website.address}, still running", "stop it": stop_command()}


def stop_command() -> str:
    python = Path(sys.executable)
    shown = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    return f"{shown} server.py stop"


def stop_words() -> str:
    return f"'{stop_command()}' ends it."


def chosen_recipe() -> Recipe:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("type", nargs="?", default="classification", choices=sorted(RECIPES))
    parser.add_argument("--images", type=int, help="train on this many images only, for a quicker and poorer model")
    parser.add_argument("--image-size", type=int, help="side of the model input, in pixels")
    parser.add_argument("--epochs", type=int, help="the most epochs of training")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.type]
    given = {"imageSize": arguments.image_size, "epochs": arguments.epochs}
    options = {**recipe.options, **{name: str(value) for name, value in given.items() if value is not None}}
    images = min(arguments.images or recipe.images, recipe.images)
    folder = recipe.folder if images == recipe.images else f"{recipe.folder}-{images}"
    return dataclasses.replace(recipe, images=images, folder=folder, options=options)


def main() -> None:
    console = Console(highlight=False)
    try:
        run(chosen_recipe(), console)
    except (DemoError, SettingsError, TokenError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
