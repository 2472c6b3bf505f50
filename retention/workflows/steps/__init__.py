"""The steps of a run, one file each, in the order of a strand's life. Each takes a `StrandRun` and leaves evidence."""
