"""Old versions of rows: what a run replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataspine.store.rows import FAMILIES

if TYPE_CHECKING:
    from dataspine.schemas.source import Kind
    from dataspine.store.sqlite import Connection

CHANGES_SHOWN = 20
"""Old and new values that one audit event carries; the rest stand in the revisions."""


def newest_changes(tx: Connection, kind: Kind, run_id: int) -> list[dict[str, object]]:
    """The first changes that a run made: key, old and new value of each field that differs."""
    family = FAMILIES[kind]
    names = (*family.keys, *family.values)
    olds = ", ".join(f"r.{name}" for name in names)
    news = ", ".join(f"m.{name}" for name in family.values)
    same_key = " AND ".join(f"m.{name} = r.{name}" for name in ("source_id", *family.keys))
    found = tx.execute(
        f"SELECT {olds}, {news} FROM {family.revisions} r JOIN {family.table} m ON {same_key}"
        " WHERE r.superseded_by = ? ORDER BY r.revision_id LIMIT ?",
        (run_id, CHANGES_SHOWN),
    )
    changes: list[dict[str, object]] = []
    for row in found.fetchall():
        key = dict(zip(family.keys, row, strict=False))
        old = row[len(family.keys) : len(names)]
        new = row[len(names) :]
        fields = {
            name: {"old": before, "new": after}
            for name, before, after in zip(family.values, old, new, strict=True)
            if before != after
        }
        changes.append({"key": key, "fields": fields})
    return changes
