"""Which folders a caller may look into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from conf.posted_folder import Obstacle, PostedFolderError
from web.answers.refusal import Refusal
from web.door.token_gate import Caller
from web.uploads.upload_names import BadNameError, folder_of_user


class VisibleFolders:
    """top: the only folder into which the caller may look, or None if the caller may look into all data roots.

    has_none: whether there is no folder at all, because the caller's userId can't be the name of one.
    """

    def __init__(self, roots: Sequence[Path], caller: Caller) -> None:
        self._roots = roots
        self.top: Path | None = None
        self.has_none = False
        if caller.user:
            try:
                self.top = folder_of_user(roots[0], caller.user)
            except BadNameError:
                self.has_none = True

    def check(self, path: str) -> None:
        """Raise Refusal unless the path lies in a folder that the caller may look into, or is it."""
        place = PurePosixPath(path)
        tops = self._tops
        if ".." in place.parts or "\0" in path or not any(place.is_relative_to(top) for top in tops):
            listed = ", ".join(map(str, tops)) or "none"
            raise Refusal(
                "path_not_allowed",
                f"path={path[:200]!r} does not lie in a folder that you may look into ({listed}); send the absolute "
                "path of a folder or picture in there. GET /v1/folders without a path lists what is at the top.",
                fields={"path": "It lies outside of the folders that you may look into."},
            )

    def parent(self, path: str) -> str | None:
        """The folder above, as far as the caller may go. "" is the list of the data roots."""
        place = Path(path)
        if place == self.top or not path:
            return None
        return "" if self.top is None and place in self._roots else str(place.parent)

    @property
    def _tops(self) -> Sequence[Path]:
        if self.has_none:
            return ()
        return self._roots if self.top is None else (self.top,)


def no_folder(path: str, error: PostedFolderError) -> Refusal:
    """The refusal of a folder that can't be opened."""
    reasons = {
        Obstacle.FORBIDDEN: "may not be read by this server; change the rights of the folder",
        Obstacle.OF_THE_WORKER: "holds only files that TFModel keeps in a project; list the project folder instead",
        Obstacle.REDIRECTED: "leads through a link or is no folder; send the path of the folder itself",
    }
    reason = reasons.get(error.obstacle, "does not exist, or not any more; list the folder above it")
    return Refusal("no_folder", f"path={path[:200]!r} {reason}.")
