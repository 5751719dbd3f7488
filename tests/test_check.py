"""Check: what a look at the disk adds, and a rule in one line."""

import os
from pathlib import Path

import pytest
from rulebook import untold

from wbox_notify.config.yaml.problems import Problem
from wbox_notify.rules.check import check
from wbox_notify.rules.loading import load
from wbox_notify.rules.summary import summary

RULE = """\
version: 1
rules:
  - id: a
    trigger:
      file: {{match: "*.pdf", path: {path}}}
    to: "+905551112233"
    send: {send}
    tests: [{{name: t, when: {{file: {{}}}}, expect: []}}]
"""


def checked(folder: Path, path: str, send: str = "{text: hi}") -> list[Problem]:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "a.yaml").write_text(RULE.format(path=path, send=send), encoding="utf-8")
    problems = check(load(folder, {}))
    assert untold(problems) == []
    return problems


def warning(problems: list[Problem]) -> tuple[str, int, int, str]:
    (problem,) = problems
    assert (problem.severity, problem.file) == ("warning", "rules/a.yaml")
    return problem.code, problem.line, problem.column, problem.message


def test_a_folder_that_is_there_gives_no_problem(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir(mode=0o755)
    assert checked(tmp_path, "drop") == []


def test_a_missing_folder_is_a_warning_at_its_path(tmp_path: Path) -> None:
    problems = checked(tmp_path, "drop")
    assert warning(problems) == ("WBX310", 5, 36, f"the folder {tmp_path}/drop does not exist yet")
    assert problems[0].end_column == 40
    assert problems[0].hint == f"mkdir -p {tmp_path}/drop"


def test_a_folder_below_a_file_is_missing_too(tmp_path: Path) -> None:
    (tmp_path / "drop").touch()
    assert warning(checked(tmp_path, "drop/in"))[0] == "WBX310"


def test_a_file_in_place_of_the_folder_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "drop").touch()
    assert warning(checked(tmp_path, "drop")) == ("WBX312", 5, 36, f"{tmp_path}/drop is not a folder")


def test_a_folder_that_can_not_be_looked_at_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "drop").symlink_to("drop")
    code, _, _, message = warning(checked(tmp_path, "drop"))
    assert code == "WBX312"
    assert "cannot be accessed" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_can_not_be_read_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir(mode=0o300)
    assert warning(checked(tmp_path, "drop")) == (
        "WBX312",
        5,
        36,
        f"the folder {tmp_path}/drop cannot be read",
    )


