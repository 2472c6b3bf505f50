"""What S3's error codes mean for the caller.

Source: Amazon S3 API reference, "Error responses"; the codes of Ceph RGW and MinIO where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping

from storage_adapters.errors import NotFound, Refused, StoreError
from storage_adapters.s3.answers import error_code

GONE = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "NotFound"})
NOT_OFFERED = frozenset({"NotImplemented", "MethodNotAllowed", "XNotImplemented"})
DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "Forbidden"})
MAY_BE_LOCKED = DENIED | {"ObjectLocked", "InvalidRequest", "OperationNotPermitted"}

THROTTLED = frozenset(
    {
        "SlowDown",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "RequestTimeout",  # the store did not get the whole request in time
        "OperationAborted",  # another request on the same resource is under way
    }
)
FALTERED = frozenset({"InternalError", "InternalFailure", "BadGateway", "GatewayTimeout"})

_BY_STATUS = {
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NotFound",
    405: "MethodNotAllowed",
    416: "InvalidRange",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}
_REDIRECTS = frozenset({"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "Redirect"})


class Declined(Refused):
    """S3 answered one request with an error that a repetition does not change. `code` is S3's word for it."""

    def __init__(self, store: str, message: str, code: str) -> None:
        super().__init__(store, message)
        self.code = code


def code_of(status: int, body: bytes) -> str:
    """S3's code for an error answer; by the status alone where the body says nothing, as after HEAD."""
    code, _ = error_code(body) if body else (None, None)
    if code is not None:
        return code
    if 300 <= status < 400:
        return "Redirect"
    return _BY_STATUS.get(status, "InternalError" if status >= 500 else f"Status{status}")


def refusal(store: str, what: str, code: str, headers: Mapping[str, str], body: bytes) -> StoreError:
    """The error for an answer that a repetition does not change. Its message holds the code, no key and no secret."""
    if code == "NoSuchBucket":
        return NotFound(store, "the bucket does not exist")
    region = headers.get("x-amz-bucket-region") or (error_code(body)[1] if body else None)
    if code in _REDIRECTS:
        place = f"lies in region {region}" if region else "lies in another region"
        return Declined(store, f"the bucket {place}, not in the one configured ({code})", code)
    return Declined(store, f"{what}: {code}", code)
