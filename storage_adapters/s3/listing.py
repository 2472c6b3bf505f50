"""Everything that lies at a place, page by page, in each of the ways in which S3 lists.

Keys are asked for percent-encoded (`encoding-type=url`), because XML cannot carry every key. What a store lists outside
the asked prefix is never passed on: the listing is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from storage_adapters.contract import PAGE_SIZE, ItemKind, Objects, Prefix
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.s3 import answers
from storage_adapters.s3.answers import Cursor, Listing
from storage_adapters.s3.bucket import Versioning
from storage_adapters.s3.entries import NULL_VERSION, Entry
from storage_adapters.s3.records import KEY_LIMIT, record_key
from storage_adapters.s3.refusals import NOT_OFFERED, Declined
from storage_adapters.s3.wire import Request, Wire

Place = Prefix | Objects
Entries = Iterator[list[Entry]]
Read = Callable[[bytes], Listing]


def versions(wire: Wire, place: Place, versioning: Versioning) -> Entries:
    """Every version and delete marker at the place; on a bucket that never had versions its objects.

    Pages of 1 to 1,000 entries of one listing, versions of a key newest first. A store that does not offer the listing
    of versions is asked for its objects instead, as long as it does not say that it keeps versions.
    """
    if versioning is not Versioning.NEVER:
        yield from _everywhere(wire, place, "versions", answers.versions)
        return
    try:
        for page in _everywhere(wire, place, "versions", answers.versions):
            yield [_unversioned(entry) for entry in page]
    except Declined as declined:
        if declined.code not in NOT_OFFERED:
            raise
        yield from objects(wire, place)


def objects(wire: Wire, place: Place, after: str = "") -> Entries:
    """Every object that a plain reader sees at the place, by ListObjectsV2; of a prefix those behind the key `after`.

    A store that does not know `start-after` gives the others too.
    """
    yield from _everywhere(wire, place, "", answers.objects, (("start-after", after),) if after else ())


def uploads(wire: Wire, place: Place) -> Entries:
    """Every incomplete multipart upload at the place; none where the store knows no such thing."""
    try:
        yield from _everywhere(wire, place, "uploads", answers.uploads)
    except Declined as declined:
        if declined.code not in NOT_OFFERED:
            raise


def _unversioned(entry: Entry) -> Entry:
    if entry.kind is ItemKind.VERSION and entry.id == NULL_VERSION:
        return entry._replace(kind=ItemKind.OBJECT, id=None)
    return entry


def _everywhere(wire: Wire, place: Place, subresource: str, read: Read, start: Cursor = ()) -> Entries:
    match place:
        case Prefix(prefix):
            for page in _pages(wire, prefix, subresource, read, start):
                if not all(entry.key.startswith(prefix) for entry in page.entries):
                    raise Refused(wire.store, "the store lists keys outside the prefix it was asked for")
                if page.entries:
                    yield page.entries
        case Objects(names):
            yield from _full_pages(_of_each(wire, names, subresource, read))


def _of_each(wire: Wire, names: tuple[str, ...], subresource: str, read: Read) -> Iterator[Entry]:
    """The entries of each name, then those of the records of their tombstones, folder by folder."""
    possible = [name for name in dict.fromkeys(names) if len(name.encode()) <= KEY_LIMIT]
    for name in possible:
        yield from _exactly(wire, name, subresource, read)
    if subresource != "uploads":  # a record is never uploaded in parts
        records = {record_key(name) for name in possible}
        for folder in sorted({key[: key.rfind("/") + 1] for key in records}):
            for page in _pages(wire, folder, subresource, read):
                yield from (entry for entry in page.entries if entry.key in records)


def _exactly(wire: Wire, name: str, subresource: str, read: Read) -> Iterator[Entry]:
    """The entries of just this key. It is the first of all keys that begin with it, so the listing stops behind it."""
    for page in _pages(wire, name, subresource, read):
        yield from (entry for entry in page.entries if entry.key == name)
        if any(entry.key > name for entry in page.entries):
            return


def _full_pages(entries: Iterator[Entry]) -> Entries:
    page: list[Entry] = []
    for entry in entries:
        page.append(entry)
        if len(page) == PAGE_SIZE:
            yield page
            page = []
    if page:
        yield page


def _pages(wire: Wire, prefix: str, subresource: str, read: Read, cursor: Cursor = ()) -> Iterator[Listing]:
    """The pages of one listing. Raises Unavailable where the store sends the same cursor twice: it would never end."""
    size = "max-uploads" if subresource == "uploads" else "max-keys"
    while True:
        request = Request(
            "GET",
            query=(
                (subresource, None) if subresource else ("list-type", "2"),
                ("encoding-type", "url"),
                (size, str(PAGE_SIZE)),
                ("prefix", prefix),
                *cursor,
            ),
        )
        page = wire.ask(request, lambda answer: read(answer.body))
        yield page
        if not page.cursor:
            return
        if page.cursor == cursor:
            raise Unavailable(wire.store, "the listing does not move on")
        cursor = page.cursor
