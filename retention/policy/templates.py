"""Names of places with `{customer}` in them, and the proof that two of them cannot mean the same place.

A template is only taken where one customer's name can never reach another customer's data: `c-1` must not reach `c-10`.
"""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST = 500
_DELIMITERS = ":/|#@.-_"


def prefix_template(text: str) -> str:
    """`text` as a prefix of objects or files, such as `training/{customer}/`. Raises ValueError where it is unsafe."""
    _refuse_what_no_folder_has(text)
    _refuse_unknown_placeholders(text, ("customer", "subscription"))
    _refuse_without_customer(text)
    _refuse_open_ends(text, ("customer", "subscription"))
    _refuse_subscription_first(text)
    return text


def sets_template(text: str) -> str:
    """`text` as the name of a backup's sets, such as `nightly/{date}/`. Raises ValueError where it is unsafe.

    Without a `/` at its end it is a set that is no folder: one file, a snapshot. Such a name is matched whole.
    """
    _refuse_what_no_folder_has(text.removesuffix("/") + "/")
    _refuse_unknown_placeholders(text, ("date", "customer"))
    if "{date}" not in text:
        raise ValueError("has no `{date}`, so one set could not be told from the next; write `nightly/{date}/`")
    _refuse_open_ends(text, ("customer",))
    return text


def folder_path(text: str) -> str:
    """`text` as a plain folder, such as `objects/`. Raises ValueError where it is none."""
    _refuse_what_no_folder_has(text)
    _refuse_unknown_placeholders(text, ())
    return text


def keys_template(text: str) -> str:
    """`text` as a pattern of cache keys, such as `features:{customer}:*`. Raises ValueError where it is unsafe."""
    _refuse_by_length(text)
    _refuse_unknown_placeholders(text, ("customer", "subscription"))
    _refuse_without_customer(text)
    _refuse_subscription_first(text)
    if "*" in text.partition("{customer}")[0]:
        raise ValueError(
            "a `*` before `{customer}` reaches other customers' keys; begin with fixed text, then `{customer}`"
        )
    for found in _PLACEHOLDER.finditer(text):
        following = text[found.end() : found.end() + 1]
        if following and following not in _DELIMITERS:
            raise ValueError(f"`{found[0]}` is not delimited, so c-1 would reach c-10; write `{found[0]}:` there")
    return text


def may_overlap(first: str, second: str) -> bool:
    """Whether two prefixes could name the same object for some customers, subscriptions or dates.

    It errs on the safe side: where it says no, no names can make them meet.
    """
    pairs = zip(first.removesuffix("/").split("/"), second.removesuffix("/").split("/"), strict=False)
    return all(_may_be_equal(one, other) for one, other in pairs)


def keys_may_overlap(first: str, second: str) -> bool:
    """Whether two key patterns could match the same key. It errs on the safe side, as `may_overlap` does."""
    ours, theirs = first.split(":"), second.split(":")
    for one, other in zip(ours, theirs, strict=False):
        if "*" in one or "*" in other:
            return _heads_agree(one.partition("*")[0], other.partition("*")[0])
        if not _may_be_equal(one, other):
            return False
    return len(ours) == len(theirs)


def _may_be_equal(one: str, other: str) -> bool:
    """Whether two segments can be the same text once their placeholders are filled."""
    if "{" not in one and "{" not in other:
        return one == other
    return _heads_agree(one, other) and _tails_agree(one, other)


def _heads_agree(one: str, other: str) -> bool:
    one, other = one.partition("{")[0], other.partition("{")[0]
    return one.startswith(other) or other.startswith(one)


def _tails_agree(one: str, other: str) -> bool:
    one, other = one.rpartition("}")[2], other.rpartition("}")[2]
    return one.endswith(other) or other.endswith(one)


def _refuse_by_length(text: str) -> None:
    if len(text) > _LONGEST or not text.isprintable():
        raise ValueError(
            f"is longer than {_LONGEST} characters, or has characters that no name has; write a plain name"
        )


def _refuse_what_no_folder_has(text: str) -> None:
    _refuse_by_length(text)
    if not text.endswith("/"):
        raise ValueError("does not end with `/`, so it would reach neighbours whose name begins alike; end it with `/`")
    if any(segment in ("", ".", "..") for segment in text.removesuffix("/").split("/")):
        raise ValueError(
            "has an empty, `.` or `..` part; write folder names with one `/` between them, and none before"
        )
    if "*" in text:
        raise ValueError("a `*` has no meaning in a prefix; it reaches everything below it anyway, so leave it out")


def _refuse_unknown_placeholders(text: str, known: tuple[str, ...]) -> None:
    words = ", ".join(f"`{{{word}}}`" for word in known)
    for found in _PLACEHOLDER.finditer(text):
        if found[1] not in known:
            raise ValueError(f"`{found[0][:40]}` is no placeholder here; write {words}")
    if set(_PLACEHOLDER.sub("", text)) & {"{", "}"}:
        raise ValueError(f"has a brace that belongs to no placeholder; write {words}")


def _refuse_without_customer(text: str) -> None:
    if "{customer}" not in text:
        raise ValueError(
            "has no `{customer}`, so it would be everybody's data; put `{customer}/` or `{customer}:` in it"
        )


def _refuse_open_ends(text: str, placeholders: tuple[str, ...]) -> None:
    for word in placeholders:
        for found in re.finditer(rf"\{{{word}\}}(?!/)", text):
            raise ValueError(f"`{found[0]}` is not followed by `/`, so c-1 would reach c-10; write `{found[0]}/`")


def _refuse_subscription_first(text: str) -> None:
    subscription, customer = text.find("{subscription}"), text.find("{customer}")
    if -1 < subscription < customer:
        raise ValueError("`{subscription}` stands before `{customer}`; write `{customer}` first")
