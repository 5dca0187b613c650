"""The audit log: a hash chain of events in the store, its writer, anchors, exports and verification."""

from __future__ import annotations

from dataspine.audit.anchors import Anchor, append_anchor, needs_anchor, read_anchors
from dataspine.audit.chain import GENESIS, GENESIS_HASH, ChainReport, event_hash, verify_chain
from dataspine.audit.export import export_events, export_evidence, mirror
from dataspine.audit.verify import AuditReport, verify_file, verify_log
from dataspine.audit.writer import AuditLogWriter, append, append_many

__all__ = [
    "GENESIS",
    "GENESIS_HASH",
    "Anchor",
    "AuditLogWriter",
    "AuditReport",
    "ChainReport",
    "append",
    "append_anchor",
    "append_many",
    "event_hash",
    "export_events",
    "export_evidence",
    "mirror",
    "needs_anchor",
    "read_anchors",
    "verify_chain",
    "verify_file",
    "verify_log",
]
