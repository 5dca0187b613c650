"""What holds for every test: properties without deadlines, and no settings of the machine."""

from __future__ import annotations

import os

from hypothesis import settings

# A loaded machine is not a failure; the blob lets a failing example be run again elsewhere.
settings.register_profile("dataspine", deadline=None, print_blob=True)
settings.load_profile("dataspine")

# Subprocesses inherit this, so an engineer's own DATASPINE_HOME is never touched.
for name in [name for name in os.environ if name.startswith("DATASPINE_")]:
    del os.environ[name]
