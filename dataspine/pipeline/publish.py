"""One run's writing: chunk after chunk into the store, and everything back out if the run does not hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from dataspine.pipeline.canonical import OrderMeter, RunDigest, key_columns
from dataspine.pipeline.stages import conflict_refusals
from dataspine.schemas.dead_letter import LetterState, NewLetter, Scope
from dataspine.schemas.run import RunCounts
from dataspine.schemas.source import Kind
from dataspine.store import dead_letters, rows
from dataspine.store.rows import Receipt
from dataspine.store.sources import SymbolNumbers
from dataspine.validation.contracts import CONTRACT_VERSION

if TYPE_CHECKING:
    from dataspine.pipeline.stages import Outcome
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.dead_letters import KnownLetter
    from dataspine.store.sqlite import Connection


class CrossChunkConflict(Exception):
    """A key came in two chunks of this payload, in a way that only all of them together can settle."""


@dataclass(slots=True)
class Tally:
    """Counters of a run in progress."""

    rows_read: int = 0
    inserted: int = 0
    unchanged: int = 0
    corrected: int = 0
    rejected: int = 0
    duplicate: int = 0
    skipped: int = 0
    out_of_order: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    skipped_by: dict[str, int] = field(default_factory=dict)

    def read(self, outcome: Outcome) -> None:
        """Count what was read, refused and skipped."""
        self.rows_read += outcome.records
        self.rejected += outcome.rejected.height
        self.duplicate += outcome.duplicate
        for rule, lines in outcome.skipped.items():
            self.skipped += lines
            self.skipped_by[rule] = self.skipped_by.get(rule, 0) + lines
        for code, records in outcome.rejected["code"].value_counts().iter_rows():
            self.reasons[code] = self.reasons.get(code, 0) + records

    def counts(self) -> RunCounts:
        """The account as it stands."""
        return RunCounts(
            self.rows_read,
            self.inserted,
            self.unchanged,
            self.corrected,
            self.rejected,
            self.duplicate,
            self.skipped,
            self.out_of_order,
            dict(sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))),
            dict(sorted(self.skipped_by.items())),
        )


class Publication:
    """Writes the outcomes of one run."""

    def __init__(
        self,
        profile: SourceProfile,
        *,
        source_id: int,
        payload_id: int,
        run_id: int,
        received_at_us: int,
        known_letters: dict[tuple[str, int], KnownLetter] | None = None,
    ) -> None:
        self.profile = profile
        self.known_letters = known_letters or {}
        self.source_id = source_id
        self.payload_id = payload_id
        self.run_id = run_id
        self.tally = Tally()
        self.digest = RunDigest(profile.kind)
        self.resolved: list[int] = []
        """Letters to close when the run is published."""
        self._family = rows.FAMILIES[profile.kind]
        self._order = OrderMeter()
        self._symbols = SymbolNumbers(source_id, profile.symbology.name)
        self._receipt = Receipt(received_at_us, payload_id)
        self._seen: list[pl.Series] = []
        """Hashes of each chunk's keys, 8 bytes a record, to find those that came in two chunks."""

    def write(self, tx: Connection, outcome: Outcome) -> Outcome:
        """Store a chunk's rows and count everything; the outcome as it was stored.

        Raises: CrossChunkConflict if a key of an earlier chunk comes back with other values; nothing counts then.
        """
        stored = self._stored_form(tx, outcome.accepted)
        found = rows.compare(tx, stored, self._family, source_id=self.source_id, run_id=self.run_id)
        if found.conflicting.height:
            raise CrossChunkConflict
        self._remember(outcome, found.repeated)
        # Bytes that came again do not undo what a payload received after them has restated.
        later = self._receipt._replace(payload_id=self.payload_id + 1)
        restated = rows.received_since(tx, found.corrected, self._family, self.source_id, later)
        corrected = found.corrected.join(
            restated.select("position"), on="position", how="anti", maintain_order="left"
        )
        if corrected.height and self.profile.contract.conflict == "dead":
            outcome, corrected = refuse_rows(outcome, corrected, self.profile), corrected.clear()
        place = {"source_id": self.source_id, "run_id": self.run_id}
        self.tally.inserted += rows.insert(tx, found.new, self._family, **place)
        self.tally.corrected += rows.correct(tx, corrected, self._family, **place)
        self.tally.unchanged += found.unchanged + restated.height
        if found.repeated.height:
            repeats = found.repeated.select("position")
            unique = outcome.accepted.join(repeats, on="position", how="anti", maintain_order="left")
            outcome = replace(outcome, accepted=unique, duplicate=outcome.duplicate + repeats.height)
        self.tally.read(outcome)
        self.tally.out_of_order += self._order.count(outcome.accepted)
        self.digest.add(outcome.accepted)
        return outcome

    def _remember(self, outcome: Outcome, repeated: pl.DataFrame) -> None:
        keys = key_columns(self.profile.kind)
        rows = outcome.accepted
        if repeated.height:
            # The store has told already that these are what this run wrote before.
            rows = rows.join(repeated.select("position"), on="position", how="anti")
        self._seen.append(rows.select(keys).hash_rows())
        if outcome.conflicting is not None:
            self._seen.append(outcome.conflicting.hash_rows())

    def check_repeats(self) -> None:
        """Find keys of two chunks whose repetition the store could not tell: it held them before, or has neither.

        Raises: CrossChunkConflict. Two keys of one hash only cost the second pass.
        """
        seen = pl.concat(self._seen).sort() if self._seen else pl.Series(dtype=pl.UInt64)
        if (seen == seen.shift()).any():
            raise CrossChunkConflict

    def write_letters(self, tx: Connection, outcome: Outcome, *, now_us: int) -> None:
        """Keep a chunk's refused records, and note open letters of this payload whose records are good by now."""
        known = [position for scope, position in self.known_letters if scope == Scope.RECORD]
        new = outcome.rejected
        if known:
            new = new.filter(~pl.col("position").is_in(known))
            good = outcome.accepted.filter(pl.col("position").is_in(known))["position"].to_list()
            letters = [self.known_letters[Scope.RECORD, position] for position in good]
            self.resolved += [letter.letter_id for letter in letters if letter.state == LetterState.OPEN]
        dead_letters.insert(
            tx,
            letters_of(replace(outcome, rejected=new)),
            source_id=self.source_id,
            payload_id=self.payload_id,
            run_id=self.run_id,
            now_us=now_us,
        )

    def without_newer(self, tx: Connection, outcome: Outcome, receipt: Receipt) -> Outcome:
        """The outcome with rows refused whose key has other values by a payload of this receipt or a later one.

        A letter that passes late must not undo what the vendor restated since, nor another record of its own payload.
        """
        stored = self._stored_form(tx, outcome.accepted)
        found = rows.compare(tx, stored, self._family, source_id=self.source_id, run_id=self.run_id)
        newer = rows.received_since(tx, found.corrected, self._family, self.source_id, receipt)
        return refuse_rows(outcome, newer, self.profile) if newer.height else outcome

    def afresh(self) -> Publication:
        """The same run with nothing counted yet."""
        return Publication(
            self.profile,
            source_id=self.source_id,
            payload_id=self.payload_id,
            run_id=self.run_id,
            received_at_us=self._receipt.received_at_us,
            known_letters=self.known_letters,
        )

    def roll_back(self, tx: Connection) -> None:
        """Take back all that this run wrote."""
        rows.roll_back(tx, self._family, source_id=self.source_id, run_id=self.run_id)
        dead_letters.remove_of_run(tx, self.run_id, self.payload_id)

    def _stored_form(self, tx: Connection, accepted: pl.DataFrame) -> pl.DataFrame:
        """Accepted rows with the store's columns; new symbols get their numbers."""
        pairs = accepted.select("source_symbol", "symbol").unique(maintain_order=True).rows()
        return stored_form(accepted, self.profile, self._symbols.numbers(tx, pairs))


