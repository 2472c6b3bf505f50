"""Who reads a database's log of changes over the network: standbys, subscribers, and tools that copy the log.

Source: PostgreSQL, "pg_stat_replication", "pg_replication_slots"; MariaDB, "SHOW REPLICA HOSTS", "SHOW PROCESSLIST".
"""

from __future__ import annotations

from sqlalchemy import Connection, make_url, text

from storage_adapters.egress.contract import Destination, WayKind, WayOut
from storage_adapters.egress.reported import ReportedOnly, by_name
from storage_adapters.errors import Refused
from storage_adapters.sql.database import Database
from storage_adapters.sql.dialect import Limits

_SENDERS = text("""
    SELECT sender.state, sender.application_name, slot.slot_name,
           COALESCE(sender.client_hostname, host(sender.client_addr), 'localhost') AS host
    FROM pg_catalog.pg_stat_replication sender
    LEFT JOIN pg_catalog.pg_replication_slots slot ON slot.active_pid = sender.pid
""")
_IDLE_SLOTS = text("SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE NOT active")

_REGISTERED = text("SHOW SLAVE HOSTS")  # the spelling that every MariaDB knows
_MAY_SEE_ALL = text("SELECT 1 FROM information_schema.innodb_metrics LIMIT 1")
_DUMPING = text("SELECT host FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")

_GRANTS = {
    "postgresql": "the role pg_monitor or pg_read_all_stats",
    "mysql": "REPLICATION MASTER ADMIN and PROCESS on *.*",
    "mariadb": "REPLICATION MASTER ADMIN and PROCESS on *.*",
}


class StandbyEgress(ReportedOnly):
    """The readers of one server's log, under the contract of `storage_adapters.egress.contract.Egress`.

    PostgreSQL: whoever is connected for replication, and the replication slots that nobody is connected to now, which
    are off. MariaDB: the connected replicas; one that is away leaves no trace. SQLite has none.
    Galera's nodes and what the provider does below the server are not seen.
    """

    def __init__(self, name: str, url: str, *, limits: Limits | None = None) -> None:
        """Connects to nothing yet. Raises ValueError where the URL is of another kind of database."""
        super().__init__(name)
        self._database = Database(name, url, limits or Limits())
        self._kind = make_url(url).get_backend_name()

    def ways_out(self) -> tuple[WayOut, ...]:
        """Who reads the log now. Raises Refused, with what to grant, where the user may not see all of them."""
        look = {"postgresql": self._of_postgres, "mysql": _of_mariadb, "mariadb": _of_mariadb}.get(self._kind)
        if look is None:
            return ()
        try:
            return by_name(list(self._database.read(look)))
        except Refused as refused:
            advice = f"to see who reads its log, grant {_GRANTS[self._kind]}"
            raise Refused(self._name, f"{refused.message}; {advice}") from refused

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._database.close()

    def _of_postgres(self, connection: Connection) -> list[WayOut]:
        ways = []
        for state, application, slot, host in connection.execute(_SENDERS):
            if state is None:  # everybody sees how many there are, and no more
                raise Refused(self._name, "the replication connections are hidden from this user")
            name = f"slot {slot}" if slot else f"{application or 'unnamed'} at {host}"
            ways.append(_way(name, host, is_on=True))
        idle = connection.execute(_IDLE_SLOTS).scalars()
        return [*ways, *(_way(f"slot {slot}", None, is_on=False) for slot in idle)]


def _of_mariadb(connection: Connection) -> list[WayOut]:
    # without PROCESS the list of processes is short and does not say so, where this is refused
    connection.execute(_MAY_SEE_ALL).all()
    hosts = {str(row["Host"]) for row in connection.execute(_REGISTERED).mappings()}
    for host in connection.execute(_DUMPING).scalars():
        hosts.add(str(host).rpartition(":")[0] or str(host))  # the port changes with each connection
    return [_way(f"replica at {host or 'an unknown host'}", host or None, is_on=True) for host in hosts]


def _way(name: str, host: str | None, *, is_on: bool) -> WayOut:
    return WayOut(WayKind.STANDBY, name, Destination(host=host), prefix="", is_on=is_on)