def test_a_folder_that_everybody_can_write_to_is_a_warning(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    drop.chmod(0o777)
    problems = checked(tmp_path, "drop")
    assert warning(problems)[:3] == ("WBX315", 5, 36)
    assert problems[0].hint == f"chmod o-w {drop}, or chmod +t {drop}"
    drop.chmod(0o1777)
    assert checked(tmp_path, "drop") == []


@pytest.mark.parametrize(
    ("name", "hint"), [("empty", "rules/*.yaml"), ("rules", "the project is the folder above")]
)
def test_a_folder_without_rules_is_an_error(tmp_path: Path, name: str, hint: str) -> None:
    (tmp_path / name).mkdir()
    (problem,) = check(load(tmp_path / name, {}))
    assert (problem.code, problem.severity, problem.message) == ("WBX353", "error", "there are no rules here")
    assert hint in (problem.hint or "")


def test_settings_under_another_name_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir(mode=0o755)
    (tmp_path / "wbox-notify.yml").write_text("listen: nowhere\n")
    (problem,) = checked(tmp_path, "drop")
    assert (problem.file, problem.code, problem.severity) == ("wbox-notify.yml", "WBX356", "warning")


def test_a_file_in_place_of_the_folder_for_what_is_done_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir(mode=0o755)
    (tmp_path / "drop" / "done").touch()
    (problem,) = checked(tmp_path, "drop, done: done/2026")
    assert (problem.code, problem.severity) == ("WBX351", "warning")
    assert problem.message == f"{tmp_path}/drop/done is a file, not a folder"
    assert checked(tmp_path, "drop, done: '{{ file.stem }}/'") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write every folder")
def test_a_folder_that_files_can_not_be_moved_out_of_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir(mode=0o555)
    problems = checked(tmp_path, "drop, done: ../done")
    assert [problem.message for problem in problems] == [f"files cannot be moved out of {tmp_path}/drop"]


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://localhost/a.jpg", True),
        ("http://LOCALHOST:8080/a.jpg", True),
        ("http://127.0.0.1/a.jpg", True),
        ("http://192.168.1.5/a.jpg", True),
        ("http://10.0.0.1/a.jpg", True),
        ("http://169.254.1.1/a.jpg", True),
        ("http://[::1]/a.jpg", True),
        ("http://169.254.169.254/latest", True),
        ("http://2130706433/a.jpg", True),
        ("http://0x7f.1/a.jpg", True),
        ("http://127.1/a.jpg", True),
        ("http://0/a.jpg", True),
        ("http://[::ffff:10.0.0.1]/a.jpg", True),
        ("http://[2002:7f00:1::]/a.jpg", True),
        ("http://224.0.0.1/a.jpg", True),
        ("http://[fe80::1]/a.jpg", True),
        ("http://nas/a.jpg", True),
        ("http://nas.local/a.jpg", True),
        ("http://nas.home.arpa./a.jpg", True),
        ("https://example.com/a.jpg", False),
        ("https://8.8.8.8/a.jpg", False),
        ("https://[2001:4860:4860::8888]/a.jpg", False),
        ("http://localhost/{{ file.name }}", False),
    ],
)
def test_U11_a_picture_that_only_the_own_network_has_is_refused(
    tmp_path: Path,
    url: str,
    inside: bool,  # noqa: FBT001 - a column of the table
) -> None:
    (tmp_path / "drop").mkdir(mode=0o755)
    problems = checked(tmp_path, "drop", f'[{{text: hi}}, {{media: {{url: "{url}"}}}}]')
    found = [(one.severity, one.code, one.line, one.column, one.message) for one in problems]
    refused = ("error", "WBX313", 7, 38, "this cannot be fetched from outside of your network")
    assert found == ([refused] if inside else [])


def test_what_loading_found_comes_first_and_all_is_in_order(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "b.yaml").write_text("version: 1\nrules: # none yet\n", encoding="utf-8")
    (tmp_path / "rules" / "c.yaml").write_text("version: 1\nrule: []\n", encoding="utf-8")
    problems = checked(tmp_path, "drop")
    assert [(problem.file, problem.line, problem.code) for problem in problems] == [
        ("rules/a.yaml", 5, "WBX310"),
        ("rules/b.yaml", 1, "WBX314"),
        ("rules/c.yaml", 2, "WBX210"),
    ]


def test_a_contact_that_nobody_uses_is_fine(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir(mode=0o755)
    (tmp_path / "wbox-notify.yaml").write_text(
        'contacts: {a: "+905551112233"}\ngroups: {b: a}\n', encoding="utf-8"
    )
    assert checked(tmp_path, "drop") == []


HOOK = """\
version: 1
rules:
  - id: a
    trigger: {webhook: {path: x, SECURITY}}
    to: "+905551112233"
    send: SEND
"""


def lint(folder: Path, rules: str, settings: str = "", **environ: str) -> list[tuple[str, int, str]]:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "a.yaml").write_text(rules, encoding="utf-8")
    (folder / "wbox-notify.yaml").write_text(settings, encoding="utf-8")
    problems = check(load(folder, environ))
    assert {problem.severity for problem in problems} <= {"warning"}
    assert untold(problems) == []
    return [(problem.code, problem.line, problem.message) for problem in problems]


def hook(security: str = "open: true", send: str = "{text: a}") -> str:
    return HOOK.replace("SECURITY", security).replace("SEND", send)


TEST = "    tests: [{name: t, when: {webhook: {}}, expect: []}]\n"


def test_rules_without_a_test_are_one_warning_for_each_file(tmp_path: Path) -> None:
    assert lint(tmp_path, hook()) == [("WBX330", 3, "`a` has no test")]
    more = hook() + hook().split("rules:\n")[1].replace("id: a", "id: b").replace("path: x", "path: y")
    assert lint(tmp_path, more) == [("WBX330", 3, "no test: a, b")]
    assert lint(tmp_path, hook() + TEST) == []


