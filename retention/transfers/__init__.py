"""The cross-border gate's core: may this data go there now, and if not, what is missing. Pure: no store, no clock."""
