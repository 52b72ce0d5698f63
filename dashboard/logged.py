"""The log of a running server as JSON, one object a line, for who reads it by machine."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime


class Line(logging.Formatter):
    """Writes what the command line's own lines have (`at`, `level`, `message`), and of what failed its `details`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        line = {
            "at": at,
            "level": record.levelname.lower(),
            "message": record.getMessage().rstrip(),
            "logger": record.name,
        }
        if record.exc_info:
            line["details"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def as_json() -> None:
    """Write everything so that is logged in this process: ours, Streamlit's, its server's and Python's warnings."""
    from streamlit import logger

    told = logger.setup_formatter

    def set_up(one: logging.Logger) -> None:
        told(one)
        for handler in one.handlers:
            handler.setFormatter(Line())

    # Streamlit gives each of its loggers a handler of its own, when it is first asked for and when its options are read.
    logger.setup_formatter = set_up  # type: ignore[assignment]  # the parameter's name alone is another
    logger.update_formatter()
    handler = logging.StreamHandler()
    handler.setFormatter(Line())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.captureWarnings(True)
