"""Every benchmark of this folder, one after the other, each in its own process: `python -m benchmarks`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """How many benchmarks failed."""
    failed = 0
    for path in sorted(HERE.glob("*.py")):
        if path.name.startswith("_"):
            continue
        print(f"== {path.stem}", flush=True)
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        failed += subprocess.run([sys.executable, str(path)], env=environment, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
