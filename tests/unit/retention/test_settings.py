"""Settings: what operators write, what the environment says over it, and what they read about a mistake."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from retention.errors import InputError
from retention.policy.load import load_policy
from retention.settings import Settings, load_settings
from retention.settings.sections import FilesStore, Listen, MemoryStore, RedisStore, S3Store, SqlStore

ROOT = Path(__file__).parents[3]
SAMPLE = """\
[catalog]
url = "postgresql+psycopg://retention@db/retention"

[evidence]
directory = "var/ledger"
origin = "retention.example.com/ledger"
# the name of the log in its checkpoints

[keys]
provider = "file"
path = "var/keys"
roll = "12 hours"

[daemon]
lease = "30 seconds"
listen = "[::1]:9464"
log-level = "debug"

[stores.objects]
kind = "s3"
bucket = "customer-data"
region = "cn-north-1"
endpoint = "https://objects.example.cn"

[stores.app-database]
kind = "sql"
url = "postgresql+psycopg://retention@db/app"
statement-timeout = "10 seconds"

[stores.cache]
kind = "redis"
url = "redis://cache:6379/0"

[stores.backups]
kind = "files"
root = "/srv/backups"
"""


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "retention.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def problems(folder: Path, text: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    """What is wrong with the settings, each without the folder's name."""
    with pytest.raises(InputError) as caught:
        load_settings(written(folder, text), environ or {})
    return tuple(problem.replace(f"{folder}/", "") for problem in caught.value.problems)


def test_every_section_of_the_file_is_read(somewhere: Path) -> None:
    settings = load_settings(written(somewhere, SAMPLE), {})
    assert settings.catalog.url.get_secret_value() == "postgresql+psycopg://retention@db/retention"
    assert settings.evidence.origin == "retention.example.com/ledger"
    assert (settings.keys.path, settings.keys.roll) == (Path("var/keys"), timedelta(hours=12))
    assert (settings.daemon.lease, settings.daemon.listen) == (timedelta(seconds=30), Listen("::1", 9464))
    objects, database = settings.stores["objects"], settings.stores["app-database"]
    assert isinstance(objects, S3Store)
    assert (objects.bucket, objects.endpoint) == ("customer-data", "https://objects.example.cn")
    assert isinstance(database, SqlStore)
    assert database.statement_timeout == timedelta(seconds=10)
    assert settings.store_kinds == {"objects": "s3", "app-database": "sql", "cache": "redis", "backups": "files"}
    assert settings.warnings == ()


def test_a_file_in_the_working_directory_is_found_by_itself(somewhere: Path) -> None:
    written(somewhere, SAMPLE)
    assert load_settings(None, {}).path == Path("retention.toml")


def test_without_a_file_everything_is_below_var_and_needs_no_server(somewhere: Path) -> None:
    settings = load_settings(None, {})
    assert settings.path is None
    assert settings.catalog.url.get_secret_value() == "sqlite:///var/catalog.db"
    assert (settings.evidence.directory, settings.keys.path) == (Path("var/ledger"), Path("var/keys"))
    assert settings.stores["objects"] == FilesStore(kind="files", root=Path("var/objects"))
    assert settings.store_kinds == {"objects": "files", "app-database": "sql", "backups": "files", "cache": "memory"}


def test_the_sample_policy_fits_the_embedded_default(somewhere: Path) -> None:
    load_policy(ROOT / "policies.yaml", load_settings(None, {}).store_kinds)


def test_the_environment_stands_over_the_file_and_underscores_are_the_hyphens_of_names(somewhere: Path) -> None:
    environ = {
        "RETENTION_STORES__APP_DATABASE__URL": "postgresql+psycopg://retention:hunter2@db/app",
        "RETENTION_DAEMON__LOG_LEVEL": "error",
    }
    settings = load_settings(written(somewhere, SAMPLE), environ)
    database = settings.stores["app-database"]
    assert isinstance(database, SqlStore)
    assert database.url.get_secret_value() == "postgresql+psycopg://retention:hunter2@db/app"
    assert settings.daemon.log_level == "error"


def test_the_environment_alone_can_replace_an_embedded_store(somewhere: Path) -> None:
    environ = {
        "RETENTION_STORES__OBJECTS__KIND": "s3",
        "RETENTION_STORES__OBJECTS__BUCKET": "b",
        "RETENTION_STORES__OBJECTS__REGION": "r",
        "RETENTION_STORES__CACHE__KIND": "redis",
        "RETENTION_STORES__CACHE__URL": "redis://localhost",
    }
    assert load_settings(None, environ).store_kinds["objects"] == "s3"
    assert isinstance(load_settings(None, environ).stores["cache"], RedisStore)


def test_variables_that_kubernetes_sets_for_a_service_of_this_name_are_not_ours(somewhere: Path) -> None:
    environ = {"RETENTION_PORT": "tcp://10.0.0.1:9464", "RETENTION_SERVICE_HOST": "10.0.0.1", "PATH": "/bin"}
    assert isinstance(load_settings(None, environ), Settings)


