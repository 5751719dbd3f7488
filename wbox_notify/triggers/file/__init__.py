"""The file trigger: tells of every finished file in the watched folders, each version of it once.

The listing is the truth; inotify is a hint that makes it quick.
"""

from wbox_notify.triggers.file.row_files import RowFiles
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Watch

__all__ = ["FileSource", "RowFiles", "Watch"]
