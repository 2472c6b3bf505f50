"""A small provider with customers, stores, a cache and backups, and half a year of its life in one minute."""
