"""The files in web/static that browsers may load: scripts, styles, words and pictures of the pages."""

from __future__ import annotations

import functools
import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from web.answers.static_file import StaticFile

STATIC = Path(__file__).parent.parent / "static"
HTML_TYPE = "text/html; charset=utf-8"
#: Files of other kinds, such as licences and types for the linter, are not sent.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
#: The HTML files have this in place of the address of the folder.
ADDRESS = "{static}"
#: The HTML files have this in place of the tags that load all scripts of the page at once.
PRELOADS = "<!-- preload {entries} -->"
_PRELOADS = re.compile(re.escape(PRELOADS).replace(re.escape("{entries}"), r"([^>]+)"))
#: An import that a browser follows before it runs a script. `import(…)` is not one.
_IMPORT = re.compile(r"""^(?:import|export)\b[^"'()]*["'](\.[^"']+)["']""", re.MULTILINE)


class StaticFiles:
    """The files by their paths below web/static. Their address has a hash of them all, so browsers may keep them."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._by_name: Mapping[str, StaticFile] = {
            path.relative_to(folder).as_posix(): StaticFile(MEDIA_TYPES[path.suffix], path.read_bytes)
            for path in sorted(folder.rglob("*"))
            if path.suffix in MEDIA_TYPES
        }

    @functools.cached_property
    def version(self) -> str:
        """A hash of all names and contents."""
        digest = hashlib.sha256()
        for name, file in self._by_name.items():
            digest.update(f"{name}\0{file.sha256}\0".encode())
        return digest.hexdigest()[:16]

    @property
    def address(self) -> str:
        """Where the files are, relative to `/`."""
        return f"static/{self.version}"

    def get(self, name: str) -> StaticFile | None:
        return self._by_name.get(name)

    def names(self) -> list[str]:
        return list(self._by_name)

    def html(self, name: str) -> bytes:
        """An HTML file of the folder, with the addresses of the other files."""
        text = (self._folder / name).read_text("utf-8")
        text = _PRELOADS.sub(lambda found: "\n".join(map(self._preload, self._imported_by(found[1].split()))), text)
        return text.replace(ADDRESS, self.address).encode()

    def _preload(self, name: str) -> str:
        return f'<link rel="modulepreload" href="{self.address}/{name}">'

    def _imported_by(self, entries: list[str]) -> Iterator[str]:
        """The scripts and all that they import, directly or not, so that a browser can ask for them at once."""
        seen, waiting = set(entries), list(entries)
        while waiting:
            name = waiting.pop(0)
            yield name
            for found in _IMPORT.findall(self._by_name[name].content.decode()):
                imported = posixpath.normpath(posixpath.join(posixpath.dirname(name), found))
                if imported not in seen:
                    seen.add(imported)
                    waiting.append(imported)
