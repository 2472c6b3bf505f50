"""Names that have broken somebody's deletion: a customer, and the neighbours whom its deletion must never touch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OddCustomer:
    """A customer's name, the neighbours a careless match would hit, and what is odd about it, as a sentence."""

    sentence: str
    customer: str
    neighbours: tuple[str, ...]


CUSTOMERS = (
    OddCustomer("c-1 is a prefix, a suffix and nearly the same as others", "c-1",
                ("c-10", "c-1x", "C-1", "c-1 ", " c-1", "c_1", "xc-1", "c-", "c")),
    OddCustomer("a star is a glob", "c*", ("c-1", "cc", "c**", "c", "c\\*")),
    OddCustomer("a star alone is everybody", "*", ("c-1", "**", "\\*")),
    OddCustomer("a question mark is a glob", "c?", ("cx", "c??", "c\\?")),
    OddCustomer("brackets are a glob", "c[1-3]", ("c1", "c2", "c[1-3", "c[[]1-3]")),
    OddCustomer("a negated class is a glob", "c[^a]", ("cb", "c^", "c[!a]")),
    OddCustomer("a backslash escapes", "c\\*", ("c*", "c\\x", "c\\\\*")),
    OddCustomer("a backslash at the end escapes what follows", "c\\", ("c", "c\\\\")),
    OddCustomer("a percent sign is LIKE", "c%", ("cx", "c%%", "c%25", "c")),
    OddCustomer("a percent sign alone is everybody to LIKE", "%", ("c-1", "%%", "%25")),
    OddCustomer("an underscore is LIKE", "c_", ("cx", "c__", "c-")),
    OddCustomer("an encoded slash is not a slash", "c%2F1", ("c%252F1", "c%2f1", "c")),
    OddCustomer("a plus is not a space", "a+b", ("a b", "a%2Bb", "aab")),
    OddCustomer("markup is text", "a&amp;<b>", ("a&<b>", "a&amp;", "a")),
    OddCustomer("quotes are text", "O'Brien \"x\"", ("O''Brien \"x\"", "O", "O'Brien")),
    OddCustomer("SQL is text", "x'; DROP TABLE runs; --", ("x", "x'", "' OR '1'='1")),
    OddCustomer("a template is text", "{customer}-%s-${x}", ("{customer}", "x", "{}")),
    OddCustomer("spaces count", " c 1 ", ("c 1", " c 1", "c 1 ", "c1")),
    OddCustomer("Chinese is text", "客户 甲", ("客户甲", "客户 乙", "客户 甲1")),
    OddCustomer("composed and decomposed are two customers", "José", ("Jose\u0301", "Jose", "JOSÉ")),
    OddCustomer("sharp s is not double s", "straße", ("strasse", "STRASSE")),
    OddCustomer("emoji are told apart", "😀", ("😁", "?", "\ufffd")),
    OddCustomer("a dash first is no option", "-rf", ("rf", "--rf", "-")),
    OddCustomer("a dot first is not hidden", ".hidden", ("hidden", "..hidden")),
    OddCustomer("control characters are text", "a\tb\nc", ("a b c", "a\tb", "a\\tb\\nc")),
)  # fmt: skip

ITEM_NAMES = (
    "plain",
    "plain1",
    "Plain",
    "deep/er/still.bin",
    "with space",
    " space at both ends ",
    "*",
    "?",
    "[a-z]",
    "back\\slash",
    'quote\'d "twice"',
    "100%",
    "%2e%2e%2fup",
    "a+b",
    "a=b&c=d",
    "<tag/>&amp;",
    "#fragment",
    "semi;colon:colon",
    "-dash",
    ".dot",
    "..dots",
    "...",
    "~tilde",
    "tab\there",
    "line\nbreak",
    "carriage\rreturn",
    "bell\x07",
    "数据/甲.txt",
    "e\u0301",
    "\u00e9",
    "😀",
    "\u202eright-to-left",
    "x" * 200,
)
"""Names of a customer's things, all different, none a folder of another."""
