"""`/v1/tasks/{taskId}/report`: the report on a model, the only answer that is a web page."""

from __future__ import annotations

from protocol.project_layout import MODELS, MOST_REPORT_BYTES, REPORT
from protocol.task import TaskState
from web.answers.refusal import Refusal
from web.calls.file_answer import FileHandler
from web.files.open_file import Place
from web.files.project_files import NoFileError

#: A report needs its own styles and the pictures inside of it.
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Disposition": f'inline; filename="{REPORT}"',
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


class ReportHandler(FileHandler):
    """GET sends the report on the task's model."""

    async def get(self, task_id: str) -> None:
        task = (await self.find(task_id)).task
        if task.state is not TaskState.DONE:
            raise Refusal("no_report", _not_done(task.state), state=task.state.value)
        files = self.services.files
        try:
            async with files.opened(task.spec, Place((MODELS, task_id), REPORT, MOST_REPORT_BYTES)) as file:
                size_bytes = file.content.size_bytes
                await self.send_parts(task_id, files.parts(file, 0, size_bytes), size_bytes, _HEADERS)
        except NoFileError as error:
            cure = "" if error.has_moved else "; post the folder again to get a new one"
            raise Refusal("no_report", f"There is no report on this model, because {error}{cure}.") from error


def _not_done(state: TaskState) -> str:
    if state in (TaskState.PENDING, TaskState.PROCESSING):
        return f"The task is {state.value}; its report exists as soon as it is done."
    return f"The task has ended as {state.value}, so there is no model and no report on it."
