"""From where the bytes are to chunks of records as text."""
