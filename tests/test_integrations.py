"""The integrations: each has a page and files to copy, and its rules do what their tests say."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from pages import ROOT
from workplace import Workplace, ended, until

from wbox_notify.engine.rule_tests import run_all
from wbox_notify.rules.loading import load
from wbox_notify.simulator import Simulator

RULES = sorted(ROOT.glob("examples/*/rules.yaml"))
NAMES = sorted({path.stem for path in ROOT.glob("docs/integrations/*.md")} - {"index"})

SECRET = "a secret that is long enough"


def secrets_of(rules: Path) -> dict[str, str]:
    """Return the environment in which each secret that rules name is set."""
    names = re.findall(r"secret: ([\w-]+)", rules.read_text(encoding="utf-8"))
    return {f"WBOX_SECRET_{name.upper().replace('-', '_')}": SECRET for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_an_integration_has_files_that_its_page_names(name: str) -> None:
    page = (ROOT / "docs" / "integrations" / f"{name}.md").read_text(encoding="utf-8")
    files = [path for path in (ROOT / "examples" / name).rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if f"(../../{path.relative_to(ROOT)})" not in page] == []
    assert f"\n{name}\n" in (ROOT / "docs" / "integrations" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "rules", sorted(ROOT.glob("examples/*/rules.yaml")), ids=lambda path: path.parent.name
)
def test_its_rules_load_without_a_warning_and_do_what_their_tests_say(rules: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    shutil.copy(rules, tmp_path / "rules")
    project = load(tmp_path, secrets_of(rules))
    assert [problem.message for problem in project.problems] == []
    results = list(run_all(project, project.rules))
    assert {result.rule.id for result in results} == {rule.id for rule in project.rules}
    assert [result.complaints for result in results if not result.passed] == []


def script_of(name: str) -> tuple[str, dict[str, str]]:
    """Return the script of a CI's job, and the variables that the CI gives it."""
    if name == "github-actions":
        step = yaml.safe_load((ROOT / "examples" / name / "tell.yml").read_text())["jobs"]["tell"]["steps"][0]
        return step["run"], dict.fromkeys(step["env"], "x") | {
            "HOOK_TOKEN": SECRET,
            "URL": "https://ci.example/1",
        }
    job = yaml.safe_load((ROOT / "examples" / name / ".gitlab-ci.yml").read_text())["tell"]
    given = ("PROJECT_PATH", "COMMIT_BRANCH", "COMMIT_SHA")
    variables = {f"CI_{key}": "x" for key in given} | {"CI_PIPELINE_URL": "https://ci.example/1"}
    return "\n".join(job["script"]), variables | {"WBOX_HOOK_TOKEN": SECRET}


