"""In which territory a bucket, an endpoint or a database lies, as far as what is listed tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from retention.guards.permit import Permit, Territories, TransferBlocked
from retention.model.transfer import Crossing, Verdict

KNOWN_AT_ONCE = 4096
"""How many different requests a guard remembers the territory of."""

AWS_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu")
REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+")
GLOBAL = re.compile(r"(?:.+\.)?(?:s3\.amazonaws\.com|accesspoint\.s3-global\.amazonaws\.com)")


def insist(permit: Permit, crossing: Crossing) -> None:
    """The permit has allowed the crossing just now. Raises TransferBlocked, or whatever the permit raises."""
    decision = permit(crossing)
    if decision.verdict is not Verdict.ALLOW:
        raise TransferBlocked(crossing, decision)


def region_of_host(host: str) -> str | None:
    """The region that an AWS endpoint's name tells; None where it tells none, or is not of AWS.

    Only the label next to AWS's own domain counts, so that a bucket cannot be named like a region.
    """
    suffix = next((each for each in AWS_SUFFIXES if host.endswith(each)), None)
    if suffix is None:
        return None
    labels = host.removesuffix(suffix).split(".")
    if labels[-1] == "vpce":
        labels.pop()
    label = labels[-1].removeprefix("s3-") if labels else ""
    return label if REGION.fullmatch(label) else None


class Whereabouts:
    """Answers where something lies from one reading of `territories`. May be used from several threads.

    Everything that is said of one thing has to agree: home is only what all of it calls home. One foreign territory is the
    answer where it is the only one; unknown, or two of them, is None.
    """

    def __init__(self, territories: Territories) -> None:
        self.home = territories.home
        self._regions = _lowered(territories.regions)
        self._hosts = _lowered(territories.hosts)
        self._buckets = _lowered(territories.buckets)
        self.of_request = lru_cache(maxsize=KNOWN_AT_ONCE)(self._of_request)

    def agreed(self, said: Iterable[str | None]) -> str | None:
        """What all of `said` amounts to; nothing said is None."""
        told = set(said)
        if None in told or not told:
            return None
        foreign = told - {self.home}
        if not foreign:
            return self.home
        return foreign.pop() if len(foreign) == 1 else None

    def of_host(self, host: str, port: int | None = None) -> str | None:
        """By `host:port`, then the exact host, then the longest listed domain that it lies in; None where unlisted."""
        host = host.lower().rstrip(".")
        if port is not None and (exact := self._hosts.get(f"{host}:{port}")):
            return exact
        labels = host.split(".")
        is_name = not labels[-1].isdigit() and ":" not in host
        names = (".".join(labels[start:]) for start in range(len(labels) if is_name else 1))
        return next((self._hosts[name] for name in names if name in self._hosts), None)

    def of_bucket(self, bucket: str) -> str | None:
        """By its listing, or the region in the ARN of an access point; None where neither tells."""
        name = bucket.lower()
        if listed := self._buckets.get(name) or self._buckets.get(name.rpartition(":")[2]):
            return listed
        parts = name.split(":")
        return self._regions.get(parts[3]) if len(parts) > 5 and parts[0] == "arn" else None

    def _of_request(self, server: str, region: str | None, bucket: str, *, presigned: bool) -> str | None:
        """Where a signed request goes: `server` is the start of its URL, `region` that of its signature."""
        url = urlsplit(server)
        host = (url.hostname or "").rstrip(".")
        signed_for = self._regions.get(region.lower()) if region else None
        in_name = region_of_host(host)
        listed_bucket = self.of_bucket(bucket)
        said: set[str | None] = {listed_bucket} if listed_bucket else set()
        if listed_host := self.of_host(host, url.port):
            said.add(listed_host)
            if in_name:
                said.add(self._regions.get(in_name))
            elif signed_for:
                said.add(signed_for)
        elif in_name:
            said.add(self._regions.get(in_name))
        elif GLOBAL.fullmatch(host):
            if signed_for and not presigned:  # a signature is for one region, and AWS refuses it in every other
                said.add(signed_for)
        else:
            said.add(None)
        return self.agreed(said)


def _lowered(listed: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): territory for name, territory in listed.items()}
