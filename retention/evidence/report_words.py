"""Words of a report that say how something ended: the English, which the ledger has, and the Chinese for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_STATUSES = {
    "overdue": "逾期未完成",
    "stopped": "依法或依保全中止",
    "open": "期限内进行中",
    "late": "逾期完成",
    "on-time": "按期完成",
    "brought-back": "已恢复，不再删除",
}
_END_STATES = {
    "erased-verified": "已删除并核验",
    "shredded-verified": "密钥销毁并核验",
    "anonymised": "已匿名化",
    "not-found": "不存在",
    "quarantined": "隔离",
    "held": "保全中",
    "kept-by-law": "依法保存",
    "unsupported": "不支持删除或隔离",
    "failed": "未成功",
}
_VERDICTS = {
    "allow": "允许",
    "needs-information": "信息不足，未允许",
    "deny": "不允许",
}

STATED: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "cases": ("status", _STATUSES),
        "copies": ("end_state", _END_STATES),
        "backup-sets": ("end_state", _END_STATES),
        "unsupported": ("end_state", _END_STATES),
        "decisions": ("verdict", _VERDICTS),
    }
)
"""Tables whose rows say how something ended: the column that says it, and its Chinese words by the English."""

WAITING = frozenset({"held", "kept-by-law"})
"""What a copy may say of itself while it waits for its deletion to go on, before any entry tells how it ended."""