@pytest.mark.parametrize("name", ["github-actions", "gitlab-ci"])
def test_the_script_of_a_ci_reaches_the_rule(name: str, place: Workplace, wbox: Simulator) -> None:
    for program in ("curl", "jq"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: the script of {name} was NOT run")
    rules = (ROOT / "examples" / name / "rules.yaml").read_text(encoding="utf-8")
    place.rule(rules.replace("wait: 10s", "wait: 1ms"))
    place.environment["WBOX_SECRET_CI"] = SECRET
    daemon = place.start("run")
    until(place.card.exists)
    script, variables = script_of(name)
    variables |= {"PATH": os.environ["PATH"], "HOOK_URL": f"{place.url}/hook/ci"}
    variables["WBOX_HOOK_URL"] = variables["HOOK_URL"]
    subprocess.run(["sh", "-euc", script], env=variables, check=True, timeout=60)
    assert "https://ci.example/1" in wbox.wait_for(1)[0]["body"]["message"]
    ended(daemon)


def test_the_contact_point_of_grafana_calls_the_hook_of_its_rule_and_proves_itself_as_that_asks(
    place: Workplace, wbox: Simulator
) -> None:
    folder = ROOT / "examples" / "grafana"
    rules = (folder / "rules.yaml").read_text(encoding="utf-8")
    place.rule(rules.replace("wait: 10s", "wait: 1ms"))
    place.environment["WBOX_SECRET_GRAFANA"] = SECRET
    daemon = place.start("run")
    until(place.card.exists)
    [point] = yaml.safe_load((folder / "contact-point.yaml").read_text())["contactPoints"]
    settings = point["receivers"][0]["settings"]
    credentials = settings["authorization_credentials"].replace("$WBOX_TOKEN", SECRET)
    body = yaml.safe_load(rules)["rules"][0]["tests"][0]["when"][0]["webhook"]["body"]
    answer = requests.request(
        settings["httpMethod"],
        settings["url"].replace("http://127.0.0.1:8725", place.url),
        headers={"Authorization": f"{settings['authorization_scheme']} {credentials}"},
        json=body,
        timeout=30,
    )
    assert answer.status_code == 202
    assert wbox.wait_for(1)[0]["body"]["message"].startswith("🔥 *High memory usage*")
    ended(daemon)


APPS_SCRIPT = """
const properties = { HOOK_URL: "https://notify.example.com/hook/form", HOOK_TOKEN: "t" };
global.PropertiesService = { getScriptProperties: () => ({ getProperty: (name) => properties[name] }) };
const calls = [];
global.UrlFetchApp = {
  fetch: (url, options) => {
    calls.push([url, options]);
    return { getResponseCode: () => Number(process.argv[1]) };
  },
};
const item = (title, answer) => ({ getItem: () => ({ getTitle: () => title }), getResponse: () => answer });
const items = [item("Name", "Ayşe"), item("How many?", "3")];
const response = { getId: () => "r-1", getItemResponses: () => items };
const range = { getRow: () => 7, getSheet: () => ({ getSheetId: () => 42 }) };
eval(require("fs").readFileSync(0, "utf8") + ";global.onFormSubmit = onFormSubmit");
onFormSubmit({ response });
onFormSubmit({ range, namedValues: { Name: ["Ayşe"], Colours: ["red", "blue"] } });
console.log(JSON.stringify(calls));
"""


def apps_script(status: int) -> subprocess.CompletedProcess[str]:
    """Run the script of Google Forms with what Google gives it; each call is answered with a status."""
    if not shutil.which("node"):
        pytest.skip("node is not installed: the script of Google Forms was NOT run")
    code = (ROOT / "examples" / "google-forms" / "Code.gs").read_text(encoding="utf-8")
    return subprocess.run(
        ["node", "-e", APPS_SCRIPT, str(status)],
        input=code,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_of_google_forms_posts_the_answers_of_a_form_and_of_a_sheet() -> None:
    [form, sheet] = json.loads(apps_script(202).stdout)
    assert form[0] == "https://notify.example.com/hook/form"
    assert form[1]["headers"] == {"Authorization": "Bearer t"}
    assert json.loads(form[1]["payload"]) == {"id": "r-1", "answers": {"Name": "Ayşe", "How many?": "3"}}
    assert json.loads(sheet[1]["payload"]) == {
        "id": "42-7",
        "answers": {"Name": "Ayşe", "Colours": "red, blue"},
    }


def test_the_script_of_google_forms_fails_where_the_daemon_refuses() -> None:
    ran = apps_script(401)
    assert ran.returncode != 0
    assert "the daemon answered 401" in ran.stderr


DOCUMENT = {
    "DOCUMENT_ID": "17",
    "DOCUMENT_ORIGINAL_FILENAME": "scan; $(touch gone) 'x'.pdf",
    "DOCUMENT_CORRESPONDENT": "Stadtwerke Köln",
    "DOCUMENT_TAGS": "@unpaid,house",
}


def test_the_script_of_paperless_tells_of_a_document_and_shows_its_secret_to_nobody(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed: the script of Paperless was NOT run")
    folder = ROOT / "examples" / "paperless-ngx"
    rules = (folder / "rules.yaml").read_text(encoding="utf-8")
    place.rule(rules.replace("done: /srv/paperless/consume", "done: consume"))
    place.environment["WBOX_SECRET_PAPERLESS"] = SECRET
    daemon = place.start("run")
    until(place.card.exists)
    script = Path(shutil.copy(folder / "post-consume.sh", tmp_path))
    (tmp_path / "wbox-notify.header").write_text(f"Authorization: Bearer {SECRET}\n")
    variables = {"PATH": os.environ["PATH"], "WBOX_HOOK": f"{place.url}/hook/paperless", **DOCUMENT}
    ran = subprocess.run([script], env=variables, check=True, capture_output=True, timeout=60)
    assert (ran.stdout, ran.stderr) == (b"", b"")
    message = wbox.wait_for(1)[0]["body"]["message"]
    assert message.startswith("📄 *scan; $(touch gone) 'x'.pdf* from Stadtwerke Köln\nTags: @unpaid,house\n")
    assert SECRET not in script.read_text()
    (place.folder / "scans").mkdir(exist_ok=True)
    (place.folder / "scans" / "scan-0042.pdf").write_bytes(b"%PDF")
    assert wbox.wait_for(2)[1]["body"]["message"] == "🖨 scan-0042.pdf goes to Paperless."
    until((place.folder / "scans" / "consume" / "scan-0042.pdf").exists)
    ended(daemon)


@pytest.mark.parametrize(
    ("line", "code", "name"),
    [("sh -c 'exit 7'", 7, "sh"), ("/bin/true # x", 0, "true"), ("A=1 B=* /bin/false", 1, "false")],
)
def test_the_shell_of_a_crontab_runs_its_jobs_as_sh_does_and_calls_each_by_its_program(
    tmp_path: Path, line: str, code: int, name: str
) -> None:
    """With a stand-in for our command, which prints how it was called and does what it is told to."""
    stand_in = tmp_path / "wbox-notify"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >&2\nshift 8\nexec "$@"\n')
    stand_in.chmod(0o755)
    ran = subprocess.run(
        [ROOT / "examples" / "cron" / "tell-cron", "-c", line],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = f"-c /etc/wbox-notify exec --hook cron --name {name} -- /bin/sh -c {line}\n"
    assert (ran.returncode, ran.stderr) == (code, said)


N8N = """
const workflow = JSON.parse(require("fs").readFileSync(0, "utf8"));
const node = workflow.nodes.find((node) => node.name === "wbox-notify");
const expression = node.parameters.jsonBody.replace(/^=\\{\\{/, "").replace(/\\}\\}$/, "");
const [$json, $execution] = JSON.parse(process.argv[1]);
process.stdout.write(eval(expression));
"""
EXAMPLE = {
    "execution": {
        "id": 231,
        "url": "https://n8n.example.com/231",
        "retryOf": "34",
        "error": {"message": "Example Error Message", "stack": "Stacktrace"},
        "lastNodeExecuted": "Node With Error",
        "mode": "manual",
    },
    "workflow": {"id": "1", "name": 'The "Orders"'},
}
"""What the error trigger of n8n sends, by the source of its node."""
UNSAVED = {
    "trigger": {"error": {"message": "cannot start"}, "mode": "trigger"},
    "workflow": {"id": "1", "name": "Orders"},
}
"""What it sends of a workflow whose trigger failed, by its documents."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            EXAMPLE,
            '❌ *The "Orders"* failed\nNode With Error: Example Error Message\nhttps://n8n.example.com/231',
        ),
        (UNSAVED, "❌ *Orders* failed\ncannot start"),
    ],
    ids=["execution", "trigger"],
)
def test_what_the_workflow_of_n8n_sends_is_told(
    given: dict[str, Any], said: str, place: Workplace, wbox: Simulator
) -> None:
    if not shutil.which("node"):
        pytest.skip("node is not installed: the expression of the workflow of n8n was NOT run")
    body = subprocess.run(
        ["node", "-e", N8N, json.dumps([given, {"id": "17"}])],
        input=(ROOT / "examples" / "n8n" / "workflow.json").read_bytes(),
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout
    rules = (ROOT / "examples" / "n8n" / "rules.yaml").read_text(encoding="utf-8")
    place.rule(rules.replace("wait: 10s", "wait: 1ms"))
    place.environment["WBOX_SECRET_N8N"] = SECRET
    place.start("run")
    until(place.card.exists)
    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
    for status in (202, 200):  # it tries again where it gets no answer
        answer = requests.post(f"{place.url}/hook/n8n", body, headers=headers, timeout=30)
        assert answer.status_code == status
    assert wbox.wait_for(1)[0]["body"]["message"].rstrip() == said


@pytest.mark.parametrize("kind", ["json", "data"])
def test_a_zap_or_a_scenario_may_send_json_or_a_form(kind: str, place: Workplace, wbox: Simulator) -> None:
    place.rule((ROOT / "examples" / "zapier" / "rules.yaml").read_text(encoding="utf-8"))
    place.environment["WBOX_SECRET_ZAP"] = SECRET
    place.start("run")
    until(place.card.exists)
    fields = {"id": "1", "to": "sales", "text": 'Ayşe said "hi"'}
    headers = {"X-Hook-Token": SECRET}
    answer = requests.post(f"{place.url}/hook/zap", headers=headers, timeout=30, **{kind: fields})
    assert answer.status_code == 202
    sent = wbox.wait_for(1)[0]["body"]
    assert (sent["phone"], sent["message"]) == ("905551112233", 'Ayşe said "hi"')
