"""What belongs to the daemon: it is in one list, and no rule reads, sends or moves it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rulebook import rule_file

from wbox_notify.config.own import own
from wbox_notify.daemon.archive import Destination, folder_of
from wbox_notify.daemon.file_intake import watches
from wbox_notify.media import MediaError
from wbox_notify.media.ingest import opened
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState
from wbox_notify.rules.check import check
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project
from wbox_notify.rules.triggers import FileTrigger
from wbox_notify.templates import Template
from wbox_notify.triggers.file.scanner import Scanner
from wbox_notify.triggers.health import HealthReporter

SETTINGS = """\
version: 1
wbox: {api_key_file: api.key}
secrets: {hook: {file: in/hook.secret}, gone: {file: in/gone.secret}}
store: sqlite:///in/q.db
media: {static: {folder: web, url: "https://files.example.com"}}
"""
OURS = [
    "api.key",
    "in/hook.secret",
    "in/gone.secret",
    "in/q.db",
    "in/q.db-wal",
    "in/q.db-shm",
    "in/q.db-journal",
    "in/q.db.lock",
    "in/env.key",
    "in/credentials/wbox_api_key",
    "data/link.key",
    "data/daemon.json",
    "data/media/spool.db",
    "wbox-notify.yaml",
]
RULE = 'trigger: {{file: {{path: "{path}"{more}}}}}\nsend: {send}'


def place(folder: Path, path: str = ".", more: str = "", send: str = "{text: hi}") -> Project:
    """Return a project with all that is ours in it, and one rule."""
    for name in (
        *OURS,
        "in/q.dbx",
        "in/a.txt",
        "web/a.txt",
        "linked/a.txt",
        "rules/a.yaml",
        "templates/a.j2",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("sk_0123456789abcdef" if name.endswith("key") else "secret-0123456789")
        (folder / name).chmod(0o600)
    (folder / "wbox-notify.yaml").write_text(SETTINGS)
    (folder / "rules" / "a.yaml").write_text(rule_file(RULE.format(path=path, more=more, send=send)))
    return load(
        folder,
        {
            "WBOX_DATA_DIR": str(folder / "data"),
            "WBOX_API_KEY": "sk_0123456789abcdef",
            "WBOX_API_KEY_FILE": str(folder / "in" / "env.key"),
            "CREDENTIALS_DIRECTORY": str(folder / "in" / "credentials"),
        },
    )


def found_by(project: Project) -> list[str]:
    listing = Scanner(watches(project), HealthReporter(lambda _: None), clock=lambda: 0.0, going=lambda: True)
    return sorted(os.path.relpath(one.path, project.settings.folder) for one in listing.find(()))


def told(project: Project) -> list[tuple[str, str, str]]:
    return [
        (problem.severity, problem.code, problem.message)
        for problem in check(project)
        if problem.code in {"WBX334", "WBX360", "WBX361"}
    ]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("way", ["{}", "in/../{}", "link/{}"])
def test_nothing_of_it_is_sent_whoever_asks(tmp_path: Path, name: str, way: str) -> None:
    settings = place(tmp_path).settings
    (tmp_path / "link").symlink_to(tmp_path)
    path = tmp_path / way.format(name)
    for roots in (None, [tmp_path]):
        with pytest.raises(MediaError, match="belongs to the daemon"), opened(path, roots, settings.own):
            pass
    with opened(tmp_path / "in" / "a.txt", None, settings.own) as descriptor:
        assert os.read(descriptor, 9) == b"secret-01"


def test_nothing_of_it_is_reported_though_a_rule_watches_all_of_it(tmp_path: Path) -> None:
    others = ["in/a.txt", "in/q.dbx", "linked/a.txt", "rules/a.yaml", "templates/a.j2"]
    assert found_by(place(tmp_path)) == others, "what is put into a static folder would be sent again"
    (tmp_path / "link").symlink_to(tmp_path)
    assert found_by(place(tmp_path, "link")) == [f"link/{name}" for name in others]
    for path in ("data", "data/media", "in/credentials", "in/q.db.lock"):
        assert found_by(place(tmp_path, path)) == []


def test_a_second_name_of_it_is_not_reported_either(tmp_path: Path) -> None:
    place(tmp_path)
    for number, name in enumerate(("api.key", "in/hook.secret", "in/q.db", "data/link.key", "linked/a.txt")):
        os.link(tmp_path / name, tmp_path / "web" / f"{number}.pdf")
    settings = SETTINGS.partition("media:")[0]
    (tmp_path / "wbox-notify.yaml").write_text(settings)
    project = load(tmp_path, {"WBOX_DATA_DIR": str(tmp_path / "data")})
    assert [name for name in found_by(project) if name.startswith("web")] == ["web/4.pdf", "web/a.txt"]


def test_where_links_lead_is_asked_anew_each_time(tmp_path: Path) -> None:
    key, there = tmp_path / "key", tmp_path / "there"
    there.write_text("x")
    list_of_ours = own(tmp_path / "p", tmp_path / "d", "sqlite:////s", [key])
    assert list_of_ours.at(there) is None
    key.symlink_to(there)
    assert list_of_ours.at(there)
    key.unlink()
    key.symlink_to(key)
    assert list_of_ours.at(there) is None, "a link that goes round in circles leads nowhere"


@pytest.mark.parametrize("target", ["data", "rules", "templates/sub", "in/credentials", "link"])
def test_no_file_is_put_among_it(tmp_path: Path, target: str) -> None:
    project = place(tmp_path / "p", ".", f', done: "{target}", match: "in/*.txt"')
    (tmp_path / "p" / "link").symlink_to("rules")
    [rule] = project.rules
    [trigger] = rule.triggers
    assert isinstance(trigger, FileTrigger)
    assert isinstance(trigger.done, Template)
    data = {"path": f"{tmp_path}/p/in/a.txt", "name": "a.txt"}
    event = Event(id="e", type="file", at=datetime.now(UTC), data=data)
    with pytest.raises(Exception, match="belongs to the daemon"):
        folder_of(project, Destination(FileState.DONE, rule, trigger, trigger.done), trigger.done, event)
    assert [one[:2] for one in told(project)] == [("error", "WBX361")]


@pytest.mark.parametrize(
    ("path", "more", "send", "problem"),
    [
        ("in", ', match: "*.txt"', "{text: a}", None),
        (".", ', match: "in/*.txt"', "{text: a}", None),
        (
            "in",
            "",
            "{text: a}",
            ("error", "WBX360", "watches: hook.secret, gone.secret, cred"),
        ),
        ("in", ', match: "q*"', "{text: a}", ("warning", "WBX360", "are ignored: q.db, q.db-wal, q.")),
        ("data", "", "{text: a}", ("warning", "WBX334", "so nothing in it is ever reported")),
        (
            "web",
            "",
            '{media: {file: "./{{ file.name }}"}}',
            ("error", "WBX360", "names: in/hook"),
        ),
        ("web", "", "{media: {file: ./api.key}}", ("error", "WBX361", "and is never sent")),
        ("web", "", '{media: {file: "data/{{ file.name }}"}}', ("error", "WBX361", "and is never sent")),
        ("web", "", '{media: {file: "linked/{{ file.name }}"}}', None),
        ("web", ', failed: "./data/{{ file.stem }}"', "{text: a}", None),
        (
            "web",
            ', failed: "../data/{{ file.stem }}"',
            "{text: a}",
            ("error", "WBX361", "no file is put"),
        ),
    ],
)
def test_check_says_where_a_rule_reaches_for_it(
    tmp_path: Path, path: str, more: str, send: str, problem: tuple[str, str, str] | None
) -> None:
    found = told(place(tmp_path, path, more, send))
    if problem is None:
        assert found == []
    else:
        [(severity, code, message)] = found
        assert (severity, code) == problem[:2]
        assert problem[2] in message


def test_settings_alone_below_what_a_rule_names_are_a_warning(tmp_path: Path) -> None:
    text = 'trigger: {webhook: {path: x, open: true}}\nsend: {media: {file: "./{{ body }}"}}'
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(rule_file(text))
    [(severity, code, message)] = told(
        load(tmp_path, {"WBOX_DATA_DIR": "/nowhere", "WBOX_PUBLIC_URL": "https://a.example"})
    )
    assert (severity, code) == ("warning", "WBX360")
    assert message.endswith("are ignored: wbox-notify.yaml")


def test_a_key_among_the_templates_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "key").write_text("sk_0123456789abcdef")
    (tmp_path / "templates" / "key").chmod(0o600)
    (tmp_path / "wbox-notify.yaml").write_text("wbox: {api_key_file: templates/key}")
    for send in ("{template: key}", "{text: \"{% include 'key' %}\"}"):
        (tmp_path / "rules" / "a.yaml").write_text(rule_file(f"send: {send}"))
        problems = [one for one in load(tmp_path, {}).problems if one.severity == "error"]
        assert [one.code for one in problems] == ["WBX306"]
        assert "holds a key or a secret" in problems[0].message
