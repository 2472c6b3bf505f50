"""The ways by which a store itself sends data elsewhere, and closing them so that it can be undone."""

from storage_adapters.egress.buckets import BucketEgress
from storage_adapters.egress.databases import DatabasesEgress
from storage_adapters.egress.plans import BackupPlansEgress
from storage_adapters.egress.standbys import StandbyEgress

__all__ = ["BackupPlansEgress", "BucketEgress", "DatabasesEgress", "StandbyEgress"]
