"""The technical side: `retention.toml`, the environment over it, and the embedded default where there is neither.

Only `retention.wiring` and the doors read settings.
"""

from retention.settings.load import load_settings
from retention.settings.sections import Settings

__all__ = ["Settings", "load_settings"]
