"""The policy file: its form, its checks, its canonical text, and what a change of it changes."""
