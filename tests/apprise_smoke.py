"""What any Apprise does with the providers: ``python apprise_smoke.py PLUGIN HOST:PORT FAULTY:PORT DAEMON``.

It imports nothing but Apprise, so that it runs in an environment that holds nothing else.
"""

import importlib.util
import io
import json
import logging
import sys
from pathlib import Path

import apprise

PHONE = "905551234567"
MARKDOWN = "# Head\n\n**bold** [label](https://e.x/a_b)\n\n- one\n- two"


def load(path: str) -> None:
    """Load the file as Apprise's own loader does: under a name of no meaning, and twice."""
    for name in ("one", "another"):
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


def tell(url: str, body: str = "hello", **parts: object) -> bool:
    ours = apprise.Apprise()
    assert ours.add(url), url
    ours[0].request_rate_per_sec = 0
    assert apprise.Apprise.instantiate(ours[0].url()).url() == ours[0].url()
    assert "secret" not in ours[0].url(privacy=True)
    return bool(ours.notify(body, **parts))


def main(plugin: str, place: str, faulty: str, daemon: str) -> None:
    heard = io.StringIO()
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.StreamHandler(heard))
    logger.setLevel(logging.DEBUG)
    load(plugin)
    base = f"wbox://sk_secret@{place}/{PHONE}"
    assert tell(f"{base}?tls=no", "plain <b> & text  two", title="Title", body_format="text")
    assert tell(f"{base}?tls=no", MARKDOWN, body_format="markdown")
    assert tell(f"{base}?tls=no&format=html&avatar_url=x", "<b>a</b> &amp; b", body_format="html")
    assert tell(f"{base}?tls=no", "as *it* <is>")
    assert tell(f"{base}?tls=no&mode=poll&options=a|b&store=no", "Which?")
    assert tell(f"{base}?tls=no&mode=event&start=2026-12-01", "Meeting\nRoom 2")
    assert tell(f"{base}?tls=no", "look", attach="https://e.x/a%20b.jpg?sig=a%2Fb")
    assert not tell(f"{base}?tls=no", "with a file", attach=str(Path(__file__)))
    assert tell(f"{base}?tls=no&attach=skip", "without it", attach=str(Path(__file__)))
    retried = tell(f"wbox://sk_secret@{faulty}/{PHONE}/905551112233?tls=no&retry=1&wait=0")
    queue = f"wboxq://{PHONE}/905551112233?data={Path.cwd()}"
    assert not tell(queue)
    Path("daemon.json").write_text(json.dumps({"url": f"http://{daemon}", "token": "secret"}))
    assert tell(queue, MARKDOWN, body_format="markdown")
    for bad in (
        "wbox://",
        # Before 2.0 Apprise itself prints a URL that it cannot read, so no secret here.
        f"wbox://sk_other@host:abc/{PHONE}",
        f"wbox://sk_secret/{PHONE}?mode=x",
        "wbox://sk_secret/x",
    ):
        assert not apprise.Apprise().add(bad)
    assert apprise.Apprise().details()
    assert "secret" not in heard.getvalue(), heard.getvalue()
    assert "Room 2" not in heard.getvalue()
    print("retried" if retried else "failed")  # noqa: T201 - its one answer


if __name__ == "__main__":
    main(*sys.argv[1:])
