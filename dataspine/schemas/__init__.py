"""Every noun: canonical records and their rules, source profiles, payloads, runs, dead letters, audit events."""
