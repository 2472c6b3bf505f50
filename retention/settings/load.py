"""`retention.toml` and the environment, read into settings.

Every value keeps where it came from, a line of the file or the name of a variable, so that each problem can be named at
its place; that is why file and environment are read here and not by a library.

Source: TOML 1.0.0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from retention.errors import InputError
from retention.policy.problems import did_you_mean, explain, listed, quoted
from retention.policy.source import Place, Source, read_file
from retention.settings.credentials import with_credentials
from retention.settings.sections import AwsBackups, FileForm, MemoryStore, S3Store, Settings, StoreSettings
from retention.settings.toml_places import places_of, syntax_problem

SETTINGS_FILE = Path("retention.toml")
EMBEDDED_STORES: Mapping[str, Mapping[str, object]] = {
    "objects": {"kind": "files", "root": "var/objects"},
    "app-database": {"kind": "sql", "url": "sqlite:///var/app.db"},
    "backups": {"kind": "files", "root": "var/backups"},
}
"""The stores where there is no settings file, beside a cache in memory: what the sample policy names, without servers."""

_PREFIX = "RETENTION_"
_URLS = ("url", "drill-postgresql", "drill-mariadb")
_SECRETS = (
    *_URLS,
    "secret-key",
    "session-token",
    "password",
    "quarantine-secret-key",
    "quarantine-session-token",
    "quarantine-password",
)
_KINDS = ("s3", "sql", "redis", "files", "restic", "rds-snapshots", "ebs-snapshots", "aws-backup")
_MOST_SECRET_BYTES = 1 << 16
_READABLE_BY_OTHERS, _WRITABLE_BY_OTHERS = 0o077, 0o022


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings in the file at `path`, with what `environ` says over them.

    `path=None` reads `retention.toml` in the working directory, or is the embedded default under `./var` where there is
    none. `RETENTION_STORES__APP_DATABASE__URL` is the key `url` of the section `[stores.app-database]`; a file of such a
    name in `$CREDENTIALS_DIRECTORY` counts like the variable.
    Raises InputError with every problem at once, each at its line of the file or at its variable, and never with a secret.
    """
    if path is None and SETTINGS_FILE.exists():
        path = SETTINGS_FILE
    draft = _Draft(Source(str(path or SETTINGS_FILE)))
    if path is not None:
        draft.add_file(path)
    draft.add_environment(with_credentials(environ, _PREFIX))
    if path is None:
        draft.add_embedded_stores()
    draft.read_secret_files()
    return draft.settings(path)


