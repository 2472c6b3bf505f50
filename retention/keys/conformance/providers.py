"""What every key provider does, whatever keeps the keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from retention.keys.errors import EpochGone
from retention.keys.provider import BATCH_SIZE, DestructionResult, KeyProvider

PAYLOADS = [bytes([number]) * 64 for number in range(5)]


class KeyProviderBench(Protocol):
    """A fresh provider without epochs."""

    def opened(self) -> KeyProvider:
        """Another instance on the same keys, as another process would have it."""
        ...

    def now(self) -> datetime:
        """The time on the provider's clock, aware UTC."""
        ...


class KeyProviderConformance:
    """Subclass it, and give it a fixture `bench`."""

    @pytest.fixture
    def provider(self, bench: KeyProviderBench) -> KeyProvider:
        """The provider under test."""
        return bench.opened()

    def test_a_new_provider_has_no_epochs(self, provider: KeyProvider) -> None:
        assert provider.epochs() == ()

    def test_what_is_wrapped_comes_back_in_its_order(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        wrapped = provider.wrap("e-1", PAYLOADS)
        assert provider.unwrap("e-1", wrapped) == PAYLOADS
        assert provider.unwrap("e-1", wrapped[::-1]) == PAYLOADS[::-1]

    def test_the_wrapped_form_does_not_show_what_is_in_it(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        for payload, wrapped in zip(PAYLOADS, provider.wrap("e-1", PAYLOADS), strict=True):
            assert payload[:8] not in wrapped

    def test_a_full_batch_is_wrapped_and_unwrapped_in_one_call(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        payloads = [number.to_bytes(64) for number in range(BATCH_SIZE)]
        assert provider.unwrap("e-1", provider.wrap("e-1", payloads)) == payloads

    def test_more_than_a_batch_is_refused(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        with pytest.raises(ValueError, match=str(BATCH_SIZE)):
            provider.wrap("e-1", [bytes(64)] * (BATCH_SIZE + 1))
        with pytest.raises(ValueError, match=str(BATCH_SIZE)):
            provider.unwrap("e-1", [bytes(72)] * (BATCH_SIZE + 1))

    def test_nothing_wraps_to_nothing(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        assert provider.wrap("e-1", []) == []
        assert provider.unwrap("e-1", []) == []

    def test_creating_an_epoch_again_changes_nothing(self, provider: KeyProvider) -> None:
        assert provider.create_epoch("e-1") is True
        wrapped = provider.wrap("e-1", PAYLOADS)
        assert provider.create_epoch("e-1") is False
        assert provider.unwrap("e-1", wrapped) == PAYLOADS

    def test_another_process_sees_the_same_epochs(self, bench: KeyProviderBench, provider: KeyProvider) -> None:
        provider.create_epoch("e-2")
        bench.opened().create_epoch("e-1")
        assert provider.epochs() == bench.opened().epochs() == ("e-1", "e-2")
        assert bench.opened().unwrap("e-2", provider.wrap("e-2", PAYLOADS)) == PAYLOADS

    def test_many_creators_at_once_make_one_epoch(self, bench: KeyProviderBench) -> None:
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(lambda _: bench.opened().create_epoch("e-1"), range(16)))
        assert made.count(True) == 1

    def test_a_damaged_key_is_told_apart_from_the_others(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        wrapped = provider.wrap("e-1", PAYLOADS)
        damaged = bytes([wrapped[1][0] ^ 1]) + wrapped[1][1:]
        batch = [wrapped[0], damaged, b"", wrapped[3][:-1], wrapped[4]]
        assert provider.unwrap("e-1", batch) == [PAYLOADS[0], None, None, None, PAYLOADS[4]]

    def test_a_key_under_another_epoch_does_not_open(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        provider.create_epoch("e-2")
        assert provider.unwrap("e-2", provider.wrap("e-1", PAYLOADS)) == [None] * len(PAYLOADS)

    def test_an_epoch_that_was_never_made_is_gone_and_not_made_by_using_it(self, provider: KeyProvider) -> None:
        with pytest.raises(EpochGone):
            provider.wrap("e-1", PAYLOADS)
        with pytest.raises(EpochGone):
            provider.unwrap("e-1", [])
        assert provider.epochs() == ()

    def test_destroying_what_was_never_made_says_so(self, provider: KeyProvider) -> None:
        destruction = provider.destroy_epoch("e-1")
        assert (destruction.epoch, destruction.result) == ("e-1", DestructionResult.ABSENT)
        assert provider.create_epoch("e-1") is True

    def test_a_destroyed_epoch_opens_nothing_in_any_process(
        self, bench: KeyProviderBench, provider: KeyProvider
    ) -> None:
        other = bench.opened()
        provider.create_epoch("e-1")
        provider.create_epoch("e-2")
        wrapped, kept = other.wrap("e-1", PAYLOADS), other.wrap("e-2", PAYLOADS)
        provider.destroy_epoch("e-1")
        for each in (provider, other, bench.opened()):
            with pytest.raises(EpochGone):
                each.unwrap("e-1", wrapped)
            with pytest.raises(EpochGone):
                each.unwrap("e-1", [])
            with pytest.raises(EpochGone):
                each.wrap("e-1", PAYLOADS)
            assert each.unwrap("e-2", kept) == PAYLOADS

    def test_the_destruction_takes_effect_as_the_capability_sheet_says(
        self, bench: KeyProviderBench, provider: KeyProvider
    ) -> None:
        sheet = provider.capabilities()
        provider.create_epoch("e-1")
        before = bench.now()
        destruction = provider.destroy_epoch("e-1")
        assert destruction.effective_at is not None
        assert destruction.effective_at.utcoffset() == timedelta(0)
        if sheet.destruction_delay == timedelta(0):
            assert destruction.result is DestructionResult.DESTROYED
            assert before <= destruction.effective_at <= bench.now()
            assert provider.epochs() == ()
        else:
            assert destruction.result is DestructionResult.SCHEDULED
            assert destruction.effective_at >= before + sheet.destruction_delay

    def test_destroying_again_answers_the_same_or_that_it_is_absent(
        self, bench: KeyProviderBench, provider: KeyProvider
    ) -> None:
        provider.create_epoch("e-1")
        first = provider.destroy_epoch("e-1")
        again = bench.opened().destroy_epoch("e-1")
        if again.result is not DestructionResult.ABSENT or provider.capabilities().remembers_destroyed:
            assert again == first

    def test_an_epoch_of_a_destroyed_name_never_opens_what_was_under_it(self, provider: KeyProvider) -> None:
        provider.create_epoch("e-1")
        wrapped = provider.wrap("e-1", PAYLOADS)
        provider.destroy_epoch("e-1")
        if provider.capabilities().remembers_destroyed:
            with pytest.raises(EpochGone):
                provider.create_epoch("e-1")
        else:
            provider.create_epoch("e-1")
            assert provider.unwrap("e-1", wrapped) == [None] * len(PAYLOADS)

    @pytest.mark.parametrize("name", ["", "E-1", "1e", "../e", "e/1", "e.1", "e_1", "e 1", "é", "e\n", "e" * 65])
    def test_a_name_that_is_no_epoch_name_is_refused_everywhere(self, provider: KeyProvider, name: str) -> None:
        for call in (
            lambda: provider.create_epoch(name),
            lambda: provider.wrap(name, PAYLOADS),
            lambda: provider.unwrap(name, PAYLOADS),
            lambda: provider.destroy_epoch(name),
        ):
            with pytest.raises(ValueError, match="epoch name"):
                call()

    def test_the_longest_name_is_taken(self, provider: KeyProvider) -> None:
        name = "e" + "-1" * 31 + "x"
        provider.create_epoch(name)
        assert provider.unwrap(name, provider.wrap(name, PAYLOADS)) == PAYLOADS
        assert provider.epochs() == (name,)

    def test_the_capability_sheet_says_its_limits_in_sentences(self, provider: KeyProvider) -> None:
        sheet = provider.capabilities()
        assert sheet.name
        assert sheet.limits
        assert all(limit.endswith(".") for limit in sheet.limits)
