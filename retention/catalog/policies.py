"""Adopted policy versions and approvals."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, select

from retention.catalog import leases
from retention.catalog.tables import ApprovalRow, PolicyRow

_LOCK = "policies"
"""Who adopts or approves looks first whether it was done; two at the same moment take turns."""


def has_version(session: Session, policy_hash: str) -> bool:
    """Whether this version was adopted."""
    return session.exec(select(PolicyRow.hash).where(PolicyRow.hash == policy_hash)).first() is not None


def add_version(session: Session, policy_hash: str, version: str, document: str, now: datetime) -> bool:
    """The version is adopted; False where it was already. `document` is its canonical text."""
    leases.hold_still(session, _LOCK)
    if has_version(session, policy_hash):
        return False
    session.add(PolicyRow(hash=policy_hash, version=version, document=document, adopted_at=now))
    session.flush()
    return True


def documents(session: Session) -> tuple[str, ...]:
    """The canonical documents of all adopted versions, the oldest adoption first."""
    return tuple(session.exec(select(PolicyRow.document).order_by(col(PolicyRow.position))))


def approve(session: Session, subject: str, officer: str, now: datetime) -> bool:
    """Record that `officer` approves the plan or policy with the content hash `subject`; False where they had already."""
    leases.hold_still(session, _LOCK)
    if session.get(ApprovalRow, (subject, officer)) is not None:
        return False
    session.add(ApprovalRow(subject=subject, officer=officer, at=now))
    session.flush()
    return True


def approval_count(session: Session, subject: str) -> int:
    """How many different officers approved it."""
    query = select(func.count()).select_from(ApprovalRow).where(ApprovalRow.subject == subject)
    return session.exec(query).one()