@dataclass(slots=True)
class _Draft:
    """Values on their way to settings, and where each came from."""

    source: Source
    values: dict[str, object] = field(default_factory=dict)
    variables: dict[Place, str] = field(default_factory=dict)
    problems_of_variables: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unread: set[Place] = field(default_factory=set)
    has_cache_in_memory: bool = False

    def add_file(self, path: Path) -> None:
        text = read_file(path)
        self._warn_if_open(path, _WRITABLE_BY_OTHERS, "others may change it; take that away with chmod go-w")
        try:
            self.values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            (line, column), message = syntax_problem(str(error), text)
            raise InputError(f"{self.source.name}:{line}:{column}: {message}") from error
        self.source.keys = self.source.values = places_of(text)
        for place, value in _leaves(self.values):
            if place[-1] in _SECRETS and (place[-1] not in _URLS or _has_password(value)):
                variable = _PREFIX + "__".join(str(part).replace("-", "_").upper() for part in place)
                self.note(place, f"a secret does not belong in this file; set {variable}, or write `{place[-1]}-file`")

    def add_environment(self, environ: Mapping[str, str]) -> None:
        """A variable is ours when it names a section: Kubernetes sets RETENTION_PORT for a service of this name."""
        for name, value in sorted(environ.items()):
            if not name.startswith(_PREFIX) or "__" not in name:
                continue
            place = tuple(part.lower().replace("_", "-") for part in name.removeprefix(_PREFIX).split("__"))
            self.variables[place] = name
            section = _section(self.values, place[:-1])
            if section is None:
                self.note(place, "names a section that is no section; see docs/formats/settings.md")
            else:
                section[place[-1]] = value

    def add_embedded_stores(self) -> None:
        stores = _section(self.values, ("stores",))
        if stores is None:
            return
        self.has_cache_in_memory = "cache" not in stores
        for name, embedded in EMBEDDED_STORES.items():
            given = stores.get(name, {})
            if isinstance(given, dict) and "kind" not in given:
                stores[name] = {**embedded, **given}

    def read_secret_files(self) -> None:
        """`secret-key-file = "…"` becomes `secret-key` with what the file holds."""
        for place, value in list(_leaves(self.values)):
            key = str(place[-1])
            secret = key.removesuffix("-file")
            section = _section(self.values, place[:-1])
            if secret == key or secret not in _SECRETS or section is None:
                continue
            del section[key]
            if (*place[:-1], secret) in self.variables:
                continue  # what the environment says stands over the file
            if secret in section:
                self.note(place, f"`{secret}` is given too; keep one of them")
            section[secret] = self._content(place, Path(str(value)))

    def _content(self, place: Place, path: Path) -> str:
        self._warn_if_open(path, _READABLE_BY_OTHERS, "others may read the secret in it; take that away with chmod go=")
        try:
            with path.open("rb") as file:
                return file.read(_MOST_SECRET_BYTES).decode("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.unread.add((*place[:-1], str(place[-1]).removesuffix("-file")))
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            self.note(place, f"the file {quoted(str(path))} cannot be read: {why}; check its name and permissions")
            return ""

    def _warn_if_open(self, path: Path, mode: int, why: str) -> None:
        if path.is_file() and path.stat().st_mode & mode:
            self.warnings.append(f"{path}: {why}")

    def note(self, place: Place, message: str) -> None:
        """A problem at its variable, where one said it, else at its line."""
        variable = self._variable_of(place)
        if variable is not None:
            self.problems_of_variables.append(f"{variable}: {message}")
        else:
            self.source.problems.append(self.source.problem(place, message, at_key=True))

    def _variable_of(self, place: Place) -> str | None:
        """The variable that set the value, or for a key that is missing one that set its section, unless the file did."""
        if place in self.variables or place[:-1] in self.source.values:
            return self.variables.get(place)
        section = place[:-1]
        return next(
            (name for other, name in self.variables.items() if section and other[: len(section)] == section), None
        )

    def settings(self, path: Path | None) -> Settings:
        """What the values amount to. Raises InputError with everything noted so far and everything wrong in them."""
        try:
            file = FileForm.model_validate(self.values)
        except ValidationError as error:
            for place, message in map(_explained, error.errors()):
                if place not in self.unread:
                    self.note(place, message)
            raise self._refusal() from None  # the cause holds the values, secrets among them
        for name, store in file.stores.items():
            if isinstance(store, S3Store | AwsBackups) and (store.access_key is None) != (store.secret_key is None):
                self.note(("stores", name), "an access key and a secret key go together; give both, or neither")
        if self.source.problems or self.problems_of_variables:
            raise self._refusal()
        stores: dict[str, StoreSettings] = dict(file.stores)
        if self.has_cache_in_memory:
            stores["cache"] = MemoryStore()
        return Settings(
            file.catalog,
            file.evidence,
            file.keys,
            file.daemon,
            file.backups,
            stores,
            file.reports,
            path,
            tuple(self.warnings),
        )

    def _refusal(self) -> InputError:
        return InputError((*listed(self.source.problems, self.source.name), *self.problems_of_variables))


def _explained(error: ErrorDetails) -> tuple[Place, str]:
    """Where a mistake is and what to write instead. The union of stores puts the kind into the place; it is taken out."""
    place = error["loc"]
    if len(place) > 2 and place[0] == "stores" and place[2] in _KINDS:
        place = (*place[:2], *place[3:])
    if error["type"] == "union_tag_not_found":
        return place, f'`kind` is missing; add `kind = "files"`, or another of {", ".join(_KINDS)}'
    if error["type"] == "union_tag_invalid":
        tag = str(error.get("ctx", {}).get("tag", ""))
        return (*place, "kind"), f"{quoted(tag)} is no kind of store; {did_you_mean(tag, _KINDS)}"
    if error["type"] in ("dict_type", "model_type", "model_attributes_type"):
        return place, "needs keys of its own below it, and is a single value; see docs/formats/settings.md"
    return place, explain(error, FileForm, joined=" = ")


def _leaves(section: Mapping[str, object], above: Place = ()) -> Iterator[tuple[Place, object]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _section(values: dict[str, object], place: Place) -> dict[str, object] | None:
    """The mapping at `place`, made where there is none; None where a value stands in the way."""
    for part in place:
        below = values.setdefault(str(part), {})
        if not isinstance(below, dict):
            return None
        values = below
    return values


def _has_password(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
        return bool(parts.password) or "password" in parse_qs(parts.query)
    except ValueError:  # no URL at all; the form says so
        return False
