"""Writing evidence: entries are committed with the change they tell of, and then published to the ledger's files.

An entry is part of the ledger from the moment its transaction commits; a crash before it is published is made good by the
next `publish`, in this process or another.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from retention.catalog import ledger_outbox
from retention.catalog.database import Catalog
from retention.evidence.commitments import CUSTOMER, ITEM, SUBSCRIPTION, Commitment, Commitments
from retention.evidence.entries import Entry
from retention.evidence.ledger import Ledger
from retention.evidence.note import Signer

_PAGE = 512


@dataclass(frozen=True, slots=True)
class Journal:
    """The way from a transaction to the ledger, and the commitments that stand for names in it."""

    catalog: Catalog
    ledger: Ledger
    signer: Signer
    commitments: Commitments

    def write(self, session: Session, *entries: Entry) -> range:
        """Commit the entries together with what else the session does; their positions in the ledger."""
        return ledger_outbox.append(session, [entry.encode() for entry in entries])

    def publish(self) -> None:
        """Everything committed so far stands in the ledger's files, signed. Nothing to publish changes nothing.

        Raises LedgerForked (of `retention.evidence.errors`) where the files hold other entries than the catalogue.
        """
        while True:
            with self.catalog.reading() as session:
                start, entries = ledger_outbox.unpublished(session, _PAGE)
            if not entries:
                return
            self.ledger.publish(start, entries, self.signer)
            with self.catalog.transaction() as session:
                ledger_outbox.mark_published(session, start + len(entries))

    def customer(self, name: str) -> Commitment:
        """What stands for the customer in the ledger."""
        return self.commitments.of(CUSTOMER, name)

    def subscription(self, name: str | None) -> Commitment | None:
        """What stands for the subscription; None for none."""
        return None if name is None else self.commitments.of(SUBSCRIPTION, name)

    def item(self, name: str) -> Commitment:
        """What stands for an object, a row or a cache key."""
        return self.commitments.of(ITEM, name)
