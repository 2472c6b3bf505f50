"""A guard for boto3: S3 requests that would take customer data abroad are refused before a byte is sent.

It stands at `before-sign`, the first event at which the final URL is known. botocore emits it for every attempt: the first,
each retry, the one after a redirect to another region, and for presigned URLs and forms when they are generated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from boto3.resources.base import ServiceResource
from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.session import Session as BotocoreSession

from retention.guards import s3_threads
from retention.guards.permit import Permit, Subject, Territories, TransferBlocked, current_subject
from retention.guards.s3_operations import (
    Effect,
    Parameters,
    copy_source,
    effect_of,
    replications,
    restored_into,
)
from retention.guards.whereabouts import Whereabouts, insist
from retention.model.transfer import Crossing

SubjectOf = Callable[[str, str], Subject | None]
"""Whose data the object of this bucket and key is; None where it cannot be told."""

_PARAMETERS = "retention-guard-parameters"
_METHODS = {"Get": ("GET",), "Hea": ("HEAD",), "Lis": ("GET",), "Del": ("DELETE", "POST"), "Abo": ("DELETE",)}


def guard_boto3(
    guarded: Any,
    permit: Permit,
    territories: Territories,
    subject_of: SubjectOf | None = None,
) -> None:
    """From now on S3 requests of `guarded` that would leave home are sent only where `permit` allows them.

    guarded: an S3 client; an S3 resource; or a session of boto3 or botocore, for every client that is made from it from now
    on. The requests raise TransferBlocked. Home to home is not asked. Whose data it is comes from `working_for` and
    `subject_of`; where both speak they have to agree, otherwise the permit is asked about nobody's. A second guard is asked
    as well as the first. Raises TypeError for anything else, a client of another service included.
    Source: clause 6.12.
    """
    guard = _Guard(permit, Whereabouts(territories), subject_of)
    if isinstance(guarded, boto3.Session):
        _listen(guarded.events, guard)
        guarded.events.register_last("creating-client-class.s3", s3_threads.carry_in_class)
    elif isinstance(guarded, BotocoreSession):
        events = guarded.get_component("event_emitter")
        _listen(events, guard)
        events.register_last("creating-client-class.s3", s3_threads.carry_in_class)
    else:
        client = guarded.meta.client if isinstance(guarded, ServiceResource) else guarded
        if not isinstance(client, BaseClient) or client.meta.service_model.service_name != "s3":
            raise TypeError("guard_boto3 takes a session, or a client or resource of S3")
        _listen(client.meta.events, guard)
        s3_threads.carry_in_client(client)


def _listen(events: Any, guard: _Guard) -> None:
    events.register_last("before-parameter-build.s3", guard.remember)
    events.register_last("before-sign.s3", guard.check)


class _Guard:
    """What one call of `guard_boto3` put in place. Holds nothing that changes."""

    def __init__(self, permit: Permit, whereabouts: Whereabouts, subject_of: SubjectOf | None) -> None:
        self._permit = permit
        self._whereabouts = whereabouts
        self._subject_of = subject_of

    def remember(self, params: Parameters, context: dict[str, Any], **_: object) -> None:
        """The parameters of the call go with its request."""
        context[_PARAMETERS] = params

    def check(self, request: AWSRequest, operation_name: str, region_name: str | None, **_: object) -> None:
        """Nothing happened: the request may go. Raises TransferBlocked."""
        effect = effect_of(operation_name)
        presigned = bool(request.context.get("is_presign_request"))
        if presigned and request.method not in _METHODS.get(operation_name[:3], (request.method,)):
            effect = Effect.WRITE  # a URL that is called a read, and made for PUT
        if effect is Effect.CARRIES_NOTHING:
            return
        parameters: Parameters = request.context.get(_PARAMETERS, {})
        bucket = str(parameters.get("Bucket", ""))
        scheme, _slashes, rest = (request.url or "").partition("://")
        server = f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"
        region = request.context.get("signing", {}).get("region") or region_name
        there = self._whereabouts.of_request(server, region, bucket, presigned=presigned)
        if effect is Effect.REPLICATE:
            self._check_replication(parameters, bucket, there, presigned=presigned)
        elif effect is Effect.RESTORE:
            self._check_restore(parameters, bucket, there)
        elif there != self._whereabouts.home:
            key = str(parameters.get("Key") or request.context.get("s3-presign-post-fields", {}).get("key", ""))
            place = f"{bucket} at {rest.partition('/')[0].partition('?')[0]}"
            if effect is Effect.WRITE:
                self._check_write(parameters, bucket, key, there, place)
            elif self._whereabouts.of_bucket(bucket) == self._whereabouts.home:
                self._ask([(bucket, key)], self._whereabouts.home, there, place)

    def _check_write(self, parameters: Parameters, bucket: str, key: str, there: str | None, place: str) -> None:
        copied = copy_source(parameters)
        source: str | None = self._whereabouts.home
        if copied is not None:
            source = there if copied[0] == bucket else self._whereabouts.of_bucket(copied[0])
        try:
            self._ask([(bucket, key), *([copied] if copied else [])], source, there, place)
        except TransferBlocked as blocked:
            if part := parameters.get("PartNumber"):
                blocked.add_note(
                    f"part {part} of a multipart upload was not sent; parts sent before it lie there until the upload "
                    "is aborted (abort_multipart_upload is never blocked)"
                )
            raise

    def _check_replication(self, parameters: Parameters, bucket: str, here: str | None, *, presigned: bool) -> None:
        if presigned:  # its body, and with it the destination, is whatever the holder of the URL sends
            self._ask([(bucket, "")], here, None, f"whatever {bucket} is told to replicate to")
            return
        for replica, prefix in replications(parameters):
            there = self._whereabouts.of_bucket(replica)
            if there != self._whereabouts.home:
                self._ask([(bucket, prefix)], here, there, replica.rpartition(":")[2])

    def _check_restore(self, parameters: Parameters, bucket: str, here: str | None) -> None:
        other = restored_into(parameters)
        if other is None:
            return
        there = self._whereabouts.of_bucket(other)
        if there != self._whereabouts.home:
            self._ask([(bucket, str(parameters.get("Key", "")))], here, there, other)

    def _ask(self, objects: list[tuple[str, str]], source: str | None, there: str | None, place: str) -> None:
        subject = self._whose(objects)
        customer, dataset = (subject.customer, subject.dataset) if subject else (None, None)
        insist(self._permit, Crossing(customer, dataset, source, there, place))

    def _whose(self, objects: list[tuple[str, str]]) -> Subject | None:
        """The one subject that everything which says something says; None where nothing does, or they differ."""
        said = {current_subject()}
        if self._subject_of is not None:
            said.update(self._subject_of(bucket, key) for bucket, key in objects)
        said.discard(None)
        return said.pop() if len(said) == 1 else None
