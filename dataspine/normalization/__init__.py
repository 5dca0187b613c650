"""Text columns to exact typed columns, by the source's profile."""
