"""Writing evidence: entries are committed with the change they tell of, and then published to the ledger's files.

An entry is part of the ledger from the moment its transaction commits; a crash before it is published is made good by the
next `publish`, in this process or another. What an entry leaves out and a replay needs goes the same way, to files beside
the ledger, and is durable there before the entry is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlmodel import Session

from retention.catalog import ledger_outbox
from retention.catalog.database import Catalog
from retention.catalog.standings import standing_of
from retention.errors import NotInOrder
from retention.evidence.commitments import CUSTOMER, ITEM, SUBSCRIPTION, Commitment, Commitments
from retention.evidence.entries import Entry
from retention.evidence.errors import Malformed
from retention.evidence.ledger import Ledger
from retention.evidence.note import Signer
from retention.evidence.particulars import decode_particulars, encode_particulars
from retention.evidence.particulars_files import ParticularsFiles
from retention.model.particulars import NOTHING, Particulars

_PAGE = 512


@dataclass(frozen=True, slots=True)
class Told:
    """An entry with what it leaves out."""

    entry: Entry
    particulars: Particulars


@dataclass(frozen=True, slots=True)
class Journal:
    """The way from a transaction to the ledger, and the commitments that stand for names in it."""

    catalog: Catalog
    ledger: Ledger
    particulars: ParticularsFiles
    signer: Signer
    commitments: Commitments

    def write(self, session: Session, *entries: Entry | Told) -> range:
        """Commit the entries together with what else the session does; their positions in the ledger."""
        told = [entry if isinstance(entry, Told) else Told(entry, NOTHING) for entry in entries]
        return ledger_outbox.append(
            session,
            [each.entry.encode() for each in told],
            [encode_particulars(each.particulars) for each in told],
        )

    def add_standing(self, session: Session, strand_id: str) -> None:
        """How far the strand has come is told with the last entry that this transaction wrote; where it wrote none, nothing.

        Call it last: what is changed afterwards, in a transaction without an entry, is not told.
        """
        position = ledger_outbox.last_written(session)
        if position is None:
            return
        known = decode_particulars(ledger_outbox.particulars_of(session, position) or b"{}")
        told = replace(known, standing=standing_of(session, strand_id))
        ledger_outbox.put_particulars(session, position, encode_particulars(told))

    def publish(self) -> None:
        """Everything committed so far stands in the ledger's files, signed. Nothing to publish changes nothing.

        Raises LedgerForked (of `retention.evidence.errors`) where the files hold other entries than the catalogue, and
        NotInOrder where they hold more: somebody has put an old catalogue in its place.
        """
        while self._publish_page():
            pass
        self.check_age()

    def _publish_page(self) -> bool:
        with self.catalog.reading() as session:
            start, entries = ledger_outbox.unpublished(session, _PAGE)
            belongs = ledger_outbox.unpublished_particulars(session, range(start, start + len(entries)))
        if not entries:
            return False
        records = [(entry, text or b"{}") for entry, text in zip(entries, belongs, strict=True)]
        with self.particulars.locked():
            self.particulars.put(self.ledger.checkpoint().size, start, records)
            self.ledger.publish(start, entries, self.signer)
        with self.catalog.transaction() as session:
            ledger_outbox.mark_published(session, start + len(entries))
        return True

    def unknown(self) -> range:
        """The positions of the ledger's entries that the catalogue does not know; empty where it is not behind.

        Raises NotInOrder where the ledger has fewer entries than were published to it.
        """
        with self.catalog.reading() as session:  # in this order: others may publish meanwhile, and only ever more
            published = ledger_outbox.published(session)
        size = self.ledger.checkpoint().size
        with self.catalog.reading() as session:
            known = ledger_outbox.size(session)
        if size < published:
            raise NotInOrder(
                f"the ledger has {size} entries and {published} were published: it was cut off or replaced"
            )
        return range(known, max(known, size))

    def check_age(self) -> None:
        """Return where the catalogue knows all of its ledger; else raise NotInOrder, also where the ledger was cut off."""
        unknown = self.unknown()
        if unknown:
            raise NotInOrder(behind(unknown))

    def customer(self, name: str) -> Commitment:
        """What stands for the customer in the ledger."""
        return self.commitments.of(CUSTOMER, name)

    def subscription(self, name: str | None) -> Commitment | None:
        """What stands for the subscription; None for none."""
        return None if name is None else self.commitments.of(SUBSCRIPTION, name)

    def item(self, name: str) -> Commitment:
        """What stands for an object, a row or a cache key; of a name that is no Unicode, for `bytes:` and their hex."""
        try:
            return self.commitments.of(ITEM, name)
        except Malformed:
            return self.commitments.of(ITEM, f"bytes:{name.encode('utf-8', 'surrogateescape').hex()}")


def behind(unknown: range) -> str:
    """Why nothing is done with a catalogue that does not know these entries of its ledger, and what helps."""
    return (
        f"the catalogue is behind the ledger: it knows {unknown.start} entries and the ledger has {unknown.stop}; it was "
        "restored from an old copy. Nothing is read, opened or deleted with it before what happened since is replayed: "
        "`retention run --once`, or the daemon at its start, does that"
    )
