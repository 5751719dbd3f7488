"""A real Healthchecks, with its webhook filled in as our page says, tells of a job that fails."""

import subprocess
from pathlib import Path

import pytest
from pages import ROOT
from programs import installed, running
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES = ROOT / "examples" / "healthchecks"
TOKEN = "a token that is long enough"

# A person signs in, makes a check, and fills in the form of the webhook.
SET_UP = """
import sys
from django.contrib.auth.models import User
from django.test import Client
from hc.accounts.models import Project
from hc.api.models import Channel, Check
url, token, body = sys.argv[1:]
user = User.objects.create(username="ops", email="ops@example.com")
project = Project.objects.create(owner=user)
check = Check.objects.create(project=project, name='Say "backup" & Söhne', code="%s")
client = Client()
client.force_login(user)
headers = f"Content-Type: application/json\\nAuthorization: Bearer {token}"
fields = {"method": "POST", "url": url, "body": body, "headers": headers}
form = {f"{field}_{state}": value for field, value in fields.items() for state in ("down", "up")}
answer = client.post(f"/projects/{project.code}/add_webhook/", form)
assert answer.status_code == 302, answer.content
assert Channel.objects.get().checks.get() == check
"""
PING = """
import sys
from django.test import Client
way, output = sys.argv[1:]
answer = Client().post(f"/ping/%s{way}", output, content_type="text/plain")
assert answer.status_code == 200, answer.content
"""
CHECK = "6d3f1c7a-90f7-4a7e-9f5b-7d1f5f5b7a10"


class Healthchecks:
    """The program with a database of its own."""

    def __init__(self, folder: Path) -> None:
        place = installed("healthchecks")
        self.source = place / "source"
        self.python = place / "venv" / "bin" / "python"
        self.environment = {
            "DB_NAME": str(folder / "hc.sqlite"),
            "DEBUG": "False",
            "SECRET_KEY": "of a test",
            "ALLOWED_HOSTS": "localhost,testserver",
            "INTEGRATIONS_ALLOW_PRIVATE_IPS": "True",
        }
        self.run("manage.py", "migrate", "--verbosity", "0")

    def run(self, *words: str) -> None:
        subprocess.run(
            (self.python, *words),
            cwd=self.source,
            env=self.environment,
            check=True,
            timeout=200,
        )

    def do(self, script: str, *words: str) -> None:
        """Run a script within the program."""
        begin = 'import os, django; os.environ["DJANGO_SETTINGS_MODULE"] = "hc.settings"; django.setup()'
        self.run("-c", begin + script % CHECK, *words)


def test_a_job_that_fails_and_recovers_is_told_with_what_it_printed(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    healthchecks = Healthchecks(tmp_path)
    place.rule((EXAMPLES / "rules.yaml").read_text(encoding="utf-8"))
    place.environment["WBOX_SECRET_HEALTHCHECKS"] = TOKEN
    place.start("run")
    until(place.card.exists)
    body = (EXAMPLES / "body.txt").read_text(encoding="utf-8")
    healthchecks.do(SET_UP, f"{place.url}/hook/healthchecks", TOKEN, body)
    with running(
        tmp_path / "log",
        healthchecks.python,
        "manage.py",
        "sendalerts",
        cwd=healthchecks.source,
        **healthchecks.environment,
    ):
        healthchecks.do(PING, "/fail", 'no "space"\nleft')
        [down] = wbox.wait_for(1, 60)
        healthchecks.do(PING, "", "all is well")
        [_, up] = wbox.wait_for(2, 60)
    assert down["body"]["message"] == '🔥 *Say "backup" & Söhne* is down\nno "space"\nleft'
    assert up["body"]["message"].rstrip() == '✅ *Say "backup" & Söhne* is up'
