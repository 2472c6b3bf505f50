"""Snapshots that AWS keeps: of databases, of volumes, and the recovery points of AWS Backup."""

from storage_adapters.aws.settings import AwsSettings
from storage_adapters.backups.aws.databases import RdsSnapshots
from storage_adapters.backups.aws.vault import RecoveryPoints
from storage_adapters.backups.aws.volumes import VolumeSnapshots

__all__ = ["AwsSettings", "RdsSnapshots", "RecoveryPoints", "VolumeSnapshots"]
