"""Elements of HTML and SVG whose text is escaped because there is no other way to put text into them. Pure."""

from __future__ import annotations

import re
from html import escape

from retention.reports.wording import sound

_VOID = frozenset({"meta", "col", "rect", "line"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Markup(str):
    """Text that is markup already. Only `element` and `joined` make it."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: str) -> Markup:
    """`<name …>content</name>`. Content that is not Markup and every attribute is escaped; `_` in a name is `-`, and a
    name that Python reserves ends in `_`.

    Control characters, which neither HTML nor XML can hold, become their notation.
    """
    start = "".join(f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{start}/>")
    return Markup(f"<{name}{start}>{joined(*content)}</{name}>")


def joined(*content: str) -> Markup:
    """The pieces behind each other; those that are not Markup are escaped."""
    return Markup("".join(each if isinstance(each, Markup) else escaped(each) for each in content))


def escaped(text: str) -> str:
    """The text as it may stand in content and in a quoted attribute."""
    return escape(_CONTROL.sub(lambda found: notation(found.group()), sound(text)), quote=True)


def notation(character: str) -> str:
    """A visible name for a character that cannot be shown: `〖U+20BB7〗`."""
    return f"〖U+{ord(character):04X}〗"