def test_a_short_secret_is_a_warning_that_does_not_show_it(tmp_path: Path) -> None:
    short = lint(tmp_path, hook("secret: k") + TEST, WBOX_SECRET_K="canary")
    assert short == [("WBX332", 4, "a secret of the path `x` is short enough to be guessed")]
    assert lint(tmp_path, hook("secret: k") + TEST, WBOX_SECRET_K="canary" * 8) == []


def test_a_link_that_no_phone_can_open_is_a_warning(tmp_path: Path) -> None:
    rules = hook(send='{text: "{{ ack_url }}"}') + TEST
    assert [code for code, _, _ in lint(tmp_path, rules)] == ["WBX333"]
    assert [code for code, _, _ in lint(tmp_path, rules, "public_url: https://192.168.1.5")] == ["WBX333"]
    assert lint(tmp_path, rules, "public_url: https://notify.example.com") == []


def test_a_file_that_wbox_can_not_fetch_from_here_is_a_warning(tmp_path: Path) -> None:
    step = "    escalate: {after: 1m, to: '+905551112233', send: {media: {file: /srv/a.jpg}}}\n"
    inside = lint(tmp_path, hook() + TEST + step, "public_url: https://192.168.1.5")
    assert inside == [("WBX341", 8, "wbox cannot fetch a file from https://192.168.1.5")]
    assert lint(tmp_path, hook() + TEST + step, "public_url: https://notify.example.com") == []
    static = f"media: {{static: {{folder: {tmp_path}/gone, url: https://files.example.com}}}}"
    assert [code for code, _, _ in lint(tmp_path, hook() + TEST + step, static)] == ["WBX342"]


def test_the_folder_of_what_is_awaited_is_looked_at_too(tmp_path: Path) -> None:
    rules = hook().replace(
        "{webhook: {path: x, open: true}}",
        "[{schedule: '09:00'}, {missing: {of: {file: {path: gone}}, by: '07:00', window: 1h}}]",
    )
    assert [(code, line) for code, line, _ in lint(tmp_path, rules + TEST)] == [("WBX310", 4)]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("", "file /srv/in *.pdf -> text to 1 number"),
        ('to: ["+905551112233", 905551112244]', "file /srv/in *.pdf -> text to 2 numbers"),
        ('to: "{{ file.stem }}"', "file /srv/in *.pdf -> text to {{ file.stem }}"),
        (
            'to: ["+905551112233", "{{ file.stem }}"]\nsend: [{text: a}, {template: a.j2}]',
            "file /srv/in *.pdf -> text, text to 1 number, {{ file.stem }}",
        ),
        ('trigger: {file: {path: /srv/in, match: ["*.a", b]}}', "file /srv/in *.a, b -> text to 1 number"),
        ("trigger: {webhook: {path: x, open: true}}", "webhook /hook/x (open) -> text to 1 number"),
        (
            "trigger: {webhook: {path: x, secret: hook, verify: {scheme: hmac, header: X, algorithm: sha1}}}",
            "webhook /hook/x (SHA-1, no signed time) -> text to 1 number",
        ),
        ("trigger: {webhook: {path: x, secret: hook}}", "webhook /hook/x -> text to 1 number"),
        (
            "trigger: {schedule: Mon-Fri 09:00}",
            "schedule Monday to Friday at 09:00 -> text to 1 number",
        ),
        (
            "trigger: [{schedule: {every: 1h}}, {webhook: {path: x, open: true}}]",
            "schedule every 1h or webhook /hook/x (open) -> text to 1 number",
        ),
        (
            'trigger: {missing: {of: {file: {path: /srv/b}}, by: "07:00", window: 1h}}',
            "missing file /srv/b **/* (deadline: every day at 07:00) -> text to 1 number",
        ),
    ],
)
def test_a_rule_in_one_line(tmp_path: Path, lines: str, line: str) -> None:
    parts = {
        "trigger": '{file: {path: /srv/in, match: "*.pdf"}}',
        "to": '"+905551112233"',
        "send": "{text: a}",
    }
    parts |= dict(text.split(": ", 1) for text in lines.splitlines())
    body = "".join(f"    {key}: {value}\n" for key, value in parts.items())
    (tmp_path / "rules").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.j2").write_text("{{ file.name }}", encoding="utf-8")
    (tmp_path / "rules" / "a.yaml").write_text(f"version: 1\nrules:\n  - id: a\n{body}", encoding="utf-8")
    (rule,) = load(tmp_path, {"WBOX_SECRET_HOOK": "a secret of more than 24 bytes"}).rules
    assert summary(rule) == line


