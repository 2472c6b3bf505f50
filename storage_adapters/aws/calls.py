"""What AWS's answers mean for the caller.

Source: AWS, "Common Error Types"; the API references of Amazon RDS, Amazon EC2 and AWS Backup, "Errors" of each action.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
)
from botocore.parsers import ResponseParserError

from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "TooManyRequestsException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
        "RequestTimeout",
        "InvalidDBSnapshotState",  # still being made, copied or deleted
        "InvalidDBSnapshotStateFault",
        "InvalidDBClusterSnapshotStateFault",
    }
)
_GONE = frozenset(
    {
        "DBSnapshotNotFound",
        "DBSnapshotNotFoundFault",
        "DBClusterSnapshotNotFoundFault",
        "InvalidSnapshot.NotFound",
        "InvalidSnapshotID.Malformed",
        "ResourceNotFoundException",
    }
)
_NOT_REACHED = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)


class Declined(Refused):
    """AWS answered with an error that a repetition does not change. `code` is its word for it."""

    def __init__(self, store: str, message: str, code: str) -> None:
        super().__init__(store, message)
        self.code = code


@contextmanager
def asking(store: str, what: str, *, changes: bool = False) -> Iterator[None]:
    """botocore's exceptions leave the block as the contract's.

    changes: a request whose fate is not known raises OutcomeUnknown, else Unavailable.
    """
    lost = OutcomeUnknown if changes else Unavailable
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _GONE:
            raise NotFound(store, f"{what}: {code}") from error
        if code in _THROTTLED:
            raise Unavailable(store, f"{what}: {code}") from error
        if status >= 500:
            raise lost(store, f"{what}: {code}") from error
        raise Declined(store, f"{what}: {code}", code) from error
    except _NOT_REACHED as error:
        raise Unavailable(store, f"{what}: {type(error).__name__}") from error
    except (HTTPClientError, ResponseParserError) as error:  # cut off, or not AWS's own words
        raise lost(store, f"{what}: {type(error).__name__}") from error
    except BotoCoreError as error:  # no credentials, a configuration that cannot be read
        raise Refused(store, f"{what}: {type(error).__name__}") from error
