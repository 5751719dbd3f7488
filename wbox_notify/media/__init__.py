"""Files of this machine as media: copied when a message is made, given a link when it is sent."""

from wbox_notify.media.files import MediaFiles, Opened
from wbox_notify.media.opening import MediaError
from wbox_notify.media.standings import Standings
from wbox_notify.rules.roots import roots

__all__ = ["MediaError", "MediaFiles", "Opened", "Standings", "roots"]
