"""A small provider: one policy with every kind of dataset, facts in one line each, and what they amount to as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from zoneinfo import ZoneInfo

from retention.lifecycle.cases import NO_HISTORY, Derived, History, derive
from retention.model.case import Case, Strand
from retention.model.fact import Agreement, Fact, FactKey, FactType, HoldTerms, Part
from retention.model.period import parse_period
from retention.model.policy import Policy
from retention.policy.load import parse_policy

SHANGHAI = ZoneInfo("Asia/Shanghai")
CUSTOMER = "c-1"

POLICY = """
policy:
  {title: 测试, version: "1", effective: 2026-01-01, time-zone: Asia/Shanghai, holidays: CN, home: CN}
services:
  training: {title: 训练, buffer: 15 days}
  inference: {title: 推理, buffer: {default: 15 days, arrears-started: 7 days}}
datasets:
  weights:
    {title: 权重, services: [training], personal-information: true, encrypted: customer,
     in: {store: objects, prefix: "weights/{customer}/"}, caches: [{store: cache, keys: "weights:{customer}:*"}],
     backups: [nightly]}
  prompts:
    {title: 提示词, services: [inference], personal-information: true, encrypted: customer,
     in: {store: database, tables: {prompt: {customer: tenant}}}}
  metrics:
    {title: 指标, services: [training, inference], personal-information: false, encrypted: no,
     in: {store: objects, prefix: "metrics/{customer}/"}}
  notebooks:
    {title: 笔记本, services: [notebook], personal-information: true, encrypted: customer,
     in: [{store: objects, prefix: "notebooks/{customer}/{subscription}/"},
          {store: database, tables: {notebook: {customer: tenant}}}],
     caches: [{store: cache, keys: "notebooks:{customer}:*"}]}
  invoices:
    {title: 账单, services: [billing], personal-information: true, encrypted: object,
     in: {store: objects, prefix: "invoices/{customer}/"},
     keep-at-least: {period: 6 months, from: start, basis: 《电子商务法》第三十一条}}
rules:
  deletion:
    {title: 删除, clause: "6.10", when: [data-deleted, service-released], buffer: none, tombstone: 24 hours,
     complete-within: 15 days}
  ending:
    {title: 终止, clause: "6.11", when: [service-expired, service-terminated, arrears-started, account-closed],
     cancelled-by: [service-renewed, arrears-cleared], buffer: service, tombstone: none, complete-within: 15 days}
  order:
    {title: 命令, clause: "6.2(4)", when: [deletion-ordered], buffer: none, tombstone: none, complete-within: 24 hours}
backups:
  nightly:
    {title: 备份, store: backups, sets: "nightly/{date}/", holds: [weights], mixed: true, delete-after: 30 days}
"""
SERVICES_TOO = """
  notebook: {title: 笔记本, buffer: 15 days}
  billing: {title: 计费, buffer: 15 days}
"""


def policy(**changes: str) -> Policy:
    """The policy, with pieces of its text replaced: `policy(**{"15 days": "30 days"})`."""
    text = POLICY.replace("\ndatasets:", SERVICES_TOO.rstrip() + "\ndatasets:")
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the policy"
        text = text.replace(old, new)
    return parse_policy(text, "policies.yaml")


def instant(text: str) -> datetime:
    """`2026-03-01` (00:00) or `2026-03-01 10:00`, in Shanghai, as aware UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


_numbers = count(1)


def fact(what: str, when: str, who: str | None = None, *, told: str | None = None, **details: str) -> Fact:
    """One fact, such as `fact("service-expired", "2026-03-01 10:00", "training/s1")`.

    `who` is a service or service/subscription. Details: id, dataset, prefix, object, hold, buffer, withdraws.
    """
    service, _, subscription = (who or "").partition("/")
    kind = FactType(what)
    terms = HoldTerms(details["hold"], details.get("dataset"), "案件 7", "某法院") if "hold" in details else None
    return Fact(
        key=FactKey("crm", details.get("id") or f"f{next(_numbers)}"),
        type=kind,
        customer=CUSTOMER,
        at=instant(when),
        recorded_at=instant(told or when),
        service=service or None,
        subscription=subscription or None,
        part=_part(details) if kind in (FactType.DATA_DELETED, FactType.DELETION_ORDERED) else None,
        hold=terms,
        agreement=Agreement(parse_period(details["buffer"]), "合同 9") if "buffer" in details else None,
        withdraws=FactKey("crm", details["withdraws"]) if "withdraws" in details else None,
    )


def _part(details: Mapping[str, str]) -> Part | None:
    if "dataset" not in details:
        return None
    objects = (details["object"],) if "object" in details else ()
    return Part(details["dataset"], details.get("prefix"), objects)


def passed(derived: Derived, at: str, *datasets: str) -> History:
    """The history in which the strands about these datasets passed their point of no return at `at`."""
    strands = {s.id: s for case in derived.cases for s in case.strands if s.dataset in datasets}
    assert len({s.dataset for s in strands.values()}) == len(datasets), "a dataset that does not go cannot pass"
    cases = [case for case in derived.cases if any(s.id in strands for s in case.strands)]
    return History(
        {case.starting_fact: case.policy_hash for case in derived.cases},
        dict.fromkeys(strands, instant(at)),
        {case.starting_fact: instant(at) for case in cases},
        strands,
    )


def told(facts: Iterable[Fact], history: History = NO_HISTORY, versions: Iterable[Policy] = ()) -> list[str]:
    """What the facts amount to: one sentence per strand, per dataset that stays, and per live subscription."""
    derived = derive(facts, list(versions) or [policy()], history)
    lines = [line for case in derived.cases for line in _case_lines(case)]
    return [*lines, *(f"{key} lives" for key in derived.live)]


def _case_lines(case: Case) -> list[str]:
    lines = [
        f"{case.rule}: {_about(strand)} goes {local(strand.erasable_at)}{_more(strand)}" for strand in case.strands
    ]
    lines += [f"{case.rule}: {dataset} is left to {needed_by}" for dataset, needed_by in case.left]
    lines += [f"{case.rule}: {dataset} comes back by {fact.id}" for dataset, fact in case.undone]
    return lines or [f"{case.rule}: nothing goes"]


def _about(strand: Strand) -> str:
    return f"{strand.dataset}/{strand.subscription}" if strand.subscription else strand.dataset


def _more(strand: Strand) -> str:
    return f", not what is written from {local(strand.not_from)}" if strand.not_from else ""


def local(at: datetime) -> str:
    """The instant in Shanghai, to the minute."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def flags(facts: Iterable[Fact], history: History = NO_HISTORY) -> dict[str, str]:
    """What a person should look at, by fact."""
    return {flag.fact.id: flag.what for flag in derive(facts, [policy()], history).flags}
