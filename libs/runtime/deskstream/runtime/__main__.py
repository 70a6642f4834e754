"""`python -m deskstream.runtime NAMES…`: one, some or all services in this process."""

import sys

from deskstream.runtime.process import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
