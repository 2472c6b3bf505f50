"""The parts of a report, one file each: what the catalogue and the ledger know of a period, as sections with tables."""
