"""Backup stores: the sets they hold, what locks them, and how a set is quarantined, deleted, rewritten and restored.

Made of the stores beside this package, and knows as little of the product as they do.
"""
