"""Rules and templates that are wrong, too much, or go round in circles."""

import json
import re
import signal
from pathlib import Path

import pytest
from answering import OPEN, Answering
from rulebook import mistake, project, rule_file
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

PHONE = "905551234567"


def rule(name: str, send: str, more: str = "") -> str:
    """Return a rule with a webhook that lets anybody in."""
    return (
        f"version: 1\nrules:\n  - id: {name}\n    trigger: {{webhook: {{path: {name}, open: true}}}}\n"
        f'    to: "+{PHONE}"\n    send: {send}\n{more}'
    )


def texts(wbox: Simulator, count: int) -> list[str]:
    return [message["body"]["message"] for message in wbox.wait_for(count, 30)]


def test_K01_a_syntax_error_keeps_the_old_rule_and_lets_the_other_files_be_read(
    place: Workplace, wbox: Simulator
) -> None:
    place.rule(rule("one", '{text: "one, old"}'), "rules/one.yaml")
    place.rule(rule("two", '{text: "two, old"}'), "rules/two.yaml")
    daemon = Answering(place)
    place.rule(rule("one", '{text: "one, new'), "rules/one.yaml")
    place.rule(rule("two", '{text: "two, new"}'), "rules/two.yaml")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: any("rules/one.yaml" in line for line in daemon.logged))
    assert re.search(r"rules/one\.yaml:6:\d+: .*keeping the previous version", daemon.said)
    assert [daemon.post(name).status_code for name in ("one", "two")] == [202, 202]
    assert sorted(texts(wbox, 2)) == ["one, old", "two, new"]


YAML_TRAPS = {
    "an octal phone": ("to: 05551234567", "has no country code", "defaults.region"),
    "on": ("on: {file: {path: /srv}}", "unknown key `on`", "`trigger`"),
    "a key given twice": ("if: 'true'\nif: 'false'", "key `if` is given twice", "keep one"),
    "a tab": ("if:\n\t- a", "a tab is used to indent", "spaces"),
    "bare braces": ("send: {text: {{ file.name }}}", "must be quoted", '"{{ … }}"'),
    "bare braces alone": ("to: {{ file.name }}", "must be quoted", '"{{ … }}"'),
}


@pytest.mark.parametrize(("lines", "said", "cure"), YAML_TRAPS.values(), ids=YAML_TRAPS)
def test_K02_what_yaml_reads_in_another_way_is_an_error_with_its_cure(
    tmp_path: Path, lines: str, said: str, cure: str
) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(lines)})
    assert found.rules == ()
    problem = found.problems[0]
    assert said in problem.message
    assert cure in (problem.hint or "")
    assert problem.line >= 5


@pytest.mark.parametrize("written", ["no", "on", "NO", "12:30", "0o17", "2026-11-22", "1_000"])
def test_K02_what_older_yaml_takes_for_something_else_stays_the_text_that_it_is(
    tmp_path: Path, written: str
) -> None:
    file = rule("a", "{text: hi}").replace("- id: a", f"- id: a\n    name: {written}")
    [made] = project(tmp_path, {"rules/a.yaml": file}, WBOX_SECRET_A="x").rules
    assert made.name == written


def test_K06_what_waits_goes_out_as_it_was_made_when_its_rule_is_gone(
    place: Workplace, wbox: Simulator
) -> None:
    place.rule(rule("first", '{text: "{{ body.say }}"}'), "rules/first.yaml")
    daemon = Answering(place)
    wbox.fault(delay=3.0, count=1)
    for said in ("one", "two"):
        assert daemon.post("first", {"say": said}).status_code == 202
    until(lambda: len(wbox.messages()) == 1)
    (place.folder / "rules" / "first.yaml").unlink()
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.post("first", {"say": "three"}).status_code == 401)
    # Until the reload was done, calls of the third were taken as well.
    assert [said for said in texts(wbox, 2) if said != "three"] == ["one", "two"]


AWAY = {
    "endless": '{text: "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"}',
    "huge": "{text: \"{{ 'x' * 10 ** 9 }}\"}",
    "itself": '{text: "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}"}',
}


def test_K08_a_template_that_runs_away_is_a_dead_message_and_the_next_rule_is_heard(
    place: Workplace, wbox: Simulator
) -> None:
    place.rule(OPEN, "rules/hook.yaml")
    for name, send in AWAY.items():
        place.rule(rule(name, send), f"rules/{name}.yaml")
    daemon = Answering(place)
    before = daemon.memory
    assert [daemon.post(name).status_code for name in AWAY] == [202] * 3
    assert daemon.post("open", {"say": "next"}).status_code == 202
    assert texts(wbox, 1) == ["next"]
    waiting = place.json("queue", "list")
    assert {(one["rule"], one["state"]) for one in waiting} == {(name, "dead") for name in AWAY}
    assert daemon.memory - before < 64 << 20


def test_K09_a_pattern_that_other_engines_hang_on_holds_nobody_up(place: Workplace, wbox: Simulator) -> None:
    place.rule(OPEN, "rules/hook.yaml")
    more = "    if: \"body.say is search('(a+)+$')\"\n"
    place.rule(rule("slow", "{text: matched}", more), "rules/slow.yaml")
    daemon = Answering(place)
    assert daemon.post("slow", {"say": "a" * 50_000 + "!"}).status_code == 202
    assert daemon.post("open", {"say": "next"}).status_code == 202
    assert texts(wbox, 1) == ["next"]
    assert daemon.process.poll() is None


