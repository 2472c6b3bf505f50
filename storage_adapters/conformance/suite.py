"""The suite: everything the contract promises, asked of one adapter."""

from __future__ import annotations

from storage_adapters.conformance.erasing import Erasing
from storage_adapters.conformance.hiding import Hiding
from storage_adapters.conformance.looking import Looking


class StoreConformance(Looking, Hiding, Erasing):
    """Subclass it in a test module, name the subclass `Test…`, and give it a fixture `bench`."""
