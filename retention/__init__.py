"""Provable deletion of customer data: lifecycle, crypto-shredding, deletion that leaves nothing, and evidence."""

__version__ = "0.1.0"
