"""Reading a URL through `HttpTransport` in tests: short deadlines and made-up secrets."""

from __future__ import annotations

import json

from dataspine.adapters.http import HttpPolicy, HttpTransport
from dataspine.schemas.source import HttpSettings

SECRETS = {"env:API_KEY": "s3cr3t/+ value", "file:token": "Bearer t0k3n-abc"}


def make_transport(url: str, *, policy: HttpPolicy | None = None, clock=None, **settings) -> HttpTransport:
    settings = {"timeout_s": 5.0, **settings}
    return HttpTransport(
        url,
        settings=HttpSettings(**settings),
        secrets=SECRETS.__getitem__,
        clock=clock,
        policy=policy or HttpPolicy(),
    )


def pages_of(url: str, **how) -> list[tuple[str, bytes]]:
    return [(page.object_name, b"".join(page.open())) for page in make_transport(url, **how).fetch()]


def body_of(url: str, **how) -> bytes:
    ((_, body),) = pages_of(url, **how)
    return body


def linked(rows: list[int], link: object) -> bytes:
    return json.dumps({"results": rows, "paging": {"next": link}}).encode()
