"""A project finds the rules of an event without looking at the others."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rulebook import project

from wbox_notify.model.events import Event
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger

RULES = """\
version: 1
rules:
  - {id: all, trigger: {file: {path: /srv}}, to: &me "+905551112233", send: &hi {text: hi}}
  - {id: pdf, trigger: [{file: {path: /srv/in, match: "*.pdf"}}, {file: {path: /srv/in}}], to: *me, send: *hi}
  - {id: hook, trigger: {webhook: {path: a/b, open: true}}, to: *me, send: *hi}
  - {id: both, trigger: [{webhook: {path: a/b, open: true}}, {schedule: "09:00"}], to: *me, send: *hi}
  - id: no-file
    trigger: {missing: {of: {file: {path: /srv/in, match: "*.pdf"}}, by: "07:00", window: 1d}}
    to: *me
    send: *hi
  - id: no-call
    trigger: {missing: {of: {webhook: {path: a/b, open: true}}, by: "07:00", window: 1d}}
    to: *me
    send: *hi
  - {id: root, trigger: {file: {path: /}}, to: *me, send: *hi}
"""


def event(kind: str, **data: Any) -> Event:
    return Event(id="e", type=kind, at=datetime(2026, 1, 1, tzinfo=UTC), data=data)


def ids(rules: Any) -> list[str]:
    return [rule.id for rule in rules]


def found(folder: Path) -> Project:
    made = project(folder, {"rules/a.yaml": RULES})
    assert made.problems == ()
    return made


def test_a_file_sets_off_the_rules_of_all_folders_above_it(tmp_path: Path) -> None:
    rules = found(tmp_path)
    assert ids(rules.rules_for(event("file", path="/srv/in/a.pdf"))) == ["all", "pdf", "root"]
    assert ids(rules.rules_for(event("file", path="/srv/inn/a.pdf"))) == ["all", "root"]
    assert ids(rules.rules_for(event("file", path="/else"))) == ["root"]
    assert ids(rules.rules_for(event("file", path="/srv/.hidden"))) == []


def test_a_call_sets_off_the_rules_with_its_path(tmp_path: Path) -> None:
    rules = found(tmp_path)
    assert ids(rules.rules_for(event("webhook", path="a/b"))) == ["hook", "both"]
    assert ids(rules.rules_for(event("webhook", path="a"))) == []


def test_a_nominal_time_sets_off_its_own_rule(tmp_path: Path) -> None:
    rules = found(tmp_path)
    assert ids(rules.rules_for(event("schedule", rule="both"))) == ["both"]
    assert ids(rules.rules_for(event("missing", rule="no-file"))) == ["no-file"]
    for kind, name in (("schedule", "hook"), ("missing", "both"), ("schedule", "gone")):
        assert ids(rules.rules_for(event(kind, rule=name))) == []


def test_the_rules_that_await_something_are_found_by_it(tmp_path: Path) -> None:
    rules = found(tmp_path)
    assert ids(rules.awaiting(event("file", path="/srv/in/a.pdf"))) == ["no-file"]
    assert ids(rules.awaiting(event("file", path="/srv/in/a.txt"))) == []
    assert ids(rules.awaiting(event("webhook", path="a/b"))) == ["no-call"]
    assert ids(rules.awaiting(event("schedule", rule="no-file"))) == []


def test_a_rule_is_asked_for_itself_whether_an_event_sets_it_off(tmp_path: Path) -> None:
    rules = found(tmp_path)
    paths = ("/srv/in/a.pdf", "/srv/inn/a.pdf", "/else", "/srv/.hidden")
    for happened in (
        *(event("file", path=path) for path in paths),
        *(event("webhook", path=path) for path in ("a/b", "a")),
        *(event(kind, rule=rule.id) for kind in ("schedule", "missing") for rule in rules.rules),
        event("send"),
    ):
        one_by_one = [rule for rule in rules.rules if rules.sets_off(happened, rule)]
        assert ids(one_by_one) == ids(rules.rules_for(happened))


def test_a_rule_has_links_where_a_text_names_one(tmp_path: Path) -> None:
    linked = """
version: 1
rules:
  - id: plain
    trigger: &hook {webhook: {path: a, open: true}}
    to: &me "+905551112233"
    send: &hi {text: hi}
  - {id: named, trigger: *hook, to: *me, send: &link {text: "{{ ack_url }}"}}
  - {id: step, trigger: *hook, to: *me, send: *hi, escalate: {after: 5m, to: *me, send: *link}}
  - {id: pulled, trigger: *hook, to: *me, send: {text: "{% include 'x.txt' %}"}}
"""
    made = project(tmp_path, {"rules/a.yaml": linked, "templates/x.txt": "{{ ack_url }}"})
    assert {rule.id: rule.has_links for rule in made.rules} == {
        "plain": False,
        "named": True,
        "step": True,
        "pulled": True,
    }


def test_a_project_can_be_narrowed_to_one_rule(tmp_path: Path) -> None:
    rules = found(tmp_path)
    hook = rules.rule("hook")
    assert hook
    assert rules.rule("gone") is None
    alone = rules.only(hook)
    assert ids(alone.rules) == ids(alone.rules_for(event("webhook", path="a/b"))) == ["hook"]
    assert alone.people is rules.people


PARTS = st.sampled_from(["a", "b", "ab", "a.pdf", ".h"])
FOLDERS = st.lists(PARTS, max_size=3).map(lambda parts: Path("/", *parts))


def watching(template: Rule, number: int, root: Path, glob: str) -> Rule:
    return Rule(
        id=str(number),
        name="",
        triggers=(FileTrigger(root=root, match=(glob,)),),
        to=template.to,
        send=template.send,
        file="",
        line=1,
        location=template.location,
    )


def folders(rule: Rule) -> list[FileTrigger]:
    return [source for source in rule.sources() if isinstance(source, FileTrigger)]


def test_the_index_finds_what_asking_every_rule_finds(tmp_path: Path) -> None:
    whole = found(tmp_path)
    template = whole.rules[0]

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(FOLDERS, st.sampled_from(["*", "**/*", "*.pdf", "a/*"]))),
        FOLDERS.map(lambda folder: str(folder / "a.pdf")),
    )
    def same(watched: list[tuple[Path, str]], path: str) -> None:
        rules = tuple(watching(template, number, *one) for number, one in enumerate(watched))
        each = [rule.id for rule in rules if any(one.accepts(path) for one in folders(rule))]
        made = Project(settings=whole.settings, rules=rules)
        assert ids(made.rules_for(event("file", path=path))) == each

    same()
