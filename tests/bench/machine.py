"""The machine that measures, as far as it bears on the figures."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from dataspine.store.sqlite import version as sqlite_version

LIBRARIES = ("polars", "msgspec", "pydantic")


def machine() -> dict[str, str]:
    """What it is called, line by line of the page."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory_gib:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite_version,
        **{name: version(name) for name in LIBRARIES},
    }


def load() -> float:
    """Processes that wanted a core in the last minute: other people's work at the start of a run."""
    return os.getloadavg()[0]


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
