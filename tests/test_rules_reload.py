"""A project that is read again builds only the files that have changed, and comes out as if it built all."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wbox_notify.rules.compile import parts
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

OPEN, SECRET = "open: true", "secret: {env: HOOK_SECRET}"
ENVIRON = {"HOOK_SECRET": "s3cret-of-the-hook"}


def rule(name: str, *, path: str = "p", proof: str = OPEN, **other: str) -> str:
    keys = {"if": "body.x", "to": "me", "send": "{text: hi}", **other}
    rest = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return f"  - {{id: {name}, trigger: {{webhook: {{path: {path}, {proof}}}}}, {rest}}}\n"


CONTENTS: dict[str, Sequence[str | None]] = {
    "wbox-notify.yaml": (
        "version: 1\ncontacts: {me: '+905551112233'}\n",
        "version: 1\ncontacts: {me: '+905551112244'}\n",
        "version: 1\ncontacts: {me: '+905551112233'}\ndefaults: {lang: tr}\n",
        "version: 1\nno: 1\n",
    ),
    "rules/a.yaml": (
        None,
        "version: 1\nrules:\n" + rule("one") + rule("two", **{"if": "body.y > 1"}),
        "version: 1\nrules:\n" + rule("one", proof=SECRET),
        "version: 1\nrules:\n" + rule("one", **{"if": "body."}),
        "version: 1\nrules:\n" + rule("one", send="{template: t.j2}"),
        "version: 1\nrules: [",
    ),
    "rules/b.yaml": (
        None,
        "version: 1\nrules:\n" + rule("one", path="q"),
        "version: 1\nrules:\n" + rule("three", via="['json://ops.example']"),
        "version: 1\ncontacts: {you: '+905551112255'}\nrules:\n" + rule("four", to="you"),
        "version: 1\ncontacts: {you: '+905551112266'}\nrules:\n" + rule("four", to="you"),
    ),
    "templates/t.j2": (None, "Hi {{ body.x }}", "Hi {{ body.y }}, {% include 'u.j2' %}", "Hi {{"),
    "templates/u.j2": (None, "you {{ body.z }}"),
}
EDITS = st.sampled_from([(name, text) for name, texts in CONTENTS.items() for text in texts])


def write(folder: Path, name: str, text: str | None) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text, encoding="utf-8")


def shape(project: Project) -> Any:
    rules = [
        (rule.id, rule.to, rule.via, rule.line, [(part.source, part.names) for part in parts(rule)])
        for rule in project.rules
    ]
    hooks = {path: repr(hook) for path, hook in project.hooks.items()}
    return rules, hooks, project.problems, project.outlets, project.settings, project.people


@settings(max_examples=25)
@given(edits=st.lists(EDITS, min_size=1, max_size=8))
def test_a_project_that_is_read_again_is_as_if_it_were_read_for_the_first_time(
    edits: list[tuple[str, str | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("project")
    for name, texts in CONTENTS.items():
        write(folder, name, texts[0] or texts[1])
    project = load(folder, ENVIRON)
    for name, text in edits:
        write(folder, name, text)
        project = load(folder, ENVIRON, before=project.reading)
        assert shape(project) == shape(load(folder, ENVIRON))


def test_a_file_that_is_as_it_was_keeps_its_rules_and_others_are_built_again(tmp_path: Path) -> None:
    write(tmp_path, "wbox-notify.yaml", CONTENTS["wbox-notify.yaml"][0])
    write(tmp_path, "rules/a.yaml", CONTENTS["rules/a.yaml"][1])
    write(tmp_path, "rules/b.yaml", CONTENTS["rules/b.yaml"][2])
    before = load(tmp_path, ENVIRON)
    write(tmp_path, "rules/b.yaml", "version: 1\nrules:\n" + rule("three"))
    after = load(tmp_path, ENVIRON, before=before.reading)
    assert [old is new for old, new in zip(before.rules, after.rules, strict=True)] == [True, True, False]
    assert after.outlets == {}


@pytest.mark.parametrize("edit", [("wbox-notify.yaml", 1), ("wbox-notify.yaml", 2), ("templates/t.j2", 1)])
def test_after_a_change_of_settings_people_or_templates_all_files_are_built_again(
    edit: tuple[str, int], tmp_path: Path
) -> None:
    write(tmp_path, "wbox-notify.yaml", CONTENTS["wbox-notify.yaml"][0])
    write(tmp_path, "rules/a.yaml", CONTENTS["rules/a.yaml"][1])
    before = load(tmp_path, ENVIRON)
    name, which = edit
    write(tmp_path, name, CONTENTS[name][which])
    after = load(tmp_path, ENVIRON, before=before.reading)
    assert [old is new for old, new in zip(before.rules, after.rules, strict=True)] == [False, False]


@pytest.mark.parametrize(
    "how",
    [{"via": "['json://ops.example']"}, {"path": "q", "proof": "secret: hook"}],
    ids=["outlet", "secret"],
)
def test_what_two_files_name_stays_when_one_of_them_does_not_name_it_any_more(
    how: dict[str, str], tmp_path: Path
) -> None:
    environ = {**ENVIRON, "WBOX_SECRET_HOOK": "s3cret-of-another-hook"}
    write(tmp_path, "wbox-notify.yaml", CONTENTS["wbox-notify.yaml"][0])
    write(tmp_path, "rules/a.yaml", "version: 1\nrules:\n" + rule("one", **how))
    write(tmp_path, "rules/b.yaml", "version: 1\nrules:\n" + rule("two", **how))
    before = load(tmp_path, environ)
    write(tmp_path, "rules/a.yaml", "version: 1\nrules:\n" + rule("one"))
    after = load(tmp_path, environ, before=before.reading)
    assert after.rules[1] is before.rules[1]
    assert (after.outlets, after.settings.secrets) == (before.outlets, before.settings.secrets)


def test_a_secret_that_has_another_value_or_is_there_at_last_is_found_in_a_file_that_is_as_it_was(
    tmp_path: Path,
) -> None:
    write(tmp_path, "wbox-notify.yaml", CONTENTS["wbox-notify.yaml"][0])
    write(tmp_path, "rules/a.yaml", "version: 1\nrules:\n" + rule("one", proof="secret: hook"))
    project = load(tmp_path, {})
    for value in ("the-first-s3cret", "the-second-s3cret"):
        environ = {"WBOX_SECRET_HOOK": value}
        project = load(tmp_path, environ, before=project.reading)
        assert shape(project) == shape(load(tmp_path, environ))
        assert project.settings.secrets == {"hook": value}
    assert load(tmp_path, {}, before=project.reading).rules == ()


def test_a_template_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    template = tmp_path / "templates" / "t.j2"
    write(tmp_path, "wbox-notify.yaml", CONTENTS["wbox-notify.yaml"][0])
    write(tmp_path, "rules/a.yaml", "version: 1\nrules:\n" + rule("one", send="{template: t.j2}"))
    write(tmp_path, "templates/t.j2", "Hi {{ body.x }}")
    before, status = load(tmp_path, ENVIRON), template.stat()
    template.write_text("Hi {{ body.y }}", encoding="utf-8")
    os.utime(template, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = load(tmp_path, ENVIRON, before=before.reading)
    assert shape(after) == shape(load(tmp_path, ENVIRON)) != shape(before)


def test_a_link_out_of_the_templates_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "templates/t.j2", "hi")
    (tmp_path / "templates" / "all").symlink_to(tmp_path)
    reading = load(tmp_path, ENVIRON).reading
    assert reading is not None
    assert [path for path, *_ in reading.ground.templates] == [str(tmp_path / "templates" / "t.j2")]
