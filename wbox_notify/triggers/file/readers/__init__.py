"""What is inside a dropped file, row by row: CSV, JSON, NDJSON, lines and calendars, in bounded memory."""

from wbox_notify.triggers.file.readers.json_items import value_of
from wbox_notify.triggers.file.readers.reader import KINDS, Reading, Rows, Slice, Wanted, rows
from wbox_notify.triggers.file.readers.text import Row

__all__ = ["KINDS", "Reading", "Row", "Rows", "Slice", "Wanted", "rows", "value_of"]
