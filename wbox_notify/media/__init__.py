"""Files of this machine as media: copied when a message is made, given a link when it is sent."""

from wbox_notify.media.ingest import MediaError
from wbox_notify.media.media_files import MediaFiles, Opened
from wbox_notify.media.spool import Standings

__all__ = ["MediaError", "MediaFiles", "Opened", "Standings"]
