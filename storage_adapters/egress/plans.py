"""The copies that plans of AWS Backup make into other vaults.

Source: AWS Backup API reference, "GetBackupPlan", "CopyAction".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from storage_adapters.aws import AwsSettings, Declined, asking
from storage_adapters.egress.contract import WayKind, WayOut
from storage_adapters.egress.reported import ReportedOnly, by_name, place_of
from storage_adapters.errors import NotFound, Refused

if TYPE_CHECKING:
    from mypy_boto3_backup.type_defs import BackupPlanTypeDef

_ADVICE = "the backup plans may not be read: grant backup:ListBackupPlans and backup:GetBackupPlan"


class BackupPlansEgress(ReportedOnly):
    """Every plan of one region and account, under the contract of `storage_adapters.egress.contract.Egress`.

    A way out is one copy of one rule, whether it goes to another region, another account or another vault beside it;
    the destination says which. What the plan is assigned to is not looked at: it may be assigned tomorrow.
    """

    def __init__(self, name: str, settings: AwsSettings) -> None:
        """Connects when it is first asked."""
        super().__init__(name)
        with asking(name, "AWS Backup"):
            self._client = settings.session().client("backup", endpoint_url=settings.endpoint, config=settings.config())

    def ways_out(self) -> tuple[WayOut, ...]:
        """The copies of every rule of every plan. Raises Refused where any of them may not be read."""
        try:
            return by_name(list(self._copies()))
        except Declined as declined:
            raise Refused(self._name, f"{_ADVICE} ({declined.code})") from declined

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._client.close()

    def _copies(self) -> Iterator[WayOut]:
        for plan_id in list(self._plan_ids()):
            try:
                with asking(self._name, "GetBackupPlan"):
                    plan = self._client.get_backup_plan(BackupPlanId=plan_id)["BackupPlan"]
            except NotFound:  # deleted meanwhile: it copies nothing any more
                continue
            yield from _copies_of(plan_id, plan)

    def _plan_ids(self) -> Iterator[str]:
        with asking(self._name, "ListBackupPlans"):
            for page in self._client.get_paginator("list_backup_plans").paginate():
                for plan in page["BackupPlansList"]:
                    yield plan["BackupPlanId"]


def _copies_of(plan_id: str, plan: BackupPlanTypeDef) -> Iterator[WayOut]:
    for rule in plan["Rules"]:
        for copy in rule.get("CopyActions", []):
            vault = copy["DestinationBackupVaultArn"]
            name = f"plan {plan['BackupPlanName']} ({plan_id}), rule {rule['RuleName']}, to {vault}"
            yield WayOut(WayKind.BACKUP_COPY, name, place_of(vault), prefix="", is_on=True)
