"""When sources are due, how failures are tried again, what vendors take, and what a backfill would do."""
