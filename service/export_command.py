"""`python server.py export ID --to DIR`: download the files of a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from protocol.text import printable
from service.command_error import CommandError
from service.screen import TEXT_SCREEN, Screen
from service.server_options import OWN_SERVER, ServerOptions, connected
from service.task_commands import TaskId
from service.task_ids import find_task_id
from tfmodel_client.download import OnBytes


def export(
    task_id: TaskId,
    /,
    *,
    to: Path,
    file: Annotated[tuple[str, ...], Parameter(n_tokens=1)] = (),
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> None:
    """Download the files of a model.

    They are checked against their hashes. A download that was interrupted goes on where it was. While the task trains,
    the files are those of the best model so far.

    Parameters
    ----------
    to
        the folder for the files; it is made if it is missing
    file
        only this file, such as model.tflite; may be repeated
    """
    with connected(server) as client, _bars(screen) as on_bytes:
        whole_id = find_task_id(client, task_id)
        try:
            paths = client.download(whole_id, to, names=list(file) or None, on_bytes=on_bytes)
        except OSError as error:
            raise CommandError(f"The files could not be written to {to}: {error}.") from error
    screen.document({"taskId": whole_id, "files": [str(path) for path in paths]})
    for path in paths:
        screen.say(str(path))


@contextmanager
def _bars(screen: Screen) -> Iterator[OnBytes | None]:
    """A bar for each file on a terminal."""
    if not screen.is_rich:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    rows = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), DownloadColumn())
    with Progress(*columns, console=Console(highlight=False, markup=False, emoji=False)) as progress:

        def on_bytes(name: str, so_far_bytes: int, all_bytes: int) -> None:
            if name not in rows:
                rows[name] = progress.add_task(printable(name), total=all_bytes)
            progress.update(rows[name], completed=so_far_bytes)

        yield on_bytes
