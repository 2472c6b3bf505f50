"""The daemon: the policy's timetable, health and metrics over HTTP, structured logs without personal data."""
