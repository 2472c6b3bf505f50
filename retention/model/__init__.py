"""The nouns of `docs/words.md`, frozen, shared by every floor above. No I/O, no clock, no rules."""
