"""The section [web] of the settings: who may call the front-end, and how much it takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from conf import data_roots
from conf.data_roots import Root, folders_of, read_roots
from conf.section import Count, Port, Seconds, Section

#: A name or an address, without a port: "tfmodel.example.com", "192.0.2.7", "[2001:db8::7]".
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
#: An origin as browsers send it: in lower case, with a port only if it is not the default port of the scheme.
ORIGIN = re.compile(
    r"(http(?!.*:80\Z)|https(?!.*:443\Z))://([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)


class WebSettings(Section, frozen=True, kw_only=True):
    host: Annotated[str, Meta(min_length=1)]
    port: Port
    data_roots: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    allow_anonymous: bool
    allowed_hosts: list[str]
    allowed_origins: list[str]
    request_timeout_s: Seconds
    idle_timeout_s: Seconds
    transfer_timeout_s: Seconds
    max_connections: Annotated[int, Meta(ge=10, le=100_000)]
    max_connections_per_address: Annotated[int, Meta(ge=1, le=100_000)]
    max_streams: Annotated[int, Meta(ge=1, le=100_000)]
    max_streams_per_address: Annotated[int, Meta(ge=1, le=100_000)]
    max_body_bytes: Annotated[int, Meta(ge=1024, le=100_000_000)]
    max_predict_body_mb: Annotated[int, Meta(ge=1, le=100)]
    predict_processes: Annotated[int, Meta(ge=1, le=64)]
    predict_memory_mb: Annotated[int, Meta(ge=16)]
    storage_copies_mb: Annotated[int, Meta(ge=16)]
    uploads: bool
    max_upload_mb: Annotated[int, Meta(ge=1, le=1000)]
    max_upload_pictures: Annotated[int, Meta(ge=1, le=1_000_000)]
    max_upload_project_mb: Annotated[int, Meta(ge=1)]
    cached_tasks: Count
    min_free_mb: Annotated[int, Meta(ge=0)]

    @property
    def max_predict_body_bytes(self) -> int:
        return self.max_predict_body_mb * 1024**2

    def roots(self) -> list[Root]:
        """The data roots in their order: folders of this machine and URLs of object storage."""
        return read_roots(self.data_roots)

    def allowed_roots(self) -> list[Path]:
        """The absolute folders, with links resolved, in which project folders of this machine may lie."""
        return folders_of(self.roots())


def why_bad(web: WebSettings) -> str:
    """What is wrong with data roots, allowed hosts and origins, as a sentence that names the key; "" if nothing is."""
    if trouble := data_roots.why_bad("[web] data_roots", web.data_roots):
        return trouble
    for host in web.allowed_hosts:
        if not HOST.fullmatch(host):
            return (
                f"[web] allowed_hosts = {web.allowed_hosts!r} is not allowed: {host!r} is not a name or an address "
                "without a port, such as tfmodel.example.com, 192.0.2.7 or [2001:db8::7]."
            )
    for origin in web.allowed_origins:
        if not ORIGIN.fullmatch(origin):
            return (
                f"[web] allowed_origins = {web.allowed_origins!r} is not allowed: {origin!r} is not an origin as "
                "browsers send it, such as https://app.example.com: in lower case, with a port only if it is not the "
                "default port, and with nothing after it."
            )
    return ""
