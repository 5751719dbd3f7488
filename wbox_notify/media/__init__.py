"""Files of this machine as media: copied when a message is made, given a link when it is sent."""

from wbox_notify.media.media_files import MediaFiles, Opened
from wbox_notify.media.retention import Standings
from wbox_notify.media.safe_open import MediaError
from wbox_notify.rules.rule import roots

__all__ = ["MediaError", "MediaFiles", "Opened", "Standings", "roots"]
