"""`/v1/corrections`: a person's corrections of single pictures of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from protocol.corrections import Action, Correction, CorrectionsTable
from web.answers.refusal import Refusal
from web.api.corrections import (
    ChangeCorrections,
    CorrectionChange,
    CorrectionsQuery,
    CorrectionsView,
    CorrectionView,
)
from web.calls.posting import refusal_of_fields
from web.folders.found_folder import BadField, FoundFolder
from web.json_handler import JsonHandler
from web.reading.submission import single_values

MOST_PROBLEMS = 20


class CorrectionsHandler(JsonHandler):
    """GET sends the rows of corrections.csv, and POST changes them."""

    query: CorrectionsQuery

    async def get(self) -> None:
        query = self.query
        self.caller.check_sees(query.user_id, "see the corrections of")
        path = await self._path_of({"userId": query.user_id, "projectDir": query.project_dir}, [])
        self.send(_view(query.project_dir, await self.services.corrections.table(path)))

    async def post(self) -> None:
        posted = self.read_body(ChangeCorrections)
        self.caller.check_sees(posted.user_id, "correct pictures of")
        texts = {"userId": posted.user_id, "projectId": posted.project_id, "projectDir": posted.project_dir}
        path = await self._path_of(texts, list(_problems(posted.changes)))
        changes = {change.picture: _correction(change) for change in posted.changes}
        self.send(_view(posted.project_dir, await self.services.corrections.change(path, changes)))

    async def _path_of(self, texts: Mapping[str, str], problems: Sequence[BadField]) -> str:
        """The path of projectDir with links resolved. Raises Refusal that names these problems and all others."""
        single, bad_texts = single_values({name: [text] for name, text in texts.items()})
        found = None
        if "projectDir" in single:
            try:
                found = await self.services.roots.find(single["projectDir"], in_thread=True)
            except TimeoutError as error:
                raise Refusal(
                    "file_unreadable", "The disk of the project folder does not answer; try again in a moment."
                ) from error
        bad_folder = [found] if isinstance(found, BadField) else []
        if (all_problems := [*problems, *bad_texts, *bad_folder]) or not isinstance(found, FoundFolder):
            raise refusal_of_fields(all_problems)
        return found.path


def _problems(changes: Sequence[CorrectionChange]) -> Iterator[BadField]:
    for number, change in enumerate(changes):
        field = f"changes[{number}].label"
        if change.action == "label" and not change.label.strip():
            yield BadField(field, f"{field} is missing; send the class that the picture shows.")
        elif change.action != "label" and change.label:
            yield BadField(field, f"{field} is only allowed with the action label; leave it out.")


def _correction(change: CorrectionChange) -> Correction | None:
    return None if change.action == "none" else Correction(change.picture, Action(change.action), change.label)


def _view(project_dir: str, table: CorrectionsTable) -> CorrectionsView:
    return CorrectionsView(
        project_dir=project_dir,
        corrections=tuple(
            CorrectionView(picture=one.picture, action=one.action, label=one.label) for one in table.corrections()
        ),
        problems=tuple(table.problems()[:MOST_PROBLEMS]),
    )
