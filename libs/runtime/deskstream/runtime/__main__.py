"""`python -m deskstream.runtime NAMES…`: one, some or all services in this process."""

import sys

from deskstream.runtime.absent import absent

# structlog takes it along wherever it finds it, for tracebacks that no service shows: 4 MB of each process.
with absent("rich"):
    from deskstream.runtime.process import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
