"""`python -m dataspine` is the command `dataspine`."""

from __future__ import annotations

from dataspine.cli.main import entry

if __name__ == "__main__":
    entry()
