"""Loopback vendors with a seeded market and planted faults: for tests, demonstrations and training."""
