"""What holds for every test: properties without deadlines, no settings of the machine, a workspace on demand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.spine import Spine
    from dataspine.service.desk import Desk

# A loaded machine is not a failure; the blob lets a failing example be run again elsewhere.
settings.register_profile("dataspine", deadline=None, print_blob=True)
settings.load_profile("dataspine")

# Subprocesses inherit this, so an engineer's own DATASPINE_HOME is never touched.
for name in [name for name in os.environ if name.startswith("DATASPINE_")]:
    del os.environ[name]


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """A new workspace, open for writing; its clock stands at `builders.NOW_US`."""
    from tests.builders import make_spine

    made = make_spine(tmp_path)
    yield made
    made.workspace.database.close()


@pytest.fixture
def desk(spine: Spine) -> Desk:
    """The operator's desk at the workspace of `spine`."""
    from tests.builders import make_desk

    return make_desk(spine)
