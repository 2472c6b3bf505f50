"""Where one customer's part of a dataset lies: templates of the policy made into places that can hold nobody else's data.

A customer's name is put into a template only where it cannot reach a neighbour's. In a folder a name never leaves its
segment, and no segment has two names. In a key pattern a name may not contain the delimiter that follows it, and no
wildcard stands before the customer. What cannot be told apart is refused, never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from retention.model.copy import Copy, CopyRole
from retention.model.fact import Part
from retention.model.policy import BackupPlan, Dataset, Location, Policy, Replica
from storage_adapters.contract import KeyPattern, Objects, Place, Prefix, Rows, TablePlace

CUSTOMER, SUBSCRIPTION, DATE = "{customer}", "{subscription}", "{date}"
ANY_TEXT = "*"
MOST_NAME_LENGTH = 200


def name_problem(name: str) -> str | None:
    """Why `name` cannot name a customer or a subscription anywhere, or None where it can."""
    if not name or len(name) > MOST_NAME_LENGTH:
        return f"has {len(name)} characters; 1 to {MOST_NAME_LENGTH} are allowed"
    if name in (".", "..") or "/" in name:
        return "is '.', '..' or contains '/', which would name a place outside its own folder"
    if not name.isprintable() or name != name.strip():
        return "contains control characters or begins or ends with a space"
    return None


class Unplaceable(Exception):
    """The template and the name together could reach somebody else's data; the message says why, without the name."""


def locate(
    policy: Policy,
    dataset: Dataset,
    customer: str,
    subscription: str | None = None,
    part: Part | None = None,
    others_remain: bool = False,
) -> tuple[Copy, ...]:
    """Every copy of the customer's part of the dataset: primaries, replicas, caches, backups, in this order.

    `subscription=None` covers all subscriptions. With `others_remain`, other subscriptions of the customer still need
    what they share with this one: primaries and replicas that do not name the subscription stay out. Where a part goes, or
    others remain, shared caches are cleared of the customer as a whole (they fill again), and such copies are `partial`.
    Where a part goes, a replica that has it under another name (rows as objects, one of several primaries) goes as a whole:
    it can be copied again.
    A copy that cannot be placed safely, or has no such part, has `place=None` and a `refusal`.
    """
    part = part or Part(dataset.name)
    copies = [_copy(CopyRole.PRIMARY, dataset, place, customer, subscription, part) for place in dataset.primary]
    copies += [_replica(dataset, replica, customer, subscription, part) for replica in dataset.replicas]
    if others_remain:
        copies = [copy for copy in copies if copy.subscription is not None]
    if any(copy.refusal is None for copy in copies):  # a part lies in one kind of place and not in the others
        copies = [copy for copy in copies if copy.refusal not in _NO_SUCH_PART]
    copies += [_copy(CopyRole.CACHE, dataset, place, customer, subscription, part) for place in dataset.caches]
    copies += [_backup_copy(dataset, policy.backups[name], part) for name in dataset.backups]
    if others_remain:
        copies = [replace(copy, partial=copy.partial or copy.subscription is None) for copy in copies]
    return _numbered(copies)


def _numbered(copies: Sequence[Copy]) -> tuple[Copy, ...]:
    """The copies with numbers that tell those of the same role in the same store apart; a replica keeps its own."""
    seen: Counter[str] = Counter()
    numbered = []
    for copy in copies:
        label = replace(copy, number=1).label
        seen[label] = max(seen[label] + 1, copy.number)
        numbered.append(replace(copy, number=seen[label]))
    return tuple(numbered)


def _copy(
    role: CopyRole, dataset: Dataset, where: Location, customer: str, subscription: str | None, part: Part
) -> Copy:
    meant = Part(dataset.name) if role is CopyRole.CACHE else part
    place, refusal = _placed(where, customer, subscription, meant)
    return Copy(
        dataset=dataset.name,
        store=where.store,
        role=role,
        subscription=subscription if where.names_subscription else None,
        place=place,
        refusal=refusal,
        partial=not part.is_whole_dataset,
    )


def _replica(dataset: Dataset, replica: Replica, customer: str, subscription: str | None, part: Part) -> Copy:
    is_other_form = part.table is not None and not replica.location.tables
    is_renamed = len(dataset.primary) > 1 and not part.is_whole_dataset
    meant = Part(dataset.name) if is_other_form or is_renamed else part
    copy = _copy(CopyRole.REPLICA, dataset, replica.location, customer, subscription, meant)
    return replace(copy, territory=replica.territory, recipient=replica.recipient, number=replica.number)


def _placed(where: Location, customer: str, subscription: str | None, part: Part) -> tuple[Place | None, str | None]:
    try:
        return place_of(where, customer, subscription, part), None
    except (Unplaceable, ValueError) as problem:
        return None, str(problem)


def _backup_copy(dataset: Dataset, backup: BackupPlan, part: Part) -> Copy:
    """The dataset in a series of backups. It has no place: which sets hold it is found when they are closed, set by set."""
    partial = not part.is_whole_dataset
    return Copy(dataset.name, backup.store, CopyRole.BACKUP, backup=backup.name, partial=partial)


