"""What a test may rely on when it asks for a service: it is real, empty, and its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.services import databases

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.parametrize("service", ["postgres", "mariadb"])
def test_two_fresh_databases_are_empty_and_do_not_see_each_other(service: str, request: pytest.FixtureRequest) -> None:
    new_database: Callable[[], str] = request.getfixturevalue(f"new_{service}_database")
    one, other = (create_engine(new_database(), poolclass=NullPool) for _ in range(2))
    with one.begin() as connection:
        connection.execute(text("CREATE TABLE customer (name varchar(20))"))
        connection.execute(text("INSERT INTO customer VALUES ('息壤')"))
    with one.connect() as connection:
        assert connection.execute(text("SELECT name FROM customer")).scalars().all() == ["息壤"]
    assert inspect(other).get_table_names() == []


@pytest.mark.parametrize("service", ["postgres", "mariadb"])
def test_a_database_is_dropped_even_when_the_test_left_a_transaction_open(
    service: str, request: pytest.FixtureRequest
) -> None:
    server_url: str = request.getfixturevalue(f"{service}_url")
    with databases.fresh_database(server_url) as url:
        engine = create_engine(url, poolclass=NullPool)
        forgotten = engine.connect()
        forgotten.execute(text("CREATE TABLE customer (name varchar(20))"))
        forgotten.commit()
        forgotten.execute(text("SELECT * FROM customer"))
    with pytest.raises(OperationalError):
        engine.connect()
    forgotten.invalidate()
    forgotten.close()


def test_a_redis_database_is_empty_and_does_not_reach_the_numberless_one(redis_url: str, redis_database: str) -> None:
    with Redis.from_url(redis_database) as mine, Redis.from_url(redis_url) as numberless:
        assert mine.dbsize() == 0
        mine.set("retention-test-key", "1")
        assert numberless.get("retention-test-key") is None


def test_fresh_buckets_keep_versions_unless_asked_not_to(
    s3_client: S3Client, new_s3_bucket: Callable[..., str]
) -> None:
    def versions_after_two_writes(bucket: str) -> int:
        for body in (b"1", b"2"):
            s3_client.put_object(Bucket=bucket, Key="key", Body=body)
        return len(s3_client.list_object_versions(Bucket=bucket)["Versions"])

    assert versions_after_two_writes(new_s3_bucket()) == 2
    assert versions_after_two_writes(new_s3_bucket(object_lock=True)) == 2
    assert versions_after_two_writes(new_s3_bucket(versioned=False)) == 1
