"""The section [storage] of the settings: how projects in object storage are reached.

Credentials are no settings. obstore reads them from the environment of the process (AWS_…, GOOGLE_…, AZURE_…) or asks
the machine for them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from conf.section import Seconds, Section

#: A server's name or address, with a port where it is not the usual one, and no path, user or query.
_ENDPOINT = r"^$|^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?$"


class StorageSettings(Section, frozen=True, kw_only=True):
    endpoint: Annotated[str, Meta(pattern=_ENDPOINT)]
    region: Annotated[str, Meta(pattern=r"^[a-z0-9-]{0,64}$")]
    allow_http: bool
    serve: Literal["proxy", "signed"]
    signed_url_ttl_s: Annotated[float, Meta(ge=1, le=604_800)]
    max_connections: Annotated[int, Meta(ge=1, le=256)]
    timeout_s: Seconds
    cache_mb: Annotated[int, Meta(ge=1)]


def shared_variables(storage: StorageSettings) -> dict[str, str]:
    """The variables with which a worker on another machine reaches the same storage. They hold no credentials."""
    variables = {
        "TFMODEL_STORAGE_ENDPOINT": storage.endpoint,
        "TFMODEL_STORAGE_REGION": storage.region,
        "TFMODEL_STORAGE_ALLOW_HTTP": "true" if storage.allow_http else "",
    }
    return {name: value for name, value in variables.items() if value}


def why_bad(storage: StorageSettings) -> str:
    """What is wrong with the settings together, as a sentence that names the keys; "" if they are fine."""
    if storage.endpoint.startswith("http://") and not storage.allow_http:
        return (
            f"[storage] endpoint = {storage.endpoint!r} is not encrypted: photos would travel in clear text. Use an "
            "https:// address, or set [storage] allow_http = true if the network is your own."
        )
    return ""
