"""The command `meantime`, also as `python -m etl`."""

import gc

# What the imports make lives to the end. Looking through it for circles, again and again and once more at the exit, took a
# fifth of a second of every command.
gc.disable()
from etl.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
