"""How a service of AWS is reached, and what its errors mean: for everything that AWS keeps and S3 does not."""

from storage_adapters.aws.calls import Declined, asking
from storage_adapters.aws.settings import AwsSettings

__all__ = ["AwsSettings", "Declined", "asking"]
