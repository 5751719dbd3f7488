"""Lending: whether wbox can fetch a file of this machine."""

from wbox_notify.config.settings import Settings
from wbox_notify.config.stores import is_on_server
from wbox_notify.errors import ConfigError
from wbox_notify.model.addresses import is_loopback


def check_lending(settings: Settings) -> None:
    """Raise ConfigError where wbox cannot fetch a file of this machine."""
    if not settings.lends_files:
        message = "there is no address at which wbox can fetch a file of this machine"
        hint = (
            "set `public_url` (where the daemon is reached), `media.static` (a folder that a web server"
            " serves) or `media.bucket` in wbox-notify.yaml, or send `url`: see docs/media.md"
        )
        raise ConfigError(message, hint=hint)
    # A wbox on this machine is the simulator, as its daemons are on this machine too.
    if is_on_server(settings.store) and not (settings.media.elsewhere or is_loopback(settings.url)):
        raise ConfigError(
            "daemons may share a store on a server, and the one that is asked for a file may not have it",
            hint="set `media.static` (a folder that all of them see) or `media.bucket`: see docs/store.md",
        )
