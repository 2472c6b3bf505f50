"""From facts to cases, dates and next steps. Pure: no I/O, no clock; the same facts always give the same cases."""
