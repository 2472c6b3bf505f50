"""Reports for regulators: what a report is made of, and the forms in which it is written. Knows no catalogue."""