def stored_form(accepted: pl.DataFrame, profile: SourceProfile, numbers: dict[str, int]) -> pl.DataFrame:
    """Accepted rows with the store's columns: numbers for symbols, INTEGER volumes where volumes are whole."""
    family = rows.FAMILIES[profile.kind]
    frame = accepted.rename({"timestamp": "timestamp_us"}).with_columns(
        symbol_id=accepted["symbol"].replace_strict(
            list(numbers), list(numbers.values()), return_dtype=pl.Int64
        )
    )
    if profile.kind is Kind.MARKET and profile.volume == "integer":
        frame = frame.with_columns(pl.col("volume").cast(pl.Int64))
    return frame.select(*family.keys, *family.values, "position")


def refuse_rows(outcome: Outcome, rows_at_odds: pl.DataFrame, profile: SourceProfile) -> Outcome:
    """The outcome with rows refused that contradict what an earlier payload brought."""
    at_odds = rows_at_odds.select("position")
    refused = outcome.accepted.join(at_odds, on="position", how="semi", maintain_order="left")
    return replace(
        outcome,
        accepted=outcome.accepted.join(at_odds, on="position", how="anti", maintain_order="left"),
        rejected=pl.concat([outcome.rejected, conflict_refusals(refused, profile)]).sort("position"),
    )


def letters_of(outcome: Outcome) -> list[NewLetter]:
    """A letter for each refused record of a chunk."""
    refused = outcome.rejected
    if not refused.height:
        return []
    positions = refused["position"].to_list()
    return [
        NewLetter(
            scope=Scope.RECORD,
            position=position,
            raw=raw,
            reasons_json=reasons_json,
            code=code,
            fingerprint=fingerprint,
            rule_version=CONTRACT_VERSION,
            context=context,
        )
        for position, code, fingerprint, reasons_json, raw, context in zip(
            positions,
            refused["code"].to_list(),
            refused["fingerprint"].to_list(),
            refused["reasons_json"].to_list(),
            outcome.raw(positions),
            outcome.contexts(positions),
            strict=True,
        )
    ]
