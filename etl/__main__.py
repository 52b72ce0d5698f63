"""`python -m etl` is the command `meantime`."""

from etl.cli import main

main()
