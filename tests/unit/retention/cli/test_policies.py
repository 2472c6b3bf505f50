"""`check`, `diff`, `approve`: the policy before it is in force."""

from __future__ import annotations

from pathlib import Path

from tests.small_service import POLICY, Facts, Service


def changed(path: str, *replacements: tuple[str, str]) -> str:
    """A policy file that differs from the service's in these words; its name."""
    text = POLICY
    for before, after in replacements:
        assert before in text
        text = text.replace(before, after)
    Path(path).write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------------- check


def test_a_valid_policy_is_told_with_its_version_and_hash(bare_service: Service) -> None:
    said = bare_service.done("check")
    assert said.out.startswith("policies.yaml is valid: 数据留存与删除策略, version 1\n")
    assert bare_service.done("check", "--json").json["policy_hash"] in said.out


def test_every_mistake_is_named_at_its_place(bare_service: Service) -> None:
    file = changed(
        "new.yaml", ("buffer: 15 days", "buffer: 15 fortnights"), ("services: [training]", "services: [trainig]")
    )
    result = bare_service.run("check", file)
    assert result.code == 1
    assert result.out == ""
    places = [line.partition(": ")[0] for line in result.err.splitlines()]
    assert places == ["new.yaml:8:33", "new.yaml:12:16", "new.yaml:18:16"]


def test_every_mistake_is_in_the_json_too(bare_service: Service) -> None:
    result = bare_service.run("check", changed("new.yaml", ("store: objects", "store: objekts")), "--json")
    assert result.code == 1
    assert result.json["valid"] is False
    problems = result.json["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 2


def test_a_policy_that_is_not_there_is_a_mistake_in_a_line(bare_service: Service) -> None:
    result = bare_service.run("check", "nowhere.yaml")
    assert (result.code, len(result.err.splitlines())) == (1, 1)


def test_checking_begins_nothing(bare_service: Service) -> None:
    bare_service.done("check")
    assert not (bare_service.folder / "state").exists()


# -------------------------------------------------------------------------------------------------------- diff


def test_the_same_policy_moves_nothing(service: Service) -> None:
    file = changed("new.yaml", ("title: 训练,", "title: '训练',"))
    assert service.done("diff", "policies.yaml", file).out == "The two mean the same.\n"


def test_a_shorter_buffer_moves_the_dates_of_everybody_who_has_the_service(service: Service, fact: Facts) -> None:
    service.record(
        fact("service-activated", "c-1", 100, service="training"),
        fact("service-activated", "c-2", 100, service="training"),
        fact("service-activated", "c-3", 100, service="training"),
        fact("service-expired", "c-3", 1, service="training"),
    )
    file = changed("new.yaml", ("buffer: 15 days", "buffer: 7 days"))
    told = service.done("diff", "policies.yaml", file)
    assert "* services.training buffer.default: 15 days → 7 days (shortens)" in told.out
    assert "1 open cases keep their version." in told.out
    rows = [line for line in told.out.splitlines() if line.startswith("service-expired")]
    assert len(rows) == 2  # models and logs
    assert all(row.endswith("c-1, c-2") for row in rows)
    moved = service.done("diff", "policies.yaml", file, "--json").json["moved"]
    assert isinstance(moved, list)
    assert {row["customer"] for row in moved} == {"c-1", "c-2"}
    assert all(row["after"]["due_at"] < row["before"]["due_at"] for row in moved)


def test_a_rule_that_is_gone_is_told_as_not_deleted(service: Service, fact: Facts) -> None:
    service.record(fact("service-activated", "c-1", 100, service="training"))
    file = changed("new.yaml", ("[service-expired, arrears-started]", "[service-expired]"), (", arrears-cleared", ""))
    rows = [
        line for line in service.done("diff", "policies.yaml", file).out.splitlines() if "arrears-started  " in line
    ]
    assert len(rows) == 2
    assert all("→ not deleted" in row for row in rows)


def test_a_change_of_words_moves_no_dates(service: Service, fact: Facts) -> None:
    service.record(fact("service-activated", "c-1", 100, service="training"))
    file = changed("new.yaml", ("title: 日志", "title: 访问日志"))
    assert "No dates of 1 customers would move." in service.done("diff", "policies.yaml", file).out


def test_without_a_catalogue_only_the_values_are_compared(bare_service: Service) -> None:
    result = bare_service.done("diff", "policies.yaml", changed("new.yaml", ("buffer: 15 days", "buffer: 7 days")))
    assert "15 days → 7 days" in result.out
    assert "was not looked at" in result.err
    assert not (bare_service.folder / "state").exists()


def test_a_comparison_changes_nothing(service: Service, fact: Facts) -> None:
    service.record(fact("service-activated", "c-1", 100, service="training"))
    before = service.done("status", "--json").out, (service.folder / "state/ledger/checkpoint").read_bytes()
    service.done("diff", "policies.yaml", changed("new.yaml", ("buffer: 15 days", "buffer: 7 days")))
    assert (service.done("status", "--json").out, (service.folder / "state/ledger/checkpoint").read_bytes()) == before


# ----------------------------------------------------------------------------------------------------- approve


def test_a_changed_policy_waits_for_its_approval(service: Service) -> None:
    changed("policies.yaml", ("buffer: 15 days", "buffer: 20 days"), ('version: "1"', 'version: "2"'))
    assert "policy version 2 waits with 0 of 1 approvals" in service.done("run", "--once").err
    approved = service.done("approve", "policies.yaml", "--by", "李四", "--json").json
    assert (approved["what"], approved["is_new"], approved["count"]) == ("policy", True, 1)
    assert "policy version 2 is adopted" in service.done("run", "--once").err


def test_approving_twice_counts_once(service: Service) -> None:
    subject = "ab" * 32
    service.done("approve", subject, "--by", "李四")
    again = service.done("approve", subject, "--by", " 李四 ", "--json").json
    assert (again["is_new"], again["count"]) == (False, 1)
    assert service.done("approve", subject, "--by", "王五", "--json").json["count"] == 2


def test_what_is_neither_file_nor_hash_cannot_be_approved(service: Service) -> None:
    result = service.run("approve", "polices.yaml", "--by", "李四")
    assert result.code == 1
    assert "polices.yaml: no such file" in result.err


def test_a_wrong_policy_cannot_be_approved(service: Service) -> None:
    result = service.run("approve", changed("new.yaml", ("buffer: 15 days", "buffer: x")), "--by", "李四")
    assert result.code == 1
    assert result.err.startswith("new.yaml:8:")