def test_a_secret_comes_from_a_file_that_only_its_owner_reads(somewhere: Path) -> None:
    secret = somewhere / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    secret.chmod(0o600)
    more = f'\n[stores.more]\nkind = "s3"\nbucket = "b"\nregion = "r"\naccess-key = "A"\nsecret-key-file = "{secret}"\n'
    settings = load_settings(written(somewhere, SAMPLE + more), {})
    store = settings.stores["more"]
    assert isinstance(store, S3Store)
    assert store.secret_key is not None
    assert store.secret_key.get_secret_value() == "hunter2"
    assert settings.warnings == ()


def test_a_secret_file_that_others_can_read_is_warned_about(somewhere: Path) -> None:
    secret = somewhere / "url"
    secret.write_text("redis://:hunter2@cache", encoding="utf-8")
    secret.chmod(0o644)
    text = SAMPLE.replace('url = "redis://cache:6379/0"', f'url-file = "{secret}"')
    (warning,) = load_settings(written(somewhere, text), {}).warnings
    assert warning.startswith(f"{secret}: others may read the secret in it")


def test_a_settings_file_that_others_can_change_is_warned_about(somewhere: Path) -> None:
    path = written(somewhere, SAMPLE)
    path.chmod(0o666)
    assert "others may change it" in load_settings(path, {}).warnings[0]


def test_no_secret_is_printed(somewhere: Path) -> None:
    environ = {
        "RETENTION_CATALOG__URL": "postgresql+psycopg://retention:hunter2@db/retention",
        "RETENTION_STORES__OBJECTS__ACCESS_KEY": "AKIA",
        "RETENTION_STORES__OBJECTS__SECRET_KEY": "hunter2",
        "RETENTION_STORES__OBJECTS__SESSION_TOKEN": "hunter2",
    }
    settings = load_settings(written(somewhere, SAMPLE), environ)
    assert "hunter2" not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"RETENTION_CATALOG__URL": "hunter2"}, id="a secret where a URL should be"),
        pytest.param({"RETENTION_CATALOG__URL": "htps://u:hunter2@db"}, id="a URL of another kind"),
        pytest.param({"RETENTION_STORES__OBJECTS": "hunter2", "RETENTION_CATALOG__": "x"}, id="one level too high"),
        pytest.param({"RETENTION_STORES__OBJECTS__SECRET": "hunter2"}, id="a misspelt key"),
        pytest.param({"RETENTION_STORES__OBJECTS__SECRET_KEY": "hunter2"}, id="a secret without its access key"),
        pytest.param({"RETENTION_STORES__OBJECTS__ENDPOINT": "https://u:hunter2@h"}, id="a password in an endpoint"),
        pytest.param({"RETENTION_STORES__APP_DATABASE__URL__X": "hunter2"}, id="one level too deep"),
    ],
)
def test_no_mistake_brings_a_secret_into_a_message(somewhere: Path, environ: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        load_settings(written(somewhere, SAMPLE), environ)
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in str(error) + repr(error)
        error = error.__cause__


KINDS = "aws-backup, ebs-snapshots, files, rds-snapshots, redis, restic, s3, sql"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            '[keys]\nprovider = "file"',
            "[key]\nx = 1",
            ["9:1: unknown key `key`; did you mean `keys`?"],
            id="a section",
        ),
        pytest.param(
            "log-level", "log_level", ["17:1: unknown key `log_level`; did you mean `log-level`?"], id="an underscore"
        ),
        pytest.param(
            'roll = "12 hours"',
            'roll = "12 moons"',
            ['12:1: "12 moons" is no length of time; write for example "15 seconds", "5 minutes" or "1 day"'],
            id="a length of time",
        ),
        pytest.param(
            '"[::1]:9464"',
            '"9464"',
            ['16:1: "9464" is no address; write host and port, for example "127.0.0.1:9464"'],
            id="an address without a host",
        ),
        pytest.param(
            'provider = "file"', 'provider = "vault"', ['10:1: "vault" is not known here; write file'], id="a provider"
        ),
        pytest.param(
            'kind = "redis"',
            'kind = "memcached"',
            [f'31:1: "memcached" is no kind of store; write one of {KINDS}'],
            id="a kind of store",
        ),
        pytest.param(
            'kind = "redis"',
            'kind = "memory"',
            [f'31:1: "memory" is no kind of store; write one of {KINDS}'],
            id="the embedded default's memory",
        ),
        pytest.param(
            'kind = "redis"\n',
            "",
            [
                '30:1: `kind` is missing; add `kind = "files"`, or another of '
                "s3, sql, redis, files, restic, rds-snapshots, ebs-snapshots, aws-backup"
            ],
            id="a store without a kind",
        ),
        pytest.param(
            'region = "cn-north-1"\n',
            "",
            ["19:1: `region` is missing; add `region = …`"],
            id="a missing key at its section",
        ),
        pytest.param(
            "[stores.cache]",
            "[stores.Cache]",
            ['30:1: "Cache" is no name; write up to 64 of a-z, 0-9 and `-`, beginning with a letter'],
            id="a store's name with a capital",
        ),
        pytest.param(
            "retention@db/app",
            "retention:hunter2@db/app",
            [
                "27:1: a secret does not belong in this file; set RETENTION_STORES__APP_DATABASE__URL, or write `url-file`"
            ],
            id="a password in a URL",
        ),
        pytest.param(
            'endpoint = "https://objects.example.cn"',
            'access-key = "A"\nsecret-key = "hunter2"',
            [
                "24:1: a secret does not belong in this file; "
                "set RETENTION_STORES__OBJECTS__SECRET_KEY, or write `secret-key-file`"
            ],
            id="a secret key",
        ),
        pytest.param(
            'endpoint = "https://objects.example.cn"',
            'access-key = "A"',
            ["19:1: an access key and a secret key go together; give both, or neither"],
            id="half of a pair of keys",
        ),
        pytest.param(
            'url = "redis://cache:6379/0"',
            'url-file = "nowhere"',
            [
                '32:1: the file "nowhere" cannot be read: No such file or directory; check its name and permissions',
            ],
            id="a secret file that is not there",
        ),
    ],
)
def test_a_mistake_is_named_at_its_line(somewhere: Path, old: str, new: str, expected: list[str]) -> None:
    assert SAMPLE.count(old) == 1
    assert sorted(problems(somewhere, SAMPLE.replace(old, new))) == sorted(
        f"retention.toml:{line}" for line in expected
    )


