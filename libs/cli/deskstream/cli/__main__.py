"""`python -m deskstream.cli`, the same as `deskstream`."""

from deskstream.cli.main import main

main()
