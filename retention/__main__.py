"""`python -m retention` is the command `retention`."""

import sys

from retention.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
