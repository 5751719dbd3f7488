"""The commands as a person types them: what they print, their exit codes, and bad input."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests
from workplace import TEXT_RULE, Workplace, ended, until

from wbox_notify.cli import COMMANDS
from wbox_notify.model.deliveries import Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_store

PHONE = "+90 555 123 45 67"
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_help_names_every_command_and_loads_none_of_them() -> None:
    script = (
        "import atexit, sys; from wbox_notify.cli import main\n"
        "heavy = {'pydantic', 'requests', 'jinja2', 'starlette', 'watchdog', 'sqlite3', 'shutil'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        "main(['--help'])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
    for command in COMMANDS:
        assert f"  {command} " in ran.stdout


def test_what_a_command_is_made_of_is_never_looked_through_for_garbage() -> None:
    script = (
        "import gc; from wbox_notify.cli import group; looks = []\n"
        "gc.callbacks.append(lambda *look: looks.append(look))\n"
        "group.get_command(None, 'send'); many = len(looks)\n"
        "print(many, gc.isenabled(), len(gc.get_objects()) < 1000 < gc.get_freeze_count())"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    looks, goes_on, stays = ran.stdout.split()
    assert int(looks) <= 2  # it begins and ends one, of what has been made since
    assert (goes_on, stays) == ("True", "True")


@pytest.mark.parametrize("columns", ["", "0", "30", "64", "200", "wide"])
def test_help_is_as_wide_as_click_would_make_it(place: Workplace, columns: str) -> None:
    script = "from wbox_notify.cli import group; group.main(['--help'], prog_name='wbox-notify')"
    environment = {**place.environment, "COLUMNS": columns}
    theirs = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert place.run("--help", COLUMNS=columns).stdout == theirs.stdout


@pytest.mark.parametrize(
    "words", [[name] for name in COMMANDS] + [["send", "poll"], ["queue", "retry"]], ids=str
)
def test_every_command_explains_itself(place: Workplace, words: list[str]) -> None:
    ran = place.run(*words, "--help")
    assert ran.returncode == 0
    assert "Usage: wbox-notify" in ran.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["chck"], 2),
        (["queue", "retry"], 2),
        (["queue", "retry", "x"], 2),
        (["send", "text"], 2),
        (["run", "--nonsense"], 2),
        (["-c", "/nowhere", "check"], 78),
    ],
    ids=str,
)
def test_what_was_typed_wrongly_is_explained_on_stderr(place: Workplace, words: list[str], code: int) -> None:
    ran = place.run(*words)
    assert ran.returncode == code
    assert ran.stdout == ""
    assert "rror" in ran.stderr


def test_a_fatal_error_is_one_json_object_where_json_was_asked_for(place: Workplace) -> None:
    ran = place.run("queue", "list", "--json")
    error = json.loads(ran.stderr)
    assert (ran.returncode, error["type"], error["exit"]) == (1, "error", 1)
    assert "no store yet" in error["message"]


@pytest.mark.parametrize(("environment", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_colour_is_for_terminals_or_on_demand(
    place: Workplace, environment: dict[str, str], *, coloured: bool
) -> None:
    assert ("\x1b[" in place.run("check", **environment).stdout) is coloured
    assert "\x1b[" not in place.run("check", **environment, NO_COLOR="1").stdout


def test_each_kind_is_sent_and_says_so(place: Workplace, wbox: Simulator) -> None:
    for words in (
        ["text", PHONE, "Merhaba"],
        ["media", PHONE, "https://example.com/a.jpg", "--caption", "Depo"],
        ["event", PHONE, "Toplantı", "--start", "01.12.2026 14:00"],
        ["poll", PHONE, "Kim gelir?", "-o", "Ben", "-o", "Gelemem", "--device", "2"],
    ):
        ran = place.run("send", *words)
        assert (ran.returncode, ran.stdout[:4]) == (0, "sent"), ran.stderr
    bodies = [message["body"] for message in wbox.messages()]
    assert bodies == [
        {"phone": "905551234567", "message": "Merhaba"},
        {"phone": "905551234567", "media_url": "https://example.com/a.jpg", "message": "Depo"},
        {"phone": "905551234567", "event": {"title": "Toplantı", "startDate": "2026-12-01T14:00"}},
        {"phone": "905551234567", "message": "Kim gelir?", "options": ["Ben", "Gelemem"], "device_id": 2},
    ]


def test_a_text_can_come_from_standard_input(place: Workplace, wbox: Simulator) -> None:
    assert place.run("send", "text", PHONE, typed="two\nlines\n").returncode == 0
    assert wbox.messages()[0]["body"]["message"] == "two\nlines"


def test_send_takes_contacts_and_groups(place: Workplace, wbox: Simulator) -> None:
    place.rule(
        "version: 1\ncontacts: {ayse: '+90 555 123 45 67', can: '+90 555 123 45 68'}\n"
        "groups: {all: [ayse, can]}\n",
        "wbox-notify.yaml",
    )
    assert place.run("send", "text", "all", "hi").returncode == 0
    assert [message["body"]["phone"] for message in wbox.messages()] == ["905551234567", "905551234568"]


def test_an_argument_too_many_is_refused_in_the_language_of_the_shell(place: Workplace) -> None:
    ran = place.run("status", "a", "b", WBOX_LANG="tr")
    assert (ran.returncode, "Fazladan argümanlar: a b" in ran.stderr) == (2, True)


def test_an_event_without_a_start_is_refused_before_anything_is_sent(
    place: Workplace, wbox: Simulator
) -> None:
    ran = place.run("send", "event", PHONE, "x", WBOX_LANG="tr")
    assert (ran.returncode, "'--start'" in ran.stderr) == (2, True), ran.stderr
    assert wbox.messages() == []


def test_a_start_that_is_no_time_is_refused_in_the_language_of_the_shell(place: Workplace) -> None:
    ran = place.run("send", "event", PHONE, "x", "--start", "yarın 14:00", WBOX_LANG="tr")
    assert "start: 'yarın 14:00' bir zaman değil" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["text", "0555 123 45 67", "x"], "country code"),
        (["text", "nobody", "x"], "nobody"),
        (["text", PHONE, " "], "message"),
        (["media", PHONE, "/tmp/a.jpg"], "url"),
        (["poll", PHONE, "?", "-o", "a"], "at least 2"),
        (["event", PHONE, "", "--start", "2026-12-01"], "title"),
        (["event", PHONE, "x", "--start", ""], "start: "),
        (["event", PHONE, "x", "--start", "tomorrow"], "start: 'tomorrow' is not a time"),
        (["event", PHONE, "x", "--start", "2026-13-45"], "start: '2026-13-45' is not a time"),
    ],
    ids=str,
)
def test_a_message_that_can_not_be_is_refused_before_anything_is_stored(
    place: Workplace, words: list[str], said: str
) -> None:
    ran = place.run("send", *words)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert not (place.folder / "data").exists()


def test_what_can_not_be_sent_now_stays_in_the_queue_and_goes_out_later_in_order(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.unlink()
    ran = place.run("send", "text", PHONE, "first")
    assert ran.returncode == 75
    assert "not ready" in ran.stdout
    assert "Delivery 1 stays in the queue" in ran.stdout
    assert "wbox-notify pair" in ran.stdout
    status = place.run("status")
    assert status.returncode == 75
    assert "not linked" in status.stdout
    wbox.scan()
    assert place.run("send", "text", PHONE, "second").returncode == 0
    assert [message["body"]["message"] for message in wbox.messages()] == ["first", "second"]


def test_what_needs_no_rules_works_while_a_rule_file_is_broken(place: Workplace) -> None:
    place.rule("version: 1\nrules:\n  - id: [\n", "rules/broken.yaml")
    assert place.run("send", "text", PHONE, "hi").returncode == 0
    status = place.run("status")
    assert status.returncode == 69  # no daemon runs
    assert "1 ready" in status.stdout
    assert "broken   1 error: see wbox-notify check" in status.stdout
    assert place.json("status")["errors"] == 1
    assert place.run("queue", "retry", "--all").returncode == 3
    assert place.run("run").returncode == 78


def test_mistakes_of_the_settings_end_with_78(place: Workplace) -> None:
    (place.folder / "wbox-notify.yaml").write_text("listen: nowhere\n")
    for words in (["status"], ["send", "text", PHONE, "hi"], ["queue", "drop", "1"]):
        ran = place.run(*words)
        assert ran.returncode == 78
        assert "wbox-notify.yaml:1:9" in ran.stderr


def test_an_unreachable_wbox_keeps_the_message(place: Workplace) -> None:
    ran = place.run("send", "text", PHONE, "hi", WBOX_API_URL="http://127.0.0.1:9")
    assert ran.returncode == 75
    assert "Connection refused" in ran.stdout
    assert place.json("queue", "list")[0]["state"] == "queued"
    assert place.run("status", WBOX_API_URL="http://127.0.0.1:9").returncode == 69
    turkish = {"WBOX_API_URL": "http://127.0.0.1:9", "WBOX_LANG": "tr"}
    assert "wbox'a ulaşılamadı: Connection refused" in place.run("status", **turkish).stdout
    waiting = place.run("queue", "counts", **turkish).stdout.splitlines()[-1]
    assert waiting.startswith("tümü "), waiting
    assert "en eskisi şu zamandan beri bekliyor: " in waiting
    place.run("queue", "drop", "1")
    assert place.run("queue", "counts", **turkish).stdout == "Kuyruk boş.\n"


def test_outside_of_a_project_a_missing_key_is_told_with_the_folder(place: Workplace) -> None:
    shutil.rmtree(place.folder / "rules")
    ran = place.run("send", "text", PHONE, "hi", WBOX_API_KEY="")
    assert ran.returncode == 78
    assert f"there is no project in {place.folder}: go to the folder of yours" in ran.stderr
    (place.folder / "wbox-notify.yaml").write_text("version: 1\n")
    in_project = place.run("send", "text", PHONE, "hi", WBOX_API_KEY="").stderr
    assert "set WBOX_API_KEY or WBOX_API_KEY_FILE, or wbox.api_key_file in wbox-notify.yaml" in in_project


def test_the_demo_names_a_command_that_the_shell_finds(place: Workplace) -> None:
    unknown = place.run("demo", "--once", PATH="/usr/bin:/bin").stdout
    assert f" {Path(sys.executable).with_name('wbox-notify')} -c " in unknown
    known = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    assert " wbox-notify -c " in place.run("demo", "--once", PATH=known).stdout


def test_a_refused_key_is_said_with_77_and_keeps_the_message(place: Workplace) -> None:
    with Simulator(api_key="sk_other") as strict:
        ran = place.run("send", "text", PHONE, "hi", WBOX_API_URL=strict.url)
        assert ran.returncode == 77
        assert "Invalid or missing API Key" in ran.stdout
        assert place.run("status", WBOX_API_URL=strict.url).returncode == 77
    assert len(place.json("queue", "list")) == 1


@pytest.mark.parametrize("key", ["", "not a key", "sk_ğ"])
def test_a_missing_or_unusable_key_ends_with_78_before_anything_is_stored(place: Workplace, key: str) -> None:
    ran = place.run("send", "text", PHONE, "hi", WBOX_API_KEY=key)
    assert ran.returncode == 78
    assert "key" in ran.stderr
    assert not (place.folder / "data").exists()


def test_the_queue_can_be_listed_released_retried_and_dropped(place: Workplace, wbox: Simulator) -> None:
    wbox.fault(lost=True, count=1)
    assert place.run("send", "poll", PHONE, "?", "-o", "a", "-o", "b").returncode == 1
    [held] = place.json("queue", "list")
    assert held["state"] == "held"
    assert "may have been sent" in held["reason"]
    assert place.json("queue", "release", "1") == {"ids": [1], "count": 1}
    assert place.run("queue", "release", "1").returncode == 3
    asked = place.run("queue", "drop", "--all")
    assert (asked.returncode, "drops 1 message for good: add --yes" in asked.stderr) == (2, True)
    assert place.json("queue", "drop", "--all", "--yes") == {"ids": [1], "count": 1}
    assert place.run("queue", "list").stdout == "The queue is empty.\n"
    assert place.run("queue", "retry", "7").returncode == 1


def test_the_queue_is_filtered_by_rule_event_and_state_and_names_the_file(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.unlink()
    place.rule(TEXT_RULE.replace("{{ file.name }}: {{ file.text }}", "{{ file.json.title }}"))
    place.rule(TEXT_RULE.replace("new-file", "other"), "rules/other.yaml")
    for name in ("a.txt", "b.txt"):
        (place.drop / name).write_text("no json")
    process = place.start("run")
    until(lambda: place.has_store() and len(place.json("queue", "list")) == 4)
    assert ended(process)[0] == 0
    listed = place.run("queue", "list", "--rule", "new-file").stdout.splitlines()
    assert [f"{place.drop}/{name}" in line for line, name in zip(listed, ("a.txt", "b.txt"), strict=True)]
    assert all("dead" in line and datetime.now().astimezone().strftime("%Y-%m-%d") in line for line in listed)
    dead = place.json("queue", "list", "--state", "dead")
    assert {(one["rule"], one["file"]) for one in dead} == {
        ("new-file", f"{place.drop}/a.txt"),
        ("new-file", f"{place.drop}/b.txt"),
    }
    assert place.run("queue", "list", "-n", "1").stdout.splitlines()[1].startswith("1 of 4")
    nobody = place.run("queue", "drop", "--rule", "nobody", "--yes")
    assert (nobody.returncode, nobody.stdout) == (3, "no matching deliveries\n")
    assert place.run("queue", "drop", "1", "--rule", "new-file").returncode == 2
    assert place.json("queue", "drop", "--event", dead[0]["event"], "--yes")["count"] == 2
    assert place.json("queue", "drop", "--state", "queued", "--yes")["count"] == 1
    assert [one["id"] for one in place.json("queue", "list")] == [dead[1]["id"]]
    assert place.run("send", "text", PHONE, "later").returncode == 75
    assert place.json("queue", "retry", "--all")["count"] == 2


def test_S10_S11_commands_reach_a_running_daemon(
    place: Workplace, wbox: Simulator, daemon: subprocess.Popen[str]
) -> None:
    until((place.folder / "data" / "daemon.json").exists)
    assert oct((place.folder / "data" / "daemon.json").stat().st_mode)[-3:] == "600"
    # The daemon has a key, so the commands need none.
    assert place.run("send", "text", PHONE, "through the daemon", WBOX_API_KEY="").returncode == 0
    wbox.unlink()
    without_key = place.run("status", WBOX_API_KEY="")
    assert (without_key.returncode, "not linked" in without_key.stdout) == (75, True)
    assert place.run("send", "text", PHONE, "later").returncode == 75
    assert place.json("queue", "drop", "2") == {"ids": [2], "count": 1}
    wbox.scan()
    status = place.run("status")
    assert status.returncode == 0
    assert "daemon   running" in status.stdout
    second = place.run("run")
    assert second.returncode == 75
    assert f"process {daemon.pid}" in second.stderr
    assert ended(daemon)[0] == 0
    assert not (place.folder / "data" / "daemon.json").exists()
    assert place.run("status").returncode == 69


def test_run_prints_each_step_and_log_and_status_tell_it_again(place: Workplace, wbox: Simulator) -> None:
    place.rule(
        "version: 1\nrules:\n  - id: never\n    trigger: {file: {path: drop}}\n    if: file.size > 999\n"
        "    to: '+90 555 123 45 67'\n    send: {text: x}\n",
        "rules/never.yaml",
    )
    (place.drop / "a\x1b[31m.txt").write_text("hello")
    process = place.start("run", "--json")
    wbox.wait_for(1, 20)
    process.terminate()
    printed, _ = process.communicate(timeout=10)
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [line.get("type", line.get("outcome")) for line in lines] == ["file", "sent"]
    log = place.run("log").stdout
    assert log.startswith(datetime.now().astimezone().strftime("%Y-%m-%d "))
    assert "\x1b" not in log
    assert "a\\x1b[31m.txt (5 B)" in log
    assert "stopped never if: if[0] file.size > 999 (file.size = 5)" in log
    assert "text  to +90555***4567  sent" in log
    assert "sent in 24 h: 1" in place.run("status").stdout


def test_log_follows_each_event_of_a_burst_when_its_plan_is_made(place: Workplace) -> None:
    store = open_store(place.store)
    calls = [a_call(number) for number in range(301)]
    store.put_events(calls[:2], 1.0).result()
    store.put_plans([Plan(event_id="call:0")], 1.0).result()
    process = place.start("log", "--follow", "--json")
    assert process.stdout
    assert json.loads(process.stdout.readline())["event"] == "call:0"
    store.put_events(calls, 2.0).result()
    store.put_plans([Plan(event_id=call.id) for call in calls], 2.0).result()
    told = [json.loads(process.stdout.readline())["event"] for _ in calls[1:]]
    assert told == [call.id for call in calls[1:]]
    assert ended(process)[0] == 0
    store.close()


def test_log_tells_of_each_event_the_message_that_told_of_several(place: Workplace) -> None:
    store = open_store(place.store)
    store.put_events([a_call(0), a_call(1)], 1.0).result()
    text = Text(phone="905551234567", message="both")
    told = PlannedMessage(key="g", rule="g", message=text, events=("call:0", "call:1"))
    store.put_plans([Plan(event_id="call:0", messages=(told,)), Plan(event_id="call:1")], 1.0).result()
    store.close()
    events = [json.loads(line) for line in place.run("log", "--json").stdout.splitlines()]
    assert [[sent["rule"] for sent in event["deliveries"]] for event in events] == [["g"], ["g"]]


def a_call(number: int) -> Event:
    """Return a call of a hook."""
    return Event(id=f"call:{number}", type="webhook", at=NOW, data={"path": "x", "body": {}})


def test_times_are_those_of_the_project_wherever_its_machine_is(place: Workplace) -> None:
    place.rule("defaults: {tz: Pacific/Kiritimati}\n", "wbox-notify.yaml")
    assert place.run("send", "text", "905551234567", "hello").returncode == 0
    received = datetime.fromisoformat(place.json("log")["received"])
    shown = f"{received.astimezone(ZoneInfo('Pacific/Kiritimati')):%Y-%m-%d %H:%M:%S}"
    for words in (["log"], ["why"], ["log", "--since", shown]):
        assert place.run(*words).stdout.startswith(shown)


def test_a_daemon_prints_and_logs_the_time_of_the_project(place: Workplace, wbox: Simulator) -> None:
    place.rule("defaults: {tz: Pacific/Kiritimati}\n", "wbox-notify.yaml")
    daemon = place.start("run")
    until(place.card.exists)
    assert requests.post(f"{place.url}/hook/nothing", timeout=10).status_code == 401
    (place.drop / "a.txt").write_text("hi")
    wbox.wait_for(1)
    daemon.terminate()
    printed, logged = daemon.communicate(timeout=10)
    hour = f"{datetime.now(ZoneInfo('Pacific/Kiritimati')):%H}"
    times = [line[:8] for line in (printed + logged).splitlines() if re.match(r"\d\d:", line)]
    assert len(times) >= len(["event", "decision", "attempt", "refused"])
    assert {time[:2] for time in times} <= {hour, f"{(int(hour) - 1) % 24:02}"}


def test_a_daemon_prints_when_an_attempt_ended_and_how_in_the_readers_language(
    place: Workplace, wbox: Simulator
) -> None:
    place.rule("defaults: {lang: tr, tz: UTC}\n", "wbox-notify.yaml")
    wbox.fault(lost=True)
    began = datetime.now(UTC).replace(microsecond=0)
    daemon = place.start("run")
    until(place.card.exists)
    (place.drop / "a.txt").write_text("hi")
    until(lambda: "belirsiz" in place.run("queue", "list").stdout)
    daemon.terminate()
    [line] = [line for line in daemon.communicate(timeout=10)[0].splitlines() if "<--" in line]
    at = datetime.strptime(line[:8], "%H:%M:%S").replace(tzinfo=UTC)
    assert (at - began).seconds <= (datetime.now(UTC) - began).seconds, "not when the next one is due"
    assert "yanıt gelmedi: " in line


def test_check_tells_what_is_fine_and_shows_what_is_not(place: Workplace) -> None:
    fine = place.run("check")
    assert (fine.returncode, fine.stdout.split()[:2]) == (0, ["ok", "new-file"])
    place.rule(
        "version: 1\nrules:\n  - id: x\n    trigger: {file: {pth: drop}}\n"
        "    to: nobody\n    send: {tex: hi}\n",
        "rules/bad.yaml",
    )
    ran = place.run("check")
    assert ran.returncode == 1
    for said in (
        "rules/bad.yaml:4:22",
        "unknown key `pth`",
        "did you mean `path`?",
        "^^^",
        "unknown key `tex`",
    ):
        assert said in ran.stderr
    errors = [one for one in place.json("check")["problems"] if one["severity"] == "error"]
    assert {problem["file"] for problem in errors} == {"rules/bad.yaml"}
    refused = place.run("run")
    assert refused.returncode == 78
    assert "rules/bad.yaml:4:22" in refused.stderr


@pytest.mark.parametrize("key", ["vars"])
def test_a_key_that_comes_later_is_refused_by_name(place: Workplace, key: str) -> None:
    place.rule(
        f"version: 1\nrules:\n  - id: x\n    trigger: {{file: {{path: drop}}}}\n    {key}: 1\n"
        "    to: '+90 555 123 45 67'\n    send: {text: hi}\n"
    )
    ran = place.run("check")
    assert ran.returncode == 1
    assert f"`{key}` is not in this version yet" in ran.stderr


def test_an_address_that_is_taken_is_said_and_another_one_is_found(place: Workplace, wbox: Simulator) -> None:
    taken = wbox.url.removeprefix("http://")
    place.environment["WBOX_LISTEN"] = taken
    process = place.start("run")
    until((place.folder / "data" / "daemon.json").exists)
    assert place.run("send", "text", PHONE, "hi").returncode == 0
    code, errors = ended(process)
    assert code == 0
    assert "another program listens there; listening on a free port instead" in errors


@pytest.mark.parametrize("listen", ["256.1.1.1:80", "192.0.2.1:80"])
def test_an_address_that_is_not_of_this_machine_ends_with_78(place: Workplace, listen: str) -> None:
    ran = place.run("run", WBOX_LISTEN=listen)
    assert ran.returncode == 78
    assert "listen" in ran.stderr.lower()


def test_a_project_without_rules_can_not_run(place: Workplace) -> None:
    shutil.rmtree(place.folder / "rules")
    ran = place.run("run")
    assert ran.returncode == 78
    assert "there are no rules in" in ran.stderr


def test_a_vanished_folder_is_said_and_taken_up_again_when_it_is_back(
    place: Workplace, wbox: Simulator
) -> None:
    place.drop.rmdir()
    process = place.start("run")
    assert process.stderr
    assert str(place.drop) in process.stderr.readline()
    place.drop.mkdir()
    (place.drop / "a.txt").write_text("back")
    wbox.wait_for(1, 20)
    assert ended(process)[0] == 0


def test_K07_a_bad_event_is_a_dead_delivery_that_can_be_retried_when_the_rule_is_mended(
    place: Workplace, wbox: Simulator
) -> None:
    rule = (place.folder / "rules" / "rule.yaml").read_text()
    place.rule(rule.replace("{{ file.name }}", "{{ file.json.title }}"))
    (place.drop / "a.txt").write_text("no json")
    process = place.start("run")
    until(lambda: place.has_store() and "dead" in place.run("queue", "list").stdout)
    assert ended(process)[0] == 0
    assert "is not JSON" in place.run("queue", "list").stdout
    place.rule(rule)
    said = place.run("queue", "retry", "1").stdout
    assert "retry: 1\n1 is made anew, with a new number: wbox-notify why " in said
    process = place.start("run")
    assert wbox.wait_for(1, 20)[0]["body"]["message"] == "a.txt: no json"
    assert ended(process)[0] == 0
    assert "sent" in place.run(*shlex.split(said)[-2:]).stdout


@pytest.mark.parametrize("words", [["run"], ["send", "text", PHONE, "hi"]], ids=str)
@pytest.mark.parametrize("folder", ["/sys/wbox-notify", "/dev/null/data"])
def test_a_data_folder_that_can_not_be_written_is_said_with_74(
    place: Workplace, words: list[str], folder: str
) -> None:
    ran = place.run(*words, WBOX_DATA_DIR=folder)
    assert ran.returncode == 74
    assert folder in ran.stderr
    assert "help:" in ran.stderr


def test_demo_once_delivers_all_four_kinds_and_leaves_nothing_behind(
    place: Workplace, tmp_path: Path
) -> None:
    ran = place.run("demo", "--once", "--json", TMPDIR=str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["missing"] == []
    assert {message["endpoint"].rpartition("/")[2] for message in result["messages"]} == {
        "text",
        "media",
        "event",
        "poll",
    }
    assert list(tmp_path.glob("wbox-demo-*")) == []
    read = place.run("demo", "--once", TMPDIR=str(tmp_path)).stdout.partition("What arrived")[2]
    assert "Weekly review  Room 2  2026-12-01T14:00" in read
    assert "{" not in read


def unshared(*words: str) -> list[str]:
    """Return a command for a user without a home; skip where this machine makes none."""
    nobody = ["unshare", "--user", "--map-user=54321", "--map-group=54321"]
    if not shutil.which("unshare") or subprocess.run([*nobody, "true"], check=False).returncode:
        pytest.skip("no user without a home can be made here")
    return [*nobody, "env", "-i", *words]


def test_a_user_without_a_home_is_told_what_to_set(place: Workplace) -> None:
    command = unshared("WBOX_API_KEY=sk_a", "WBOX_DATA_DIR=/proc/nowhere", sys.executable)
    command += ["-m", "wbox_notify", "-c", str(place.folder), "run"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 74, ran.stderr
    assert "internal error" not in ran.stderr


def test_sending_goes_on_where_nobody_reads_what_run_prints(place: Workplace, wbox: Simulator) -> None:
    """As in a terminal that was stopped: a pipe holds 64 KiB."""
    place.rule(TEXT_RULE)
    name = "a" * 200
    with place.start("run", "--json") as process:
        for number in range(300):
            (place.drop / f"{name}-{number}").write_text("x")
        until(lambda: len(wbox.messages()) == 300)
        process.terminate()
        assert process.wait(10) == 0


def test_demo_and_simulate_stop_when_they_are_told_to(place: Workplace) -> None:
    for words in (["demo", "--json"], ["simulate", "--port", "0", "--json"]):
        process = place.start(*words)
        if words[0] == "simulate":
            assert process.stdout
            assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
        else:
            until(lambda: list(Path("/tmp").glob("wbox-demo-*/data/daemon.json")))
        assert ended(process)[0] == 0


def test_what_a_person_sends_goes_before_what_programs_sent(place: Workplace, wbox: Simulator) -> None:
    place.start("run")
    until((place.folder / "data" / "daemon.json").exists)
    card = json.loads((place.folder / "data" / "daemon.json").read_text())
    wbox.unlink(1)
    token = {"Authorization": f"Bearer {card['token']}"}
    body = {"kind": "text", "phone": "905551234567", "message": "from a program"}
    assert requests.post(f"{card['url']}/-/send", json=body, headers=token, timeout=20).status_code == 202
    until(lambda: place.json("status")["queue"]["circuits"])
    place.run("send", "text", "+905551234567", "from a person", "--wait", "0")
    wbox.scan(1)
    wbox.wait_for(2, 60)
    assert [one["body"]["message"] for one in wbox.messages()] == ["from a person", "from a program"]


def test_each_message_that_waits_for_its_device_says_why(place: Workplace, wbox: Simulator) -> None:
    place.start("run")
    until((place.folder / "data" / "daemon.json").exists)
    wbox.unlink(1)
    place.run("send", "text", "+905551234567", "first", "--wait", "20")
    second = place.json("send", "text", "+905551234567", "second", "--wait", "0")["id"]
    why = "the phone is not linked; scan the QR code again (wbox-notify pair)"
    for words in (["queue", "list"], ["show", str(second)], ["why", str(second)]):
        assert why in place.run(*words).stdout, words
    assert place.json("show", str(second))["reason"] == why
    assert [row["reason"] for row in place.json("queue", "list") if row["id"] == second] == [why]
    assert why in place.run("log").stdout


def test_a_second_project_is_told_that_the_daemon_serves_the_first(place: Workplace, tmp_path: Path) -> None:
    place.start("run")
    until(place.card.exists)
    other = tmp_path / "other"
    (other / "rules").mkdir(parents=True)
    (other / "rules" / "rule.yaml").write_text(TEXT_RULE)
    (other / "drop").mkdir()
    served = f"serves {place.folder}, not this project"
    for words in (
        *(["status"], ["send", "text", PHONE, "x"], ["trigger", "new-file"], ["why"], ["show", "1"], ["log"]),
        *(["queue", "list"], ["queue", "counts"], ["queue", "drop", "--all", "--yes"]),
        *(["queue", "cancel", "new-file", "1"], ["replay", "--failed", "--yes"], ["ack", "new-file"]),
        *(["silence", "new-file", "1h"], ["exec", "true"]),
    ):
        assert served in place.run("-c", str(other), *words).stderr, words
        assert served not in place.run(*words).stderr, words


def test_nothing_that_a_command_prints_turns_writing_around(place: Workplace) -> None:
    ran = place.run("send", "text", "a\u202eb\u2066", "hi")
    as_json = place.run("send", "text", "a\u202eb\u2066", "hi", "--json")
    for said in (ran.stderr, as_json.stderr):
        assert "a\\u202eb\\u2066" in said
        assert not {"\u202e", "\u2066"} & {*said}
    assert "a\u202eb\u2066" in json.loads(as_json.stderr)["message"]


def test_a_note_beside_a_failed_file_turns_no_writing_around(place: Workplace, wbox: Simulator) -> None:
    rule = place.folder / "rules" / "rule.yaml"
    text = rule.read_text().replace("path: drop", "path: drop, failed: failed").partition("    send:")[0]
    rule.write_text(f'{text}    send: {{media: {{file: "{{{{ file.path }}}}"}}}}\n')
    process = place.start("run")
    (place.drop / "a\u202eb.txt").touch()
    note = place.drop / "failed" / "a\u202eb.txt.why.txt"
    until(note.exists)
    assert "\u202e" not in note.read_text()
    assert "\\u202e" in note.read_text()
    assert ended(process)[0] == 0
    assert wbox.messages() == []