RELAY = """\
version: 1
contacts: {{me: "+905551112244", boss: "+905551112255"}}
rules:
  - id: a
    trigger: {{webhook: {{path: x, {door}}}}}
    {for_each}
    to: {to}
    send: {{text: hi}}
    escalate: {{after: 1h, to: {boss}, send: {{text: hi}}}}
    tests: [{{name: t, when: {{webhook: {{}}}}, expect: []}}]
"""


def relays(folder: Path, **changed: str) -> list[tuple[str, int, str]]:
    parts = {"door": "open: true", "for_each": "", "to": "me", "boss": "boss"} | changed
    (folder / "rules").mkdir()
    (folder / "rules" / "a.yaml").write_text(RELAY.format(**parts), encoding="utf-8")
    found = check(load(folder, {"WBOX_SECRET_HOOK": "a secret of more than 24 bytes"}))
    return [(one.code, one.line, one.message) for one in found]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"to": '"{{ body.phone }}"'}, 7),
        ({"to": '[me, "{{ query.to }}"]'}, 7),
        ({"to": "\"{{ headers['x-to'] if body.x else 'me' }}\""}, 7),
        ({"to": '"{% for one in body.to %}{{ one }},{% endfor %}"'}, 7),
        ({"to": '"{{ one.phone }}"', "for_each": "for_each: {one: body.people}"}, 7),
        ({"boss": '"{{ body.phone }}"'}, 9),
        ({"to": '"{{ alert.labels.phone }}"', "door": "open: true, preset: grafana"}, 7),
    ],
)
def test_an_open_hook_whose_callers_choose_the_recipients_is_a_warning(
    tmp_path: Path, changed: dict[str, str], line: int
) -> None:
    message = "anybody who calls the path `x` can choose who gets a message"
    assert relays(tmp_path, **changed) == [("WBX350", line, message)]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"to": '"{{ body.phone }}"', "door": "secret: hook"},
        {"to": "\"{{ 'boss' if body.severity == 'critical' else 'me' }}\""},
        {"to": '"{% if body.severity %}boss{% else %}me{% endif %}"'},
    ],
)
def test_who_only_looks_at_a_call_does_not_let_it_choose(tmp_path: Path, changed: dict[str, str]) -> None:
    assert relays(tmp_path, **changed) == []


@pytest.mark.parametrize(
    ("listen", "codes"),
    [
        ("127.0.0.1:1", []),
        ("localhost:1", []),
        ("[::1]:1", []),
        ("0.0.0.0:1", ["WBX335"]),
    ],
)
def test_a_door_that_is_open_to_other_machines_is_a_warning(
    tmp_path: Path, listen: str, codes: list[str]
) -> None:
    found = lint(tmp_path, hook() + TEST, f'listen: "{listen}"')
    assert [code for code, _, _ in found] == codes


def test_an_open_hook_that_takes_get_is_a_warning(tmp_path: Path) -> None:
    found = lint(tmp_path, hook("open: true, methods: [POST, GET]") + TEST)
    assert found == [("WBX364", 4, "whatever opens the address, such as a preview, calls the path `x`")]
    assert lint(tmp_path, hook("open: true, methods: [POST]") + TEST) == []
    guarded = hook("secret: k, verify: {scheme: query}, methods: GET") + TEST
    assert lint(tmp_path, guarded, WBOX_SECRET_K="canary" * 8) == []


def test_a_rule_that_watches_the_daemons_own_folder_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "data" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for path in ("data", "data/below", "link"):
        (tmp_path / "rules").mkdir(exist_ok=True)
        (tmp_path / "rules" / "a.yaml").write_text(RULE.format(path=path, send="{text: hi}"))
        found = check(load(tmp_path, {"WBOX_DATA_DIR": str(tmp_path / "data")}))
        assert warning(found)[0] == "WBX334"
