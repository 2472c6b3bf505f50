"""The patterns that SCAN takes. They narrow what the server sends; which keys are meant is decided here, not there.

Source: Redis KEYS command, "Supported glob-style patterns".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = re.compile(rb"[*?\[\]\\]")


def exact_glob(parts: Sequence[bytes | None]) -> bytes:
    """The pattern that matches just what the parts mean, every glob character in a literal escaped."""
    return b"".join(b"*" if part is None else _SPECIAL.sub(rb"\\\g<0>", part) for part in parts)


def loose_glob(parts: Sequence[bytes | None]) -> bytes:
    """A pattern without any escape that matches what the parts mean, and more.

    Every glob character may be any byte, and anything may come before, so that no reading of escapes or of a cluster's
    hash tags that `exact_glob` relies on is relied on here.
    """
    return b"*" + b"".join(b"*" if part is None else _SPECIAL.sub(b"?", part) for part in parts)
