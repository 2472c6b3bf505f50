"""`key`, `seal`, `open`: keys by customer, and streams under them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_service import Facts, Service

OBJECT = ("--customer", "c-1", "--dataset", "models", "--name", "models/c-1/a.bin")
OTHER = ("--customer", "c-1", "--dataset", "models", "--name", "models/c-1/b.bin")


@pytest.fixture
def sealed(service: Service) -> Service:
    """`plain` is sealed in `sealed` for c-1."""
    Path("plain").write_bytes(bytes(range(256)) * 300)
    service.done("seal", *OBJECT, "plain", "sealed")
    return service


def test_what_was_sealed_opens_to_the_same(sealed: Service) -> None:
    assert Path("plain").read_bytes()[:1000] not in Path("sealed").read_bytes()
    sealed.done("open", *OBJECT, "sealed", "opened")
    assert Path("opened").read_bytes() == Path("plain").read_bytes()


def test_streams_go_from_standard_input_to_standard_output(service: Service) -> None:
    made = service.process("seal", *OBJECT, "--json", stdin=b"secret\n")
    assert made.returncode == 0
    assert made.stderr == f'{{"bytes": {len(made.stdout)}}}\n'.encode()
    assert service.process("open", *OBJECT, stdin=made.stdout).stdout == b"secret\n"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param(lambda data: data[:-1], 4, id="cut off"),
        pytest.param(lambda data: data[:-40_000] + b"x" + data[-39_999:], 4, id="changed in the middle"),
        pytest.param(lambda data: b"plain text", 1, id="not sealed at all"),
    ],
)
def test_what_is_not_authentic_leaves_no_file_behind(sealed: Service, damage, code: int) -> None:  # type: ignore[no-untyped-def] # a lambda
    Path("sealed").write_bytes(damage(Path("sealed").read_bytes()))
    before = sorted(path.name for path in sealed.folder.iterdir())
    result = sealed.run("open", *OBJECT, "sealed", "opened")
    assert (result.code, len(result.err.splitlines())) == (code, 1)
    assert sorted(path.name for path in sealed.folder.iterdir()) == before


def test_a_failure_leaves_the_file_that_was_there(sealed: Service) -> None:
    Path("opened").write_text("from before", encoding="utf-8")
    assert sealed.run("open", *OTHER, "sealed", "opened").code == 4
    assert Path("opened").read_text(encoding="utf-8") == "from before"


def test_after_a_starting_fact_and_a_cycle_neither_sealing_nor_opening_is_allowed(sealed: Service, fact: Facts) -> None:
    sealed.record(
        fact("service-activated", "c-1", 100, service="training"), fact("service-expired", "c-1", 1, service="training")
    )
    sealed.done("run", "--once")
    assert sealed.run("open", *OBJECT, "sealed", "opened").code == 3
    assert sealed.run("seal", *OTHER, "plain", "sealed-2").code == 3
    assert not Path("sealed-2").exists()


def test_after_the_shred_there_is_no_key(sealed: Service, fact: Facts) -> None:
    sealed.record(fact("data-deleted", "c-1", 1))
    sealed.done("run", "--once")
    assert sealed.run("open", *OBJECT, "sealed", "opened").code == 1
    assert sealed.done("key", "list", "c-1", "--json").json["keys"] == []


def test_a_dataset_that_the_policy_stores_plain_is_not_sealed(service: Service) -> None:
    Path("plain").write_text("x", encoding="utf-8")
    result = service.run("seal", "--customer", "c-1", "--dataset", "logs", "--name", "logs/c-1/x", "plain", "sealed")
    assert result.code == 1
    assert "encrypted: no" in result.err


def test_keys_are_listed_by_customer_without_what_is_secret(sealed: Service) -> None:
    told = sealed.done("key", "list", "--json").json
    (key,) = told["keys"]
    assert (key["customer"], key["dataset"], key["item"], key["state"]) == ("c-1", "models", None, "live")
    assert set(key) == {"customer", "dataset", "item", "key", "state", "epoch", "created_at"}
    said = sealed.done("key", "list").out
    assert said.startswith("verifier key of the ledger: test.example/ledger+")
    assert key["key"] in said


def test_a_roll_ends_the_old_epoch_and_keeps_what_is_sealed_readable(sealed: Service) -> None:
    rolled = sealed.done("key", "roll", "--json").json
    assert (rolled["rewrapped_count"], len(str(rolled["destroyed"])) > 2) == (1, True)
    states = [epoch["state"] for epoch in sealed.done("key", "list", "--json").json["epochs"]]
    assert states == ["destroyed", "current"]
    sealed.done("open", *OBJECT, "sealed", "opened")
