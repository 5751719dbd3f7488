"""Outlets by name: an Apprise URL as it is written, or one that a secret holds."""

from collections.abc import Iterator, Mapping

from wbox_notify.clients.apprise import check, is_telling, is_url, name_of
from wbox_notify.config.secrets import Secrets
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.errors import ConfigError


class OutletBook:
    """The outlets that were found so far: ``found`` has the URL of each name."""

    def __init__(self, secrets: Secrets, found: Mapping[str, str] | None = None) -> None:
        self.found = dict(found or {})
        self._secrets = secrets

    def find(self, text: str) -> str:
        """Return the name of an outlet.

        Raises:
            ConfigError: there is none, or Apprise cannot use it; the words hold no secret.
        """
        name = name_of(text)
        if name not in self.found:
            url = text if is_url(text) else self._url_in(text)
            check(url)
            self.found[name] = url
        return name

    def _url_in(self, name: str) -> str:
        url = self._secrets.find(name).strip()
        if not is_url(url):
            raise ConfigError(
                f"the secret `{name}` is no Apprise URL", hint="it has to hold one: ntfy://TOPIC"
            )
        return url


def open_secret(text: str, spot: Location) -> Iterator[Problem]:
    """Yield a warning if a secret stands openly in the text of an outlet."""
    if not is_url(text) or not is_telling(text):
        return
    message = "this address may hold a password or a token, and everybody who can read this file sees it"
    hint = (
        "put it into a secret and write its name: `secrets: {ops-mail: {env: OPS_MAIL}}` in wbox-notify.yaml"
    )
    yield spot.problem("WBX336", message, hint=hint, severity="warning")
