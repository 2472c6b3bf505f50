"""Transfers run their requests in threads of their own: whose data they carry goes with them.

Uploads, downloads and `copy` of boto3 hand their client to worker threads, which do not see the ContextVar of
`working_for`. They are given a client that says it again around every call.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from types import MethodType
from typing import Any

from boto3.s3.transfer import TransferConfig

from retention.guards.permit import Subject, current_subject, working_for

TRANSFERS = ("upload_file", "upload_fileobj", "copy", "download_file", "download_fileobj")
"""The methods of a client that ask in other threads."""


class _ClientFor:
    """The client, with every operation called as work for one customer."""

    def __init__(self, client: Any, subject: Subject) -> None:
        self._client = client
        self._subject = subject

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in self._client.meta.method_to_api_mapping:
            return found

        @functools.wraps(found)
        def operation(*args: Any, **named: Any) -> Any:
            with working_for(self._subject.customer, self._subject.dataset):
                return found(*args, **named)

        return operation


def carrying(method: Callable[..., Any]) -> Callable[..., Any]:
    """The transfer method, whose threads know whose data they send, and which sends through botocore alone.

    The native transfer client (CRT) signs and sends by itself, past every event of botocore: it is not used.
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def transfer(self: Any, *args: Any, **named: Any) -> Any:
        subject = current_subject()
        bound = signature.bind(self if subject is None else _ClientFor(self, subject), *args, **named)
        config = copy.copy(bound.arguments.get("Config")) or TransferConfig()
        config.preferred_transfer_client = "classic"
        bound.arguments["Config"] = config
        return method(*bound.args, **bound.kwargs)

    return transfer


def carry_in_client(client: Any) -> None:
    """The transfer methods of this one client carry the subject. Again changes nothing."""
    for name in TRANSFERS:
        setattr(client, name, MethodType(carrying(getattr(type(client), name)), client))


def carry_in_class(class_attributes: dict[str, Any], **_: object) -> None:
    """The same for a class of clients that botocore is about to create."""
    for name in TRANSFERS:
        if name in class_attributes:  # a session of botocore alone has none of them
            class_attributes[name] = carrying(class_attributes[name])
