"""A project in object storage: its URL, such as s3://photos/users/42, and what a URL may look like. Pure.

The text of a URL is its one normal form. It is compared, stored and shown as it is: nothing in it is decoded, so "%20"
in it is three characters of an object's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protocol.project_layout import worker_folder

#: How a URL begins, and what the part after it is called.
SCHEMES = {"s3": "bucket", "gs": "bucket", "az": "container"}
#: S3 allows 1,024 bytes for a key. This leaves room for the names of the worker's files below a project.
MAX_PREFIX_BYTES = 768

_URL = re.compile(r"(s3|gs|az)://", re.IGNORECASE)
_CONTAINER = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def is_project_url(text: str) -> bool:
    """Whether a text is meant as the URL of object storage and not as a path. It may still be a bad URL."""
    return _URL.match(text) is not None


@dataclass(frozen=True)
class ProjectUrl:
    """A place in object storage. str() gives its normal text.

    scheme: one of SCHEMES. container: the name of the bucket. prefix: the names of the folders below it, joined by "/";
    "" only for a data root that is a whole bucket.
    """

    scheme: str
    container: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> ProjectUrl:
        """Read the URL of a project; a slash at its end is dropped. Raises ValueError with a sentence for callers."""
        url = cls.parse_root(text)
        if not url.prefix:
            raise ValueError(
                f"{_shown(text)} names a whole {SCHEMES[url.scheme]}; add the folder of the project to it."
            )
        return url

    @classmethod
    def parse_root(cls, text: str) -> ProjectUrl:
        """Read the URL of a data root, which may be a whole bucket. Raises ValueError with a sentence."""
        scheme = next((scheme for scheme in SCHEMES if text.startswith(f"{scheme}://")), None)
        if scheme is None:
            begins = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise ValueError(f"{_shown(text)} is not a URL of object storage; such a URL begins with one of {begins}.")
        container, _, prefix = text.partition("://")[2].partition("/")
        if _CONTAINER.fullmatch(container) is None or ".." in container:
            raise ValueError(
                f"{_shown(text)} names no {SCHEMES[scheme]}: its name has 3 to 63 lower-case letters, digits, dots and "
                "hyphens, and there is no user, password or port before or after it."
            )
        prefix = prefix.removesuffix("/")
        if trouble := _why_bad(prefix):
            raise ValueError(f"{_shown(text)} {trouble}.")
        return cls(scheme, container, prefix)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.container}" + (f"/{self.prefix}" if self.prefix else "")

    @property
    def name(self) -> str:
        """The last name: that of the project's folder, or of the bucket."""
        return self.prefix.rpartition("/")[2] or self.container

    def file(self, path: str) -> str:
        """The URL of a file of the project. path: relative to the project."""
        return f"{self}/{path}"


def lies_below(url: ProjectUrl, root: ProjectUrl, or_root: bool = False) -> bool:
    """Whether a URL lies below a data root. or_root: whether it may also be the root itself."""
    steps = steps_below(url, root)
    return steps is not None and (or_root or bool(steps))


def steps_below(url: ProjectUrl, root: ProjectUrl) -> tuple[str, ...] | None:
    """The names that lead from a data root down to a URL; None if the URL is neither below the root nor the root."""
    if (url.scheme, url.container) != (root.scheme, root.container):
        return None
    steps, above = _names(url.prefix), _names(root.prefix)
    return steps[len(above) :] if steps[: len(above)] == above else None


def innermost_root(url: ProjectUrl, roots: list[ProjectUrl]) -> ProjectUrl | None:
    """The data root that a project's URL lies below; the innermost one if there are several."""
    return max((root for root in roots if lies_below(url, root)), key=lambda root: len(root.prefix), default=None)


def worker_folder_of(url: ProjectUrl, root: ProjectUrl) -> str:
    """The name of the worker's folder in a project that a URL leads into; "" if it leads into none."""
    return worker_folder(steps_below(url, root) or ())


def _names(prefix: str) -> tuple[str, ...]:
    return tuple(prefix.split("/")) if prefix else ()


def _why_bad(prefix: str) -> str:
    """What a prefix has that no project may have; "" if it is allowed."""
    try:
        size_bytes = len(prefix.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if size_bytes > MAX_PREFIX_BYTES:
        return f"has {size_bytes} bytes after the bucket; at most {MAX_PREFIX_BYTES} are allowed"
    if _CONTROL.search(prefix):
        return "has a control character"
    if "?" in prefix or "#" in prefix:
        return 'has a "?" or "#"; give the plain URL of the folder, without a query or a signature'
    if not {"", ".", ".."}.isdisjoint(_names(prefix)):
        return 'has an empty name, "." or ".." between its slashes'
    return ""


def _shown(text: str) -> str:
    """The URL for a message. A query may be a signature, and what stands before an "@" may be a password."""
    shown = re.sub(r"[?#].*", "…", text, flags=re.DOTALL)
    shown = re.sub(r"://[^/]*@", "://…@", shown)
    return repr(shown[:200])
