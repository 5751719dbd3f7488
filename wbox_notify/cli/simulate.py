"""``wbox-notify simulate``."""

import click

from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.run import stop_on_signals
from wbox_notify.simulator import Simulator


@click.command("simulate")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8726, show_default=True, help="0 takes a free one."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen; other machines can post then."
)
@click.option(
    "--api-key", envvar="WBOX_SIM_API_KEY", help="The only key that is good; else any that starts with sk_."
)
@click.option("--fetch-media", is_flag=True, help="Fetch media from this machine, and show them.")
@json_option
def command(port: int, host: str, api_key: str | None, fetch_media: bool, as_json: bool) -> int:
    """Run a stand-in for the wbox server. Nothing goes to WhatsApp.

    It answers as the wbox API document says and shows what it got on an inbox page.
    """
    stop = stop_on_signals()
    with Simulator(host=host, port=port, api_key=api_key, fetch_media=fetch_media) as simulator:
        if as_json:
            say_json({"url": simulator.url})
        else:
            say(f"wbox simulator (nothing goes to WhatsApp)\n\n  Inbox  {simulator.url}/")
            say(f"  API    WBOX_API_URL={simulator.url} WBOX_API_KEY={'(yours)' if api_key else 'sk_any'}")
            say("\nCtrl-C stops it.")
        stop.wait()
    return 0
