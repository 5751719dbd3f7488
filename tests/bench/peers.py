"""What people use for the same work, where it is installed: each answers at a port while its block runs."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import SECRET
from bench.processes import free_port, process, until_open

WEBHOOK, ALERTMANAGER, NODE_RED = "webhook", "prometheus-alertmanager", "node-red"
ALERTS = "/api/v2/alerts"
ALERT = '[{"labels": {"alertname": "%(mark)s"}}]'


def installed(*names: str) -> list[str]:
    """Return those of the peers that are on this machine."""
    return [name for name in names if shutil.which(name)]


@contextmanager
def webhook() -> Iterator[int]:
    """Run Debian's ``webhook``, which starts ``true`` for each signed call of ``/hooks/in``."""
    signature = {"source": "header", "name": "X-Hub-Signature-256"}
    rule = {"match": {"type": "payload-hmac-sha256", "secret": SECRET, "parameter": signature}}
    hook = {"id": "in", "execute-command": "/bin/true", "trigger-rule": rule}
    with tempfile.TemporaryDirectory() as folder:
        hooks = Path(folder, "hooks.json")
        hooks.write_text(json.dumps([hook]))
        port = free_port()
        with process([WEBHOOK, "-ip", "127.0.0.1", "-port", str(port), "-hooks", hooks]):
            until_open(port)
            yield port


@contextmanager
def alertmanager(sink: str) -> Iterator[int]:
    """Run Alertmanager, which sends each alert by itself to the sink."""
    route = {"receiver": "sink", "group_by": ["..."], "group_wait": "0s", "repeat_interval": "1h"}
    receiver = {"name": "sink", "webhook_configs": [{"url": f"{sink}/v1/send/text", "send_resolved": False}]}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yml")
        config.write_text(json.dumps({"route": route, "receivers": [receiver]}))
        port = free_port()
        words = [
            f"--config.file={config}",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]
        with process([ALERTMANAGER, *words]):
            until_open(port)
            yield port


@contextmanager
def node_red(sink: str) -> Iterator[int]:
    """Run Node-RED with a flow that answers a call of ``/in`` and sends its body to the sink."""
    flow = [
        {"id": "tab", "type": "tab"},
        {"id": "in", "type": "http in", "z": "tab", "url": "/in", "method": "post", "wires": [["ok", "out"]]},
        {"id": "ok", "type": "http response", "z": "tab", "statusCode": "202", "wires": []},
        {
            "id": "out",
            "type": "http request",
            "z": "tab",
            "method": "POST",
            "ret": "txt",
            "url": f"{sink}/v1/send/text",
            "persist": True,
            "wires": [[]],
        },
    ]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "flows.json").write_text(json.dumps(flow))
        port = free_port()
        with process([NODE_RED, "--userDir", folder, "--port", str(port), "flows.json"]):
            until_open(port)
            yield port
