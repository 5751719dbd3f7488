"""What a start does not do: it would take time, and most never need it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from workplace import TEXT_RULE, Workplace

from wbox_notify.simulator import Simulator

COUNTED = """
import sys
def counted(function, name, each):
    calls = []
    def look(frame, kind, _arg):
        if kind == "call" and frame.f_code.co_name == name:
            calls.append(each(frame.f_locals))
    sys.setprofile(look)
    function()
    sys.setprofile(None)
    return calls
"""


def python(script: str, folder: Path) -> list[str]:
    command = [sys.executable, "-c", COUNTED + script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split()


def test_the_code_of_the_daemon_brings_no_library_that_few_need(tmp_path: Path) -> None:
    modules = python("import wbox_notify.cli.run; print(*sys.modules)", tmp_path)
    rare = {"apprise", "babel", "holidays", "icalendar", "minio", "openpyxl", "PIL", "psycopg", "segno"}
    assert rare & set(modules) == set()


def test_a_message_is_sent_by_hand_without_the_language_of_rules(place: Workplace, wbox: Simulator) -> None:
    """Whose number it is may stand beside rules, which nobody reads here: with a mistake they are as good."""
    people = "contacts: {ayse: '+90 555 123 45 67'}"
    place.rule(f"version: 1\n{people}\nrules: [{{id: x, nonsense: true}}]\n")
    script = """
import sys
from wbox_notify.cli import main
try:
    main(["send", "text", "ayse", "hello"])
finally:
    print(*sys.modules)
"""
    command = [sys.executable, "-c", script]
    ran = subprocess.run(
        command, cwd=place.folder, env=place.environment, capture_output=True, text=True, check=True
    )
    brought = {"jinja2", "wbox_notify.templates", "wbox_notify.rules.compile", "wbox_notify.engine"}
    assert brought & set(ran.stdout.split()) == set()
    assert [message["body"]["message"] for message in wbox.messages()] == ["hello"]


def test_reading_rules_makes_the_model_of_a_rule_ready_once(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(TEXT_RULE)
    script = """
from pathlib import Path
from wbox_notify.rules.loading import load
print(*counted(lambda: load(Path(), {}), "_model_schema", lambda names: names["cls"].__name__))
"""
    made = Counter(python(script, tmp_path))
    assert (made["RuleFile"], made["RuleTestSpec"]) == (1, 1)


def test_the_pages_behind_links_are_compiled_when_somebody_opens_one(tmp_path: Path) -> None:
    script = """
import jinja2.environment
from wbox_notify.web.signed_pages import signed_page_routes
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import Limits
routes = lambda: signed_page_routes(None, None, b"", Limits(), Refusals())
print(*counted(routes, "_load_template", lambda names: names["name"]))
"""
    assert python(script, tmp_path) == []
