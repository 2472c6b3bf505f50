"""Cells as people read them."""

from __future__ import annotations

import pytest

from retention.reports.cells import printed_bytes, printed_entries, printed_share


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        pytest.param(1.0, "100.0%", id="everything"),
        pytest.param(0.99996, "99.9%", id="nearly everything is not everything"),
        pytest.param(0.973, "97.3%", id="a share that has one place is as it is"),
        pytest.param(0.00001, "0.1%", id="hardly anything is not nothing"),
        pytest.param(0.0, "0.0%", id="nothing"),
    ],
)
def test_a_share_is_not_rounded_to_everything_or_nothing(share: float, shown: str) -> None:
    assert printed_share(share) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (15 << 20, "15.0 MiB"), (3 << 70, "3072.0 EiB")],
)
def test_bytes_have_a_unit(count: int, shown: str) -> None:
    assert printed_bytes(count) == shown


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((), ""),
        ((12,), "#12"),
        ((12, 15, 16, 17, 18), "#12, #15–18"),
        (tuple(range(0, 20, 2)), "#0, #2, #4, #6 … (10)"),
    ],
)
def test_entry_numbers_are_a_short_list(numbers: tuple[int, ...], shown: str) -> None:
    assert printed_entries(numbers) == shown