def test_every_problem_is_named_at_once_and_the_environments_by_their_variables(somewhere: Path) -> None:
    text = SAMPLE.replace("log-level", "loglevel").replace('"12 hours"', '"never"')
    environ = {"RETENTION_DAEMON__LEASE": "soon", "RETENTION_STORES__NEW__KIND": "files"}
    found = problems(somewhere, text, environ)
    assert [problem.partition(": ")[0] for problem in found] == [
        "retention.toml:12:1",
        "retention.toml:17:1",
        "RETENTION_DAEMON__LEASE",
        "RETENTION_STORES__NEW__KIND",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("[catalog]\nurl = \n", "2:7", id="a value that is missing"),
        pytest.param("[catalog\n", "1:9", id="a section that is not closed"),
        pytest.param('a = 1\na = "2"\n', "2:8", id="a key twice"),
        pytest.param('a = "x', "1:7", id="a text that is not closed"),
    ],
)
def test_what_is_no_toml_is_named_where_it_breaks(somewhere: Path, text: str, place: str) -> None:
    (problem,) = problems(somewhere, text)
    assert problem.startswith(f"retention.toml:{place}: this is no TOML: ")


def test_keys_inside_a_long_text_are_not_taken_for_keys(somewhere: Path) -> None:
    text = 'origin = """\n[stores.fake]\nurl = 1\n"""\n[daemon]\nlease = "x"\n'
    found = problems(somewhere, text)
    assert found[0].startswith("retention.toml:1:1: unknown key `origin`")
    assert found[1].startswith("retention.toml:6:1: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"x" * (1 << 20) + b"x", "1:1: is larger than 1 MiB", id="a file of more than 1 MiB"),
        pytest.param(b'[catalog]\nurl = "\xff"', "2:8: is not UTF-8 here", id="a file that is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_text_is_refused(somewhere: Path, content: bytes, message: str) -> None:
    path = somewhere / "retention.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_settings(path, {})
    assert caught.value.problems[0].startswith(f"{path}:{message}")


def test_a_named_file_that_is_not_there_is_no_embedded_default(somewhere: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_settings(somewhere / "other.toml", {})


def test_the_memory_store_has_nothing_to_configure() -> None:
    assert MemoryStore().kind == "memory"


def test_a_secret_comes_from_a_file_of_the_credentials_folder(tmp_path: Path) -> None:
    (tmp_path / "RETENTION_STORES__OBJECTS__ACCESS_KEY").write_text("id\n", encoding="utf-8")
    (tmp_path / "RETENTION_STORES__OBJECTS__SECRET_KEY").write_text("hush\n", encoding="utf-8")
    (tmp_path / "another-service").write_bytes(b"\xff")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "RETENTION_STORES__OBJECTS__ACCESS_KEY": "set"}
    store = load_settings(ROOT / "deploy" / "retention.toml", environ).stores["objects"]
    assert isinstance(store, S3Store)
    assert store.access_key == "set", "a variable stands over a file"
    assert store.secret_key is not None
    assert store.secret_key.get_secret_value() == "hush"
    assert "hush" not in repr(store)


def test_a_credentials_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="CREDENTIALS_DIRECTORY: /nowhere cannot be read: No such file or directory"):
        load_settings(ROOT / "deploy" / "retention.toml", {"CREDENTIALS_DIRECTORY": "/nowhere"})


def test_the_settings_for_a_server_are_valid() -> None:
    settings = load_settings(ROOT / "deploy" / "retention.toml", {})
    assert settings.store_kinds == {"objects": "s3", "app-database": "sql", "cache": "redis", "backups": "s3"}