@pytest.mark.parametrize("size", [1, 4096, 65_536])
def test_K10_a_text_of_any_length_that_whatsapp_shows_arrives_whole(
    place: Workplace, wbox: Simulator, size: int
) -> None:
    assert place.run("send", "text", PHONE, "-", typed="x" * size).returncode == 0
    assert [len(text) for text in texts(wbox, 1)] == [size]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "is empty"),
        (" \n\t ", "is empty"),
        ("x" * 65_537, "has 65,537 characters, WhatsApp takes 65,536"),
    ],
    ids=["none", "spaces", "65,537"],
)
def test_K10_a_text_that_can_not_be_shown_is_refused_before_wbox_hears_of_it(
    place: Workplace, wbox: Simulator, typed: str, said: str
) -> None:
    ran = place.run("send", "text", PHONE, "-", typed=typed)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert wbox.messages() == []


def test_K10_half_characters_and_nul_reach_wbox_as_signs_that_it_takes(
    place: Workplace, wbox: Simulator
) -> None:
    daemon = Answering(place)
    assert daemon.post("open", {"say": "half \ud800, NUL \x00, bell \x07, 👩‍🚒"}).status_code == 202
    [text] = texts(wbox, 1)
    assert text.startswith("half")
    assert text.endswith("👩‍🚒")
    assert not {"\x00", "\x07", "\ud800"} & set(text)


def options(count: int) -> tuple[str, ...]:
    return tuple(f"option {number}" for number in range(count))


BAD_POLLS = [
    ("q", options(1), "at least 2 different options"),
    ("q", options(13), "at most 12 options"),
    ("q", ("a", "b", "a"), "an option is there twice"),
    ("q", ("a", "b" * 101), "has 101 characters, WhatsApp takes 100"),
    ("q" * 256, options(2), "has 256 characters, WhatsApp takes 255"),
]


@pytest.mark.parametrize(("question", "given", "said"), BAD_POLLS, ids=[row[2] for row in BAD_POLLS])
def test_K11_a_poll_that_whatsapp_can_not_show_is_a_mistake_of_the_rule(
    tmp_path: Path, question: str, given: tuple[str, ...], said: str
) -> None:
    problem = mistake(tmp_path, f"send: {json.dumps({'poll': {'question': question, 'options': given}})}")
    assert problem.code == "WBX311"
    assert said in problem.message


def test_K11_a_poll_that_turns_out_so_is_a_dead_message_that_says_why(
    place: Workplace, wbox: Simulator
) -> None:
    rendered = {f"poll-{number}": row for number, row in enumerate(BAD_POLLS) if 1 < len(row[1]) < 13}
    for name, (_, given, _) in rendered.items():
        poll = {"question": "{{ body.q }}", "options": [f"{{{{ body.o[{n}] }}}}" for n in range(len(given))]}
        place.rule(rule(name, json.dumps({"poll": poll})), f"rules/{name}.yaml")
    daemon = Answering(place)
    for name, (question, given, _) in rendered.items():
        assert daemon.post(name, {"q": question, "o": given}).status_code == 202
    until(lambda: place.run("queue", "list").stdout.count("dead") == len(rendered))
    reasons = {one["rule"]: one["reason"] for one in place.json("queue", "list")}
    assert {name: said in reasons[name] for name, (_, _, said) in rendered.items()} == dict.fromkeys(
        rendered, True
    )
    assert wbox.messages() == []


@pytest.mark.parametrize("count", [2, 12])
def test_K11_a_poll_of_2_to_12_options_arrives(place: Workplace, wbox: Simulator, count: int) -> None:
    words = [word for option in options(count) for word in ("-o", option)]
    assert place.run("send", "poll", PHONE, "q" * 255, *words).returncode == 0
    assert wbox.wait_for(1)[0]["body"]["options"] == list(options(count))


def test_K12_nothing_that_the_daemon_writes_sets_off_a_rule(place: Workplace, wbox: Simulator) -> None:
    """A rule on the whole project folder sees what others drop, and not the store, the keys, the card.

    What a rule does is to send messages through wbox, so it can neither write a file nor call a webhook.
    """
    for path in place.folder.glob("rules/*"):
        path.unlink()
    place.rule(
        f'version: 1\nrules:\n  - id: all\n    trigger: {{file: {{path: ., match: "**/*"}}}}\n'
        f'    to: "+{PHONE}"\n    send: {{text: "{{{{ file.name }}}}"}}\n'
    )
    place.rule(OPEN, "rules/hook.yaml")
    daemon = Answering(place)
    (place.drop / "a.txt").write_text("x")
    assert {"a.txt", "rule.yaml", "hook.yaml"} == set(texts(wbox, 3))
    daemon.process.terminate()
    assert daemon.process.wait(10) == 0
    again = Answering(place)
    assert again.post("open", {"say": "after all"}).status_code == 202
    assert texts(wbox, 4)[3:] == ["after all"]
    assert "data/" not in place.run("log", "-n", "100").stdout
