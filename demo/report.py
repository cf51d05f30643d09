"""What the demo prints at its end: what was trained, how good it is, and where the files are."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.recipes import Score
from protocol.percent import in_percent
from protocol.sizes import size_in_words

#: Shorter stages are left out of the table.
SHORTEST_STAGE_S = 0.1


def print_result(console: Console, task: dict[str, Any], folder: Path, score: Score) -> None:
    """Print a table: the score on held-out images, the seconds of each stage, and the files with their sizes."""
    metrics = json.loads((folder / "metrics.json").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    held_out = metrics["images"]["held_out"]
    stages = {name: took_s for name, took_s in task["stageSeconds"].items() if took_s >= SHORTEST_STAGE_S}
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    final, baseline = metrics["final"][score.final_key], metrics["baseline"][score.baseline_key]
    table.add_row(score.name, f"on {held_out} held-out images", f"[green]{in_percent(final)}[/green]")
    table.add_row("", f"{score.baseline_words} would give", f"[dim]{in_percent(baseline)}[/dim]")
    for number, (name, took_s) in enumerate(stages.items()):
        table.add_row("stages" if number == 0 else "", name, f"{took_s:.1f} s")
    for number, (name, size_bytes) in enumerate(_sizes(manifest["files"]).items()):
        table.add_row("files" if number == 0 else "", name, size_in_words(size_bytes))
    console.print(table)


def _sizes(files: list[dict[str, Any]]) -> dict[str, int]:
    """The size of each file in bytes; a folder counts as one file."""
    sizes: defaultdict[str, int] = defaultdict(int)
    for file in files:
        top, separator, _ = file["path"].partition("/")
        sizes[top + separator] += file["size_bytes"]
    return dict(sorted(sizes.items()))


def print_predictions(console: Console, train_type: str, rows: list[dict[str, Any]]) -> None:
    console.print(f"\n[bold]model.tflite on {len(rows)} held-out images[/bold], none of which trained it:")
    table = Table(box=None, pad_edge=False)
    table.add_column("image", no_wrap=True)
    if train_type == "segmentation":
        table.add_column("Dice", justify="right")
        for row in rows:
            table.add_row(row["file"], in_percent(row["dice"]))
    else:
        for name in ("truth", "prediction", "probability"):
            table.add_column(name, justify="right")
        for row in rows:
            colour = "green" if row["truth"] == row["predicted"] else "red"
            predicted = f"[{colour}]{row['predicted']}[/{colour}]"
            table.add_row(row["file"], row["truth"], predicted, f"{row['probability']:.2f}")
    console.print(table)


def print_places(console: Console, places: dict[str, str]) -> None:
    """Print each name with its path on one line. Long paths are not broken, so that they can be copied."""
    console.print()
    width = max(map(len, places)) + 2
    for name, place in places.items():
        console.print(f"[bold]{name:<{width}}[/bold]{place}", soft_wrap=True, highlight=False)