def place_of(where: Location, customer: str, subscription: str | None, part: Part) -> Place:
    """The place that `where` means for this customer. Raises Unplaceable where that could be somebody else's too.

    Also where it has no such part: no rows in a store of objects, no objects in a database, no table of that name.
    """
    if where.tables:
        return _rows(where, customer, part)
    if where.keys is not None:
        if not part.is_whole_dataset:
            raise Unplaceable(_NO_PARTS)
        return KeyPattern(_key_parts(where.keys, customer, subscription))
    if part.table is not None:
        raise Unplaceable(_NO_ROWS)
    folder = _folder(where.prefix or "", customer, subscription)
    for name in (*part.objects, *([part.prefix] if part.prefix is not None else [])):
        _refuse_climbing(name)
    if part.objects:
        return Objects(tuple(folder + name for name in part.objects))
    return Prefix(folder + (part.prefix or ""))


_NO_PARTS = "keys of a cache have no parts that could be named"
_NO_ROWS = "there are no rows here, only objects"
_NO_OBJECTS = "there are no objects here, only rows"
_NO_TABLE = "the table is not among those of the dataset"
_NO_SUCH_PART = frozenset({_NO_PARTS, _NO_ROWS, _NO_OBJECTS, _NO_TABLE})


def _rows(where: Location, customer: str, part: Part) -> Rows:
    if part.prefix is not None or part.objects:
        raise Unplaceable(_NO_OBJECTS)
    if part.table is not None and part.table not in {table.name for table in where.tables}:
        raise Unplaceable(_NO_TABLE)
    if part.table is not None and not part.keys:
        raise Unplaceable("no row is named, and that must not mean every row")
    tables = tuple(TablePlace(t.name, t.customer, t.through, t.sealed) for t in where.tables)
    return Rows(tables, customer, part.table, tuple(dict(key) for key in part.keys))


def _refuse_climbing(name: str) -> None:
    """Refuse a name that a store or the way to it could shorten to another one."""
    if not name or any(segment in (".", "..") for segment in name.split("/")):
        raise Unplaceable("the name of the part is empty or has a '.' or '..' segment")


# ------------------------------------------------------------------------------------------------------------ folders


def _folder(template: str, customer: str, subscription: str | None = None) -> str:
    """The folder that the template means, above the segment with the subscription where that has no name."""
    segments = template.removesuffix("/").split("/")
    if subscription is None:
        segments = segments[: next((i for i, segment in enumerate(segments) if SUBSCRIPTION in segment), len(segments))]
    if not template.endswith("/") or not any(CUSTOMER in segment for segment in segments):
        raise Unplaceable(f"{template!r} names no folder of the customer's alone")
    return "".join(_segment(template, segment, customer, subscription) + "/" for segment in segments)


def _segment(template: str, segment: str, customer: str, subscription: str | None) -> str:
    if segment.count("{") > 1:
        raise Unplaceable(f"{template!r} has two names in one segment, which could be cut in two ways")
    if CUSTOMER in segment:
        segment = segment.replace(CUSTOMER, _allowed(customer))
    elif SUBSCRIPTION in segment:
        segment = segment.replace(SUBSCRIPTION, _allowed(subscription))
    if segment in ("", ".", ".."):
        raise Unplaceable(f"{template!r} has an empty, '.' or '..' segment")
    return segment


def _allowed(name: str | None) -> str:
    if name is None or (problem := name_problem(name)):
        raise Unplaceable("a name is missing" if name is None else f"the name {problem}")
    return name


# --------------------------------------------------------------------------------------------------------- key patterns


def _key_parts(template: str, customer: str, subscription: str | None) -> tuple[str | None, ...]:
    """Literal pieces of a key pattern with None for any text; without a subscription, its placeholder is any text."""
    names = {CUSTOMER: customer, SUBSCRIPTION: subscription}
    pieces = _pieces(template)
    parts: list[str | None] = []
    for piece, following in pairwise([*pieces, ""]):
        if piece == CUSTOMER and None in parts:
            raise Unplaceable(
                f"{template!r} has a wildcard before the customer, which could be another customer's name"
            )
        if piece == ANY_TEXT or (piece == SUBSCRIPTION and subscription is None):
            parts.append(None)
        elif piece in names:
            parts.append(_delimited(template, _allowed(names[piece]), following))
        else:
            parts.append(piece)
    if CUSTOMER not in pieces:
        raise Unplaceable(f"{template!r} names no customer")
    return tuple(parts)


def _delimited(template: str, name: str, following: str) -> str:
    """The name, which ends at the first character of the literal that follows it, or at the end of the key."""
    if following in (ANY_TEXT, CUSTOMER, SUBSCRIPTION):
        raise Unplaceable(f"{template!r} has no delimiter behind a name, so that it would reach longer names too")
    if following and following[0] in name:
        raise Unplaceable(f"the name contains {following[0]!r}, which ends a name in {template!r}")
    return name


def _pieces(template: str) -> list[str]:
    """The template cut into placeholders, wildcards and the literals between them."""
    for token in (CUSTOMER, SUBSCRIPTION, ANY_TEXT):
        template = template.replace(token, f"\x00{token}\x00")
    return [piece for piece in template.split("\x00") if piece]


def unplaceable_locations(policy: Policy, customer: str) -> tuple[str, ...]:
    """Why this customer's data could not be told apart somewhere, one sentence each; empty where all is well."""
    return tuple(
        f"in {copy.label}: {copy.refusal}"
        for dataset in policy.datasets.values()
        for copy in locate(policy, dataset, customer)
        if copy.refusal
    )
