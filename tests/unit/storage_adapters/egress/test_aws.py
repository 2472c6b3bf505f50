"""Copies that AWS makes in other regions, on moto and, for what moto does not know, on a server of fixed answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import boto3
import pytest
from moto.backends import get_backend
from moto.backup.models import backup_backends

from storage_adapters.aws import AwsSettings
from storage_adapters.egress import BackupPlansEgress, DatabasesEgress
from storage_adapters.egress.contract import Destination, WayKind, WayOut
from storage_adapters.errors import Refused, Unavailable
from tests.services.cloud import enforced_cloud

if TYPE_CHECKING:
    from mypy_boto3_backup import BackupClient
    from mypy_boto3_rds import RDSClient

HOME = "eu-west-1"
ACCOUNT = "123456789012"
ANSWERS = {
    "DescribeDBInstances": """<DBInstances><DBInstance><DBInstanceIdentifier>orders</DBInstanceIdentifier>
        <ReadReplicaDBClusterIdentifiers>
            <ReadReplicaDBClusterIdentifier>arn:aws:rds:us-east-1:1:cluster:a</ReadReplicaDBClusterIdentifier>
        </ReadReplicaDBClusterIdentifiers>
        <DBInstanceAutomatedBackupsReplications><DBInstanceAutomatedBackupsReplication>
            <DBInstanceAutomatedBackupsArn>arn:aws:rds:us-west-2:1:auto-backup:ab-1</DBInstanceAutomatedBackupsArn>
        </DBInstanceAutomatedBackupsReplication></DBInstanceAutomatedBackupsReplications>
        </DBInstance></DBInstances>""",
    "DescribeDBClusters": "<DBClusters/>",
    "DescribeGlobalClusters": """<GlobalClusters><GlobalClusterMember>
        <GlobalClusterIdentifier>world</GlobalClusterIdentifier><GlobalClusterMembers>
        <GlobalClusterMember><DBClusterArn>arn:aws:rds:eu-west-1:1:cluster:w</DBClusterArn><IsWriter>true</IsWriter>
        </GlobalClusterMember>
        <GlobalClusterMember><DBClusterArn>arn:aws:rds:cn-north-1:1:cluster:r</DBClusterArn><IsWriter>false</IsWriter>
        </GlobalClusterMember></GlobalClusterMembers></GlobalClusterMember></GlobalClusters>""",
}


@pytest.fixture
def settings(s3_endpoint: str) -> AwsSettings:
    """How moto's server is reached. Its RDS and Backup are empty."""
    for databases in get_backend("rds").values():
        for rds in databases.values():
            rds.reset()
    for plans in backup_backends.values():
        for backup in plans.values():
            backup.reset()
    return AwsSettings(HOME, s3_endpoint, "test", "test", tries=1)


@pytest.fixture
def backup(s3_endpoint: str) -> Iterator[BackupClient]:
    client = boto3.client(
        "backup", HOME, endpoint_url=s3_endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )
    yield client
    client.close()


@pytest.fixture
def rds_in(s3_endpoint: str) -> Iterator[Callable[[str], RDSClient]]:
    with ExitStack() as after:

        def client(region: str) -> RDSClient:
            made = boto3.client(
                "rds", region, endpoint_url=s3_endpoint, aws_access_key_id="test", aws_secret_access_key="test"
            )
            after.callback(made.close)
            return made

        yield client


def plan(client: BackupClient, name: str, *vaults: str) -> str:
    copies = [{"DestinationBackupVaultArn": vault} for vault in vaults]
    plain = {"RuleName": "hourly", "TargetBackupVaultName": "home"}
    rules = [{"RuleName": "daily", "TargetBackupVaultName": "home", "CopyActions": copies}, plain]
    made = client.create_backup_plan(BackupPlan={"BackupPlanName": name, "Rules": rules})  # type: ignore[typeddict-item]
    return made["BackupPlanId"]


def cluster(client: RDSClient, name: str, source: str = "") -> str:
    made = client.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-mysql",
        MasterUsername="root",
        MasterUserPassword="password-1",
        ReplicationSourceIdentifier=source,
    )
    return made["DBCluster"]["DBClusterArn"]


def databases_of(settings: AwsSettings) -> tuple[WayOut, ...]:
    store = DatabasesEgress("databases", settings)
    try:
        return store.ways_out()
    finally:
        store.close()


def plans_of(settings: AwsSettings) -> tuple[WayOut, ...]:
    store = BackupPlansEgress("plans", settings)
    try:
        return store.ways_out()
    finally:
        store.close()


