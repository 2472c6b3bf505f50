"""One owner at a time: a lease with a fencing epoch.

Source: the fencing token, M. Kleppmann, "How to do distributed locking" (2016): a holder that was asleep is refused by the
number, not by its own clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, select

from retention.catalog.rows import put_if_absent
from retention.catalog.tables import LeaseRow

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act, until somebody else takes it over. `epoch` grows with every change of holder."""

    name: str
    holder: str
    epoch: int


def take(session: Session, name: str, holder: str, now: datetime, term: timedelta) -> Lease | None:
    """The lease for `term` from `now`, or None while another holder's has not expired. The holder itself gets it anew.

    `now` is the machine's own clock, aware UTC.
    """
    row = _row(session, name)
    if row is None:
        put_if_absent(session, LeaseRow, name=name, holder="", epoch=0, expires_at=now)
        row = _row(session, name)
        assert row is not None
    if row.holder != holder and row.expires_at > now:
        return None
    row.epoch += 1
    row.holder, row.expires_at = holder, now + term
    session.add(row)
    session.flush()
    return Lease(name, holder, row.epoch)


def renew(session: Session, lease: Lease, now: datetime, term: timedelta) -> bool:
    """Hold the lease for another `term`; False where it has been taken over. Call it in every writing transaction."""
    row = _row(session, lease.name)
    if row is None or (row.holder, row.epoch) != (lease.holder, lease.epoch):
        return False
    row.expires_at = now + term
    session.add(row)
    session.flush()
    return True


def give_up(session: Session, lease: Lease, now: datetime) -> None:
    """Let the next one in at once. Does nothing where the lease was taken over already."""
    row = _row(session, lease.name)
    if row is not None and (row.holder, row.epoch) == (lease.holder, lease.epoch):
        row.expires_at = now
        session.add(row)


def hold_still(session: Session, name: str, *, share: bool = False) -> None:
    """What the name stands for is changed by nobody else until this transaction ends.

    With `share`, several transactions that only rely on it may do so at once, and whoever changes it waits for them.
    """
    query = select(LeaseRow).where(LeaseRow.name == name).with_for_update(read=share)
    if session.exec(query).one_or_none() is None:
        put_if_absent(session, LeaseRow, name=name, holder="", epoch=0, expires_at=_NEVER)
        session.exec(query).one()


def _row(session: Session, name: str) -> LeaseRow | None:
    return session.exec(select(LeaseRow).where(LeaseRow.name == name).with_for_update()).one_or_none()
