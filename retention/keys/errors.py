"""What can go wrong with keys, told apart by what the caller does next."""

from __future__ import annotations

from retention.errors import NotInOrder, RefusedByRule, RetentionError


class KeysError(RetentionError):
    """A key could not be used. No message holds a customer, a name or key material."""


class NotSealed(KeysError):
    """The content is not in the sealed format, or in a version or algorithm that this program does not know."""


class NotAuthentic(KeysError, NotInOrder):
    """The content or the wrapped key is not what was sealed: changed, cut, moved, or another key's."""


class KeyGone(KeysError):
    """There is no such key: it was shredded, or never made. What it sealed stays closed."""


class KeyRefused(KeysError, RefusedByRule):
    """The key is restricted or tombstoned: every read and write is refused until it is live again."""


class EpochGone(KeysError):
    """The provider has no such epoch key: it was destroyed, or never made here."""


class ProviderRefused(KeysError):
    """The provider is not in a state in which it may be used (permissions, damage). Somebody has to look."""


class KeysUnavailable(KeysError):
    """The provider or key store could not be reached, or kept changing. Repeat it: every call is idempotent."""
