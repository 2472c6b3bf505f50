"""`certify` and `verify`: evidence that is checked without trusting the service."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pypdfium2
import pytest

from tests.small_service import Facts, Service


@pytest.fixture
def certified(service: Service, fact: Facts) -> tuple[Service, str, str]:
    """The service after a deletion, its verifier key, and the case, whose certificate is in `certificate.json`."""
    service.put("models/c-1/a.bin")
    service.record(fact("data-deleted", "c-1", 1))
    service.done("run", "--once")
    (case,) = service.done("status", "--json").json["cases"]
    told = service.done("certify", case["case"], "--out", "certificate.json", "--json").json
    assert told["final"] is True
    return service, str(told["verifier_key"]), case["case"]


def test_a_certificate_is_checked_with_nothing_but_the_public_key(
    certified: tuple[Service, str, str], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, key, _ = certified
    elsewhere = tmp_path_factory.mktemp("auditor")
    shutil.copy("certificate.json", elsewhere)
    monkeypatch.chdir(elsewhere)
    assert service.done("verify", "certificate.json", "--key", key).out.endswith("nothing is wrong\n")
    Path("key.txt").write_text(f"{key}\n", encoding="utf-8")
    service.done("verify", "certificate.json", "--key", "key.txt")
    assert sorted(path.name for path in elsewhere.iterdir()) == ["certificate.json", "key.txt"]


def test_ledger_and_certificate_are_checked_against_each_other(certified: tuple[Service, str, str]) -> None:
    service, _, _ = certified
    told = service.done("verify", "state/ledger", "certificate.json", "--json")
    assert (told.json["ledger_count"], told.json["certificate_count"], told.json["findings"]) == (1, 1, [])
    assert told.err.startswith("checked with this service's own key: test.example/ledger+")


def test_a_changed_certificate_is_found(certified: tuple[Service, str, str]) -> None:
    service, key, _ = certified
    text = Path("certificate.json").read_text(encoding="utf-8")
    Path("certificate.json").write_text(text.replace("erased-verified", "not-found", 1), encoding="utf-8")
    result = service.run("verify", "certificate.json", "--key", key)
    assert result.code == 4
    assert result.err.startswith("certificate.json: ")


def test_three_files_are_written_and_named(certified: tuple[Service, str, str]) -> None:
    service, key, case = certified
    told = service.done("certify", case, "--out", "out.json", "--json").json
    assert (told["file"], told["proof"], told["pdf"]) == ("out.json", "out.tlog-proof", "out.pdf")
    assert Path("out.pdf").read_bytes().startswith(b"%PDF-")
    shown = service.done("certify", case, "--out", "out.json").out.splitlines()
    assert shown == [
        f"out.json: the certificate of case {case}",
        "out.tlog-proof: the proof that it was issued",
        "out.pdf: the same on a page to read",
        f"check it with: retention verify out.json out.tlog-proof --key {key}",
    ]
    assert [path.name for path in Path().glob(".out*")] == []


def test_on_standard_output_there_is_the_certificate_and_nothing_else(certified: tuple[Service, str, str]) -> None:
    service, key, case = certified
    before = sorted(Path().iterdir())
    done = service.process("certify", case, "--out", "-", "--json")
    assert (done.returncode, sorted(Path().iterdir())) == (0, before)
    Path("piped.json").write_bytes(done.stdout)
    service.done("verify", "piped.json", "--key", key)


def test_the_proof_is_checked_with_its_certificate_and_the_ledger_and_alone(
    certified: tuple[Service, str, str],
) -> None:
    service, key, _ = certified
    told = service.done("verify", "certificate.json", "certificate.tlog-proof", "state/ledger", "--key", key)
    assert ", 1 proofs\nnothing is wrong\n" in told.out
    assert service.done("verify", "certificate.tlog-proof", "--key", key, "--json").json["proof_count"] == 1


def test_the_proof_of_an_earlier_certificate_does_not_fit(certified: tuple[Service, str, str]) -> None:
    service, key, case = certified
    service.done("certify", case, "--out", "later.json")
    result = service.run("verify", "later.json", "certificate.tlog-proof", "--key", key)
    assert result.code == 4
    assert result.err.startswith("certificate.tlog-proof: proof: other-certificate: ")


def test_the_page_says_what_the_certificate_says_and_is_not_taken_for_evidence(
    certified: tuple[Service, str, str],
) -> None:
    service, key, case = certified
    told = service.done("certify", case, "--out", "out.json", "--json").json
    with pypdfium2.PdfDocument(Path("out.pdf").read_bytes()) as opened:
        assert len(opened) == 1
        page = opened[0].get_textpage().get_text_range()
    statement = json.loads(Path("out.json").read_text(encoding="utf-8"))["statement"]
    assert all(each in page for each in (told["statement"], key, case, "c-1", "客户删除", "模型", "erased-verified"))
    root = Path("out.tlog-proof").read_text(encoding="utf-8").partition("\n\n")[2].split("\n")[2]
    assert root in page
    assert f"#{statement['copies'][0]['entries'][-1]}" in page
    result = service.run("verify", "out.pdf", "--key", key)
    assert (result.code, "a page to read is no evidence" in result.err) == (4, True)


def test_a_changed_ledger_is_found(certified: tuple[Service, str, str]) -> None:
    service, key, _ = certified
    files = (path for path in Path("state/ledger/tile/entries").rglob("*") if path.is_file())
    bundle = max(files, key=lambda path: path.stat().st_size)  # the latest partial one
    bundle.write_bytes(bundle.read_bytes().replace(b"6.10", b"6.11", 1))
    assert service.run("verify", "state/ledger", "--key", key).code == 4


def test_a_file_that_is_not_there_is_a_finding(certified: tuple[Service, str, str]) -> None:
    service, key, _ = certified
    assert service.run("verify", "gone.json", "--key", key).code == 4


def test_another_key_verifies_nothing(certified: tuple[Service, str, str]) -> None:
    service, _, _ = certified
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"  # the example key of the public note format
    assert service.run("verify", "certificate.json", "--key", other).code == 4


def test_what_is_no_key_is_a_mistake(certified: tuple[Service, str, str]) -> None:
    service, key, _ = certified
    result = service.run("verify", "certificate.json", "--key", key[:-8])
    assert result.code == 1
    assert result.err.startswith("--key: ")


def test_a_case_that_there_is_none_cannot_be_certified(certified: tuple[Service, str, str]) -> None:
    service, _, _ = certified
    result = service.run("certify", "nothing", "--out", "x.json")
    assert (result.code, Path("x.json").exists()) == (1, False)


def test_a_case_in_its_buffer_cannot_be_certified(service: Service, fact: Facts) -> None:
    service.record(
        fact("service-activated", "c-1", 100, service="training"), fact("service-expired", "c-1", 1, service="training")
    )
    (case,) = service.done("status", "--json").json["cases"]
    result = service.run("certify", case["case"], "--out", "x.json")
    assert result.code == 1
    assert "cannot be certified yet" in result.err
