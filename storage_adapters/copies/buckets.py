"""S3 buckets as the two ends of a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from storage_adapters.contract import Objects, Place, Prefix
from storage_adapters.copies.contract import BLOCK_SIZE, Arrived, Piece, checked_parts
from storage_adapters.errors import Refused
from storage_adapters.s3 import S3Settings, listing
from storage_adapters.s3.entries import Entry, is_record
from storage_adapters.s3.reading import blocks
from storage_adapters.s3.records import KEY_LIMIT
from storage_adapters.s3.uploading import PART_SIZE, upload
from storage_adapters.s3.wire import Wire


class ObjectsSource:
    """What a plain reader of a bucket sees at a `Prefix` or of `Objects`, under the contract of `CopySource`.

    One piece per object, in the order of the keys' UTF-8 bytes, which is S3's; the cursor is the key. Superseded versions,
    delete markers and what lies under them, and the records of tombstones are left out, as are the empty objects whose
    key ends with `/`, by which consoles mark a folder. Of a prefix the name is the key without it, of `Objects` the key.
    """

    def __init__(self, name: str, settings: S3Settings) -> None:
        """Connects to nothing yet. Raises Refused where the AWS configuration cannot be read."""
        self._name = name
        self._wire = Wire(name, settings)

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def pieces(self, place: Place, after: str | None = None) -> Iterator[Piece]:
        """As the contract says; also raises Refused where the store does not list in order, as directory buckets do."""
        own = _own(place)
        start = len(own.prefix) if isinstance(own, Prefix) else 0
        return (Piece(entry.key[start:], entry.key) for entry in self._entries(own, after or ""))

    def read(self, place: Place, piece: Piece) -> Iterator[bytes] | None:
        """Each range is asked for with If-Match, so an object that is overwritten meanwhile is Unavailable, not mixed."""
        own = _own(place)
        key = own.prefix + piece.name if isinstance(own, Prefix) else piece.name
        if key != piece.cursor or (isinstance(own, Objects) and key not in own.names):
            raise ValueError("the piece is not of this place")
        return blocks(self._wire, key, BLOCK_SIZE)

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._wire.close()

    def _entries(self, own: Prefix | Objects, after: str) -> Iterator[Entry]:
        if isinstance(own, Objects):
            own = Objects(tuple(sorted(name for name in set(own.names) if name > after)))
        last = after
        for page in listing.objects(self._wire, own, after):
            for entry in page:
                if is_record(entry.key) or entry.key <= after:
                    continue
                if entry.key <= last:
                    raise Refused(self._name, "the store does not list in order, so a copy could not be resumed")
                last = entry.key
                if entry.size or not entry.key.endswith("/"):
                    yield entry


class BucketTarget:
    """A bucket, under the contract of `CopyTarget`. `part_size` is 5 MiB at least: S3 takes no smaller part."""

    def __init__(self, name: str, settings: S3Settings, *, part_size: int = PART_SIZE) -> None:
        """Connects to nothing yet. Raises Refused where the AWS configuration cannot be read."""
        self._name = name
        self._wire = Wire(name, settings)
        self._part_size = part_size

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def put(self, place: Prefix, name: str, content: Iterator[bytes], before_block: Callable[[], None]) -> Arrived:
        """At once up to the size of a part, else as a multipart upload; see `storage_adapters.s3.uploading.upload`."""
        checked_parts(self._name, name)
        key = place.prefix + name
        self._check(key)
        done = upload(self._wire, key, content, before_block, part_size=self._part_size)
        return Arrived(name, done.size, done.sha256)

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._wire.close()

    def _check(self, key: str) -> None:
        try:
            length = len(key.encode())
        except UnicodeEncodeError as error:
            raise Refused(self._name, "a name is not Unicode, as the keys of a bucket are") from error
        if length > KEY_LIMIT:
            raise Refused(self._name, f"a key is longer than {KEY_LIMIT} bytes")
        if is_record(key):
            raise Refused(self._name, "the name is reserved for the record of a tombstone")


def _own(place: Place) -> Prefix | Objects:
    """The place, if it is one that a bucket has; else ValueError."""
    match place:
        case Prefix(prefix):
            prefix.encode()
            return place
        case Objects(names) if all(names):
            "".join(names).encode()
            return place
        case _:
            raise ValueError(f"a bucket has prefixes, and objects with a name, not {type(place).__name__}")
