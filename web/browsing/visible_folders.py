"""Which folders a caller may look into."""

from __future__ import annotations

from collections.abc import Sequence

from conf.posted_folder import Obstacle, PostedFolderError
from web.answers.refusal import Refusal
from web.door.token_gate import Caller
from web.folders.plain_places import above, is_inside, plain_place, shown_place
from web.uploads.upload_names import BadNameError, folder_of_user


class VisibleFolders:
    """top: the only folder into which the caller may look, or "" if the caller may look into all data roots.

    has_none: whether there is no folder at all, because the caller's userId can't be the name of one.
    """

    def __init__(self, roots: Sequence[str], caller: Caller) -> None:
        """roots: the data roots in their order, as plain places."""
        self._roots = roots
        self.top = ""
        self.has_none = False
        if caller.user:
            try:
                self.top = folder_of_user(roots[0], caller.user)
            except BadNameError:
                self.has_none = True

    def checked(self, path: str) -> str:
        """The path in its plain form. Raises Refusal unless it is a folder that the caller may look into, or in one."""
        place, tops = plain_place(path), self._tops
        if not place or not any(is_inside(place, top) for top in tops):
            listed = ", ".join(tops) or "none"
            raise Refusal(
                "path_not_allowed",
                f"path={shown_place(path)} does not lie in a folder that you may look into ({listed}); send the "
                "absolute path of a folder or picture in there. GET /v1/folders without a path lists what is at the "
                "top.",
                fields={"path": "It lies outside of the folders that you may look into."},
            )
        return place

    def parent(self, path: str) -> str | None:
        """The folder above, as far as the caller may go. "" is the list of the data roots."""
        if path == self.top or not path:
            return None
        return "" if not self.top and path in self._roots else above(path)

    @property
    def _tops(self) -> Sequence[str]:
        if self.has_none:
            return ()
        return (self.top,) if self.top else self._roots


def no_folder(path: str, error: PostedFolderError) -> Refusal:
    """The refusal of a folder that can't be opened."""
    reasons = {
        Obstacle.FORBIDDEN: "may not be read by this server; change the rights of the folder",
        Obstacle.OF_THE_WORKER: "holds only files that TFModel keeps in a project; list the project folder instead",
        Obstacle.REDIRECTED: "leads through a link or is no folder; send the path of the folder itself",
    }
    reason = reasons.get(error.obstacle, "does not exist, or not any more; list the folder above it")
    return Refusal("no_folder", f"path={path[:200]!r} {reason}.")
