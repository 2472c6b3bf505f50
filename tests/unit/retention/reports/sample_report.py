"""A report with everything that may stand in one: every kind of cell, rare characters, formulas, nothing, and much."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from retention.reports.document import (
    CellKind,
    Chart,
    Column,
    Figure,
    Integrity,
    Report,
    Row,
    Section,
    Series,
    Table,
    Text,
)

FORMULA = "=cmd|' /C calc'!A0"
CUSTOMERS = (
    "北京算力科技有限公司",
    "𠮷野家（上海）餐饮管理有限公司",
    "㛃玉珠宝股份有限公司",
    "龘腾云计算（深圳）有限公司",
    "广州市天河区智算中心",
    FORMULA,
    '＝HYPERLINK("https://example.test")',
    "<script>alert('x')</script>",
    "㐂多多甜品店",
    "한국데이터주식회사",
    "Łódź Data Sp. z o.o. é",
    "<r>&amp;</r>",
    "西安\U0002a6a5面馆🍜",
)
LONG = "客户于到期后第七日书面要求提前删除其全部训练数据；" * 60
LONG_ID = (
    "arn:aws-cn:s3:::training-data-cn-north-1/customers/0000000000000042/checkpoints/epoch=00017-step=000123456.ckpt"
)

START = datetime(2026, 1, 4, 16, 30, 7, tzinfo=UTC)

DELETIONS = (
    Column("case_id", Text("案件", "Case"), weight=3),
    Column("customer", Text("客户", "Customer"), weight=5),
    Column("dataset", Text("数据集", "Dataset"), weight=3),
    Column("due_at", Text("到期时间", "Due"), CellKind.INSTANT, weight=4),
    Column("complete_by", Text("完成期限", "Complete by"), CellKind.DAY, weight=3),
    Column("item_count", Text("条目数", "Items"), CellKind.COUNT, weight=2),
    Column("size", Text("数据量", "Size"), CellKind.BYTES, weight=3),
    Column("erased_share", Text("已清除", "Erased"), CellKind.SHARE, weight=2),
    Column("is_final", Text("终结", "Final"), CellKind.FLAG, weight=2),
    Column("entries", Text("账本条目", "Ledger entries"), CellKind.ENTRIES, weight=4),
    Column("remark", Text("备注", "Remark"), weight=6, is_summary=False),
)

DATASETS = (
    Text("训练数据", "training data"),
    Text("模型权重", "model weights"),
    Text("账单", "invoices"),
    Text("操作日志", "operation logs"),
)


def deletion_rows(count: int) -> Iterator[Row]:
    """Rows of DELETIONS, different ones as far as it matters, with an empty cell of every kind among them."""
    for number in range(count):
        if number == 7:
            yield (f"case-{number:06}", None, None, None, None, None, None, None, None, None, None)
            continue
        at = START + timedelta(hours=11 * number)
        yield (
            f"case-{number:06}",
            CUSTOMERS[number % len(CUSTOMERS)],
            DATASETS[number % len(DATASETS)],
            at,
            (at + timedelta(days=15)).date(),
            number * 137,
            number**3 * 1024,
            1.0 if number % 3 else 0.99996,
            number % 3 > 0,
            (number, number + 2, number + 3, number + 4, *range(number + 9, number + 40, 2)),
            LONG if number == 3 else f"-备注 {number}",
        )


def deletions(row_count: int = 500, shown_rows: int = 40) -> Table:
    """The long table."""
    return Table(
        name="deletions",
        title=Text("本期完成的删除", "Deletions completed in the period"),
        columns=DELETIONS,
        rows=lambda: deletion_rows(row_count),
        row_count=row_count,
        note=Text("“已清除”为已核验清除的条目占应清除条目之比。", "“Erased” is the share of items verified as erased."),
        shown_rows=shown_rows,
    )


def exceptions() -> Table:
    """A short table with long words."""
    rows: tuple[Row, ...] = (
        ("case-000003", LONG_ID, LONG, Text("保全中", "held"), START),
        (
            "case-000011",
            "backup/mixed-2026-01",
            "备份在 Object Lock 之下，尚不能删除。",
            Text("已隔离", "quarantined"),
            None,
        ),
        ("00012345678901234567", "ok\tTab\x07Bell\u202eRLO", "第一行\n=1+1\n第三行", Text("失败", "failed"), START),
    )
    return Table(
        name="exceptions",
        title=Text("未能如期完成的删除", "Deletions not completed in time"),
        columns=(
            Column("case_id", Text("案件", "Case"), weight=3),
            Column("copy", Text("副本", "Copy"), weight=4),
            Column("reason", Text("原因", "Reason"), weight=6),
            Column("state", Text("状态", "State"), weight=2),
            Column("since", Text("自", "Since"), CellKind.INSTANT, weight=3),
        ),
        rows=lambda: iter(rows),
        row_count=len(rows),
    )


def transfers() -> Table:
    """A table without rows."""
    return Table(
        name="transfers",
        title=Text("数据出境决定", "Decisions on transfers abroad"),
        columns=(
            Column("decided_at", Text("决定时间", "Decided"), CellKind.INSTANT),
            Column("recipient", Text("境外接收方", "Recipient abroad")),
        ),
        rows=lambda: iter(()),
        row_count=0,
        empty=Text("本期没有数据出境。", "No data left the country in this period."),
    )


MONTHLY = Chart(
    name="monthly",
    title=Text("各月完成的删除", "Deletions completed, by month"),
    categories=("2026-01", "2026-02", "2026-03"),
    series=(
        Series(Text("按期完成", "in time"), (41, 128, 301)),
        Series(Text("逾期完成", "late"), (3, 0, 12)),
        Series(Text("保全中", "held"), (0, 7, 8)),
    ),
    unit=Text("案件数", "cases"),
    table="deletions",
)
BY_CUSTOMER = Chart(
    name="by-customer",
    title=Text("待办最多的客户", "Customers with the most open cases"),
    categories=CUSTOMERS,
    series=(Series(Text("待办", "open"), tuple(range(26, 0, -2))),),
    unit=Text("案件数", "cases"),
    table="deletions",
)


def sample_report(row_count: int = 500, shown_rows: int = 40) -> Report:
    """A quarter of a provider of computing power."""
    introduction = Text(
        "本报告依据《个人信息保护法》第四十七条、《网络数据安全管理条例》第二十四条以及与客户签订的服务协议编制，说明报告期内"
        "客户数据的删除情况：应当删除哪些数据，何时删除，由何证据证明，以及哪些数据依法或依约仍予保存。文中“账本条目”是只增不改的"
        "证据账本中的编号，可用随附的验证公钥离线核对。",
        "This report is made under article 47 of the Personal Information Protection Law, article 24 of the Regulations on "
        "Network Data Security Management, and the service agreements. It says which customer data had to go in the period, "
        "when it went, what proves it, and what is still kept by law or agreement. “Ledger entries” are numbers in an "
        "append-only ledger; they can be checked offline with the verifier key.",
    )
    return Report(
        title=Text("客户数据删除情况报告", "Report on the deletion of customer data"),
        number="DEL-2026-Q1-0007",
        issuer="华北算力云服务有限公司",
        first_day=date(2026, 1, 1),
        last_day=date(2026, 3, 31),
        zone=ZoneInfo("Asia/Shanghai"),
        made_at=datetime(2026, 4, 3, 1, 15, 42, tzinfo=UTC),
        policy_title="客户数据保留与删除策略",
        policy_version="sha256:9f2c4e7d01aa55b3c88e6f10d2b47c9e3a5d6b7f8091a2b3c4d5e6f708192a3b",
        integrity=Integrity(
            origin="ledger.example.test/north",
            key="ledger.example.test/north+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            first_size=10_482,
            first_root="4qvrP0b1qJmYw0p5cO9Jt0a5O4b6mTnmyf2bGdo9Mv4=",
            last_size=58_117,
            last_root="CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        ),
        figures=(
            Figure(Text("本期完成的删除", "Deletions completed"), row_count, "deletions"),
            Figure(Text("未能如期完成", "Not completed in time"), 3, "exceptions", needs_attention=True),
            Figure(Text("数据出境决定", "Decisions on transfers abroad"), 0, "transfers"),
        ),
        sections=(
            Section(Text("报告依据与范围", "Basis and scope"), (introduction,)),
            Section(
                Text("删除", "Deletions"),
                (MONTHLY,),
                (
                    Section(Text("完成的删除", "Completed"), (deletions(row_count, shown_rows),)),
                    Section(Text("例外", "Exceptions"), (exceptions(), BY_CUSTOMER)),
                ),
            ),
            Section(Text("数据出境", "Transfers abroad"), (transfers(),)),
        ),
        identified="监管机关 2026 年 3 月 12 日调取通知（京网信函〔2026〕12 号）",
    )
