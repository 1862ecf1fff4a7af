"""`python -m rpgen`: the command line, also straight from a source tree."""

import sys

from rpgen.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
