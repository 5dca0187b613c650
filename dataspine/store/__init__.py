"""SQLite and the payload archive: the only place that knows either."""
