"""What Amazon RDS and Aurora keep of databases in other regions: read replicas, copied backups, global databases.

Source: Amazon RDS API reference, "DBInstance", "DBCluster", "GlobalClusterMember".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from storage_adapters.aws import AwsSettings, Declined, asking
from storage_adapters.egress.contract import WayKind, WayOut
from storage_adapters.egress.reported import ReportedOnly, by_name, place_of
from storage_adapters.errors import Refused

_ADVICE = (
    "databases may not be read: grant rds:DescribeDBInstances, rds:DescribeDBClusters and rds:DescribeGlobalClusters"
)


class DatabasesEgress(ReportedOnly):
    """Every database of one region and account, under the contract of `storage_adapters.egress.contract.Egress`.

    Replicas within the region are not told: they do not leave it.
    """

    def __init__(self, name: str, settings: AwsSettings) -> None:
        """Connects when it is first asked."""
        super().__init__(name)
        self._region = settings.region
        with asking(name, "RDS"):
            self._client = settings.session().client("rds", endpoint_url=settings.endpoint, config=settings.config())

    def ways_out(self) -> tuple[WayOut, ...]:
        """What each instance and cluster sends to other regions. Raises Refused where any may not be read."""
        try:
            return by_name([*self._of_instances(), *self._of_clusters(), *self._of_global_databases()])
        except Declined as declined:
            raise Refused(self._name, f"{_ADVICE} ({declined.code})") from declined

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._client.close()

    def _of_instances(self) -> Iterator[WayOut]:
        with asking(self._name, "DescribeDBInstances"):
            for page in self._client.get_paginator("describe_db_instances").paginate():
                for entry in page["DBInstances"]:
                    source = f"instance {entry['DBInstanceIdentifier']}"
                    instances = entry.get("ReadReplicaDBInstanceIdentifiers", [])
                    clusters = entry.get("ReadReplicaDBClusterIdentifiers", [])
                    yield from self._elsewhere(WayKind.READ_REPLICA, source, [*instances, *clusters])
                    copies = entry.get("DBInstanceAutomatedBackupsReplications", [])
                    backups = [copy.get("DBInstanceAutomatedBackupsArn", "") for copy in copies]
                    yield from self._elsewhere(WayKind.BACKUP_COPY, source, backups)

    def _of_clusters(self) -> Iterator[WayOut]:
        with asking(self._name, "DescribeDBClusters"):
            for page in self._client.get_paginator("describe_db_clusters").paginate():
                for entry in page["DBClusters"]:
                    source = f"cluster {entry['DBClusterIdentifier']}"
                    replicas = entry.get("ReadReplicaIdentifiers", [])
                    yield from self._elsewhere(WayKind.READ_REPLICA, source, replicas)

    def _of_global_databases(self) -> Iterator[WayOut]:
        with asking(self._name, "DescribeGlobalClusters"):
            for page in self._client.get_paginator("describe_global_clusters").paginate():
                for entry in page["GlobalClusters"]:
                    members = entry.get("GlobalClusterMembers", [])
                    writers = [one.get("DBClusterArn", "") for one in members if one.get("IsWriter")]
                    if any(place_of(arn).region == self._region for arn in writers):
                        source = f"global database {entry.get('GlobalClusterIdentifier', '')}"
                        others = [one.get("DBClusterArn", "") for one in members if not one.get("IsWriter")]
                        yield from self._elsewhere(WayKind.READ_REPLICA, source, others)

    def _elsewhere(self, kind: WayKind, source: str, names: Iterable[str]) -> Iterator[WayOut]:
        """A way for each name that is an ARN of another region; a replica beside its source has a plain name."""
        for name in names:
            destination = place_of(name)
            if destination.region not in {None, self._region}:
                yield WayOut(kind, f"{source} to {name}", destination, prefix="", is_on=True)
