"""Seal and open streams under a customer's key; where the data must not be read or written, refuse before the first byte."""

from __future__ import annotations

from typing import BinaryIO

from retention.catalog import cases as case_rows
from retention.errors import InputError
from retention.keys.sealed import Binding, ObjectSubject
from retention.keys.sealer import Sealer
from retention.model.policy import Dataset, Encryption
from retention.workflows.deployment import Deployment


def seal(deployment: Deployment, customer: str, dataset: str, name: str, source: BinaryIO, target: BinaryIO) -> int:
    """All of `source`, sealed for this object of the customer's, is in `target`; the bytes written.

    Makes the customer's key on first use. Raises KeyRefused where the data is restricted or tombstoned, NotYet where an
    older deletion of this place is not verified, InputError for a dataset that the policy does not seal.
    """
    rule = _dataset(deployment, dataset)
    if rule.encrypted is Encryption.NO:
        raise InputError(f"dataset {dataset!r} is `encrypted: no` in the policy; it is stored plain")
    with deployment.catalog.reading() as session:
        case_rows.refuse_writing(session, customer, dataset)
    binding = Binding(customer, dataset, ObjectSubject(name))
    return Sealer(deployment.keyring).seal(binding, source, target, own_key=rule.encrypted is Encryption.OBJECT)


def open_sealed(
    deployment: Deployment, customer: str, dataset: str, name: str, source: BinaryIO, target: BinaryIO
) -> int:
    """All of `source`, opened, is in `target`; the bytes written. What was written is void when this raises.

    Raises KeyGone after a shred, KeyRefused while restricted or tombstoned, NotSealed, NotAuthentic.
    """
    _dataset(deployment, dataset)
    return Sealer(deployment.keyring).open(Binding(customer, dataset, ObjectSubject(name)), source, target)


def _dataset(deployment: Deployment, name: str) -> Dataset:
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    if name not in policy.datasets:
        raise InputError(f"dataset {name!r} is not in the policy; it has {', '.join(sorted(policy.datasets))}")
    return policy.datasets[name]