def test_every_copy_of_every_plan_is_found_with_region_and_account(settings: AwsSettings, backup: BackupClient) -> None:
    backup.create_backup_vault(BackupVaultName="home")
    far = f"arn:aws:backup:us-east-1:{ACCOUNT}:backup-vault:far"
    foreign = "arn:aws:backup:eu-west-1:210987654321:backup-vault:theirs"
    first, second = plan(backup, "nightly", far, foreign), plan(backup, "weekly", far)
    plan(backup, "kept-at-home")
    assert plans_of(settings) == (
        WayOut(
            WayKind.BACKUP_COPY,
            f"plan nightly ({first}), rule daily, to {foreign}",
            Destination(region="eu-west-1", account="210987654321"),
            "",
            is_on=True,
        ),
        WayOut(
            WayKind.BACKUP_COPY,
            f"plan nightly ({first}), rule daily, to {far}",
            Destination(region="us-east-1", account=ACCOUNT),
            "",
            is_on=True,
        ),
        WayOut(
            WayKind.BACKUP_COPY,
            f"plan weekly ({second}), rule daily, to {far}",
            Destination(region="us-east-1", account=ACCOUNT),
            "",
            is_on=True,
        ),
    )


def test_only_replicas_in_other_regions_leave_home(settings: AwsSettings, rds_in: Callable[[str], RDSClient]) -> None:
    home, far = rds_in(HOME), rds_in("us-east-1")
    made = home.create_db_instance(DBInstanceIdentifier="orders", DBInstanceClass="db.m5.large", Engine="postgres")
    home.create_db_instance_read_replica(DBInstanceIdentifier="near", SourceDBInstanceIdentifier="orders")
    source = made["DBInstance"]["DBInstanceArn"]
    far.create_db_instance_read_replica(DBInstanceIdentifier="far", SourceDBInstanceIdentifier=source)
    replica = f"arn:aws:rds:us-east-1:{ACCOUNT}:db:far"
    where = Destination(region="us-east-1", account=ACCOUNT)
    assert databases_of(settings) == (
        WayOut(WayKind.READ_REPLICA, f"instance orders to {replica}", where, "", is_on=True),
    )


def test_an_aurora_cluster_in_another_region_is_found(
    settings: AwsSettings, rds_in: Callable[[str], RDSClient]
) -> None:
    home, far = rds_in(HOME), rds_in("us-east-1")
    source = cluster(home, "orders")
    cluster(far, "far", source)
    replica = f"arn:aws:rds:us-east-1:{ACCOUNT}:cluster:far"
    assert [way.name for way in databases_of(settings)] == [f"cluster orders to {replica}"]


@contextmanager
def answering(answers: dict[str, str]) -> Iterator[str]:
    """A server that speaks RDS's query protocol, with a fixed answer for each action."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            words = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            action = words["Action"][0]
            inside = f"<{action}Result>{answers[action]}</{action}Result>"
            content = f"<{action}Response>{inside}</{action}Response>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is http.server's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_copied_backups_aurora_replicas_and_global_databases_are_found() -> None:
    with answering(ANSWERS) as endpoint:
        ways = databases_of(AwsSettings(HOME, endpoint, "test", "test", tries=1))
        assert [(way.kind, way.name, way.destination.region) for way in ways] == [
            (WayKind.READ_REPLICA, "global database world to arn:aws:rds:cn-north-1:1:cluster:r", "cn-north-1"),
            (WayKind.READ_REPLICA, "instance orders to arn:aws:rds:us-east-1:1:cluster:a", "us-east-1"),
            (WayKind.BACKUP_COPY, "instance orders to arn:aws:rds:us-west-2:1:auto-backup:ab-1", "us-west-2"),
        ]
        # seen from where the reader is, the global database sends nothing
        ways = databases_of(AwsSettings("cn-north-1", endpoint, "test", "test", tries=1))
        assert not [way for way in ways if way.name.startswith("global")]


@pytest.mark.parametrize(
    ("look", "grant"),
    [(plans_of, "backup:ListBackupPlans and backup:GetBackupPlan"), (databases_of, "rds:DescribeDBInstances")],
    ids=["of plans", "of databases"],
)
def test_access_denied_is_never_no_ways_out(
    s3_endpoint: str, look: Callable[[AwsSettings], tuple[WayOut, ...]], grant: str
) -> None:
    with enforced_cloud(s3_endpoint) as cloud:
        key = cloud.user("stranger", "nothing")
        settings = AwsSettings(HOME, s3_endpoint, key.access, key.secret, tries=1)
        with pytest.raises(Refused, match=grant) as refused:
            look(settings)
        assert key.secret not in str(refused.value)


@pytest.mark.parametrize("look", [plans_of, databases_of], ids=["of plans", "of databases"])
def test_a_service_that_is_not_there_is_unavailable(look: Callable[[AwsSettings], tuple[WayOut, ...]]) -> None:
    with pytest.raises(Unavailable):
        look(AwsSettings(HOME, "http://127.0.0.1:9", "test", "test", tries=1))
