"""Contracts on records and invariants of batches."""
