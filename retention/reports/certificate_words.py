"""The fixed words of the printed certificate. Pure."""

from __future__ import annotations

from types import MappingProxyType

from retention.reports.document import Text

TITLE = Text("数据删除证明", "Certificate of data deletion")
INTERIM_TITLE = Text("数据删除证明（阶段性）", "Certificate of data deletion (interim)")
FINAL = Text(
    "终版：各副本均已删除、匿名化、不存在或其密钥已销毁；密钥均不可恢复；无例外。",
    "Final: every copy is gone, every key is unrecoverable, nothing is excepted.",
)
WITH_EXCEPTIONS = Text("尚有例外，不是终版", "With exceptions, not final")
WAITING = Text("密钥尚非不可恢复，不是终版", "Keys are not unrecoverable yet, not final")
INTERIM_COUNTS = Text(
    "尚存的副本 {copies} 份；尚待周期密钥销毁的密钥 {keys} 把。",
    "Copies that are not gone: {copies}; keys that wait for their epoch key to go: {keys}.",
)
NOT_YET = Text("尚未（{count} 把待销毁）", "not yet ({count} wait)")
NO_KEYS = Text("无密钥", "no keys")
MORE = Text("；另有 {count} 项", "; {count} more")
ISSUED_AS = Text(
    "第 {entry} 号条目（序号自 0 起），账本时有 {size} 条",
    "entry {entry} (counted from 0) of the tree of {size} entries",
)
REPLACED = Text(
    "字体所无或不可见之字符以其 Unicode 编号表示；JSON 保留原字符。",
    "Characters that the fonts lack, or that cannot be seen, are shown by their Unicode number; the JSON has them.",
)
CUT = Text("以“…”截短者，全文见 JSON。", "What is cut with “…” is in full in the JSON.")

LABELS = MappingProxyType(
    {
        "agent": Text("执行者", "Person / agent"),
        "asset": Text("介质（资产）", "Media (asset)"),
        "case": Text("案件", "Case"),
        "check": Text("如何核验", "How to check"),
        "cited": Text("所引条目", "Entries cited"),
        "clause": Text("条款", "Clause"),
        "complete_by": Text("完成期限", "Complete by"),
        "copies": Text("各副本的结果", "How every copy ended"),
        "copy": Text("副本", "Copy"),
        "customer": Text("客户", "Customer"),
        "dataset": Text("数据集", "Dataset"),
        "dates": Text("期限与密钥", "Dates and keys"),
        "due": Text("到期", "Due"),
        "end_state": Text("结果", "End state"),
        "entry": Text("条目", "Entry"),
        "issued": Text("签发时间", "Issued"),
        "issued_as": Text("签发条目", "Issued as"),
        "items": Text("条目数", "Items"),
        "key": Text("验证公钥", "Verifier key"),
        "keys": Text("密钥", "Keys"),
        "ledger": Text("存证账本", "Ledger"),
        "meaning": Text("含义与范围", "What it says, and what not"),
        "method": Text("方法与技术", "Method, technique"),
        "nist": Text("NIST SP 800-88 r2 介质清理证明字段", "Fields of NIST SP 800-88 r2, certificate of sanitization"),
        "policy": Text("策略散列", "Policy hash"),
        "root": Text("根散列", "Root hash"),
        "rule": Text("规则", "Rule"),
        "shredded": Text("密钥销毁", "Shredded"),
        "started": Text("起始事实", "Starting fact"),
        "statement": Text("声明散列", "Statement SHA-256"),
        "tool": Text("工具与版本", "Tool, version"),
        "unrecoverable": Text("不可恢复", "Unrecoverable"),
        "verification": Text("核验方法", "Verification method"),
        "verified": Text("核验时间", "Verified"),
        "verified_between": Text("日期", "Date"),
        "zone": Text("时区", "Time zone"),
    }
)

MEDIA = Text(
    "各副本“介质（资产）”栏：存储/数据集；物理介质及其编号由存储运营方证明。",
    "The column of this name: store/dataset. Physical media and their serial numbers are the store operator’s to certify.",
)
MORE_COPIES = Text(
    "另有 {count} 份副本（其中尚存 {exceptions} 份）未列于本页，见 JSON。",
    "{count} more copies ({exceptions} of them not gone) are not on this page; the JSON has them.",
)
MORE_STRANDS = Text(
    "另有 {count} 个数据集未列于本页，见 JSON。", "{count} more datasets are not on this page; the JSON has them."
)
MEANING = (
    Text(
        "“已删除并核验”（clear）：删除后另行列举，存储自身接口已不返回任何内容；不表示介质已被覆写。"
        "“密钥销毁并核验”（purge）：密文仍在，其密钥已销毁，自“不可恢复”之时起，旧密钥库副本亦不能开启。"
        "“已匿名化”：备份集已改写，恢复后检索不到该客户。“隔离”：数据仍在，普通读取者不能读取。",
        "“erased-verified” (clear): an independent listing through the store’s own interface finds nothing; not that media "
        "were overwritten. “shredded-verified” (purge): ciphertext remains, its key is destroyed; from “unrecoverable” on, "
        "no old copy of the key store opens it. “anonymised”: a backup set was rewritten without the customer, restored and "
        "searched. “quarantined”: still there, out of the reach of ordinary readers.",
    ),
    Text(
        "仅及于策略所列、属于本案的数据集与副本；策略未列的存储、客户或第三方自行保存的数据、因其他订购而保留的数据集、"
        "签发之后发生的事，不在其内。账本可证明记载此后未被改动；记载属实，由出具方负责。",
        "It covers the datasets and copies that the policy lists and the case is about; not other stores, what the customer "
        "or others keep, datasets that another subscription still needs, or what came after its issue. The ledger proves "
        "that records were not changed since; that they are true is the issuer’s word.",
    ),
)
CHECK = Text(
    "用同名的两个文件离线核验，只需验证公钥（宜自出具方另行取得）：",
    "With the two files of the same name, offline, by the verifier key alone, best obtained from the issuer separately:",
)
CHECK_OTHERWISE = Text(
    "不用本程序：对 JSON 中 statement 的 RFC 8785 形式求 SHA-256，应得上列声明散列；"
    "该散列在 tlog-proof 文件 extra 行（base64）所载条目之中，用任何 C2SP tlog-proof 工具可证该条目在账本内。",
    "Without this program: the SHA-256 of the RFC 8785 form of the JSON’s “statement” is the hash above; it stands in the "
    "entry that the tlog-proof’s “extra” line (base64) holds, and any C2SP tlog-proof tool proves that entry.",
)
COPY_FOR_READING = Text(
    "本页仅供阅读；证据是同名的 JSON 与 tlog-proof 文件，不符时以其为准。",
    "This page is for reading; the JSON and tlog-proof of the same name are the evidence, and prevail.",
)
