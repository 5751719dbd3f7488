"""Completion in a shell, by the protocol of click: commands, rules, people, events and messages."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from workplace import Workplace

from wbox_notify.cli import COMMANDS, group
from wbox_notify.simulator import Simulator

RULES = """
version: 1
contacts: {ayse: "+90 555 123 45 67"}
groups: {admins: [ayse]}
rules:
  - id: disk-full
    trigger: {webhook: {path: disk, open: true}}
    to: ayse
    send: {text: full}
  - id: invoice
    trigger: {webhook: {path: invoice, open: true}}
    to: ayse
    send: {text: new}
"""
Completed = Callable[..., list[str]]


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Completed]:
    """What is offered for the last of some words, in a project with one message that was sent."""
    with Simulator() as wbox, pytest.MonkeyPatch.context() as patch:
        place = Workplace(tmp_path_factory.mktemp("completion") / "project", wbox)
        place.rule(RULES)
        for name, value in {**place.environment, "WBOX_CONFIG": str(place.folder)}.items():
            patch.setenv(name, value)
        sent = CliRunner().invoke(group, ["send", "text", "ayse", "hello"], standalone_mode=False)
        assert sent.return_value == 0

        def offered(*words: str) -> list[str]:
            complete = ShellComplete(group, {}, "wbox-notify", "_WBOX_NOTIFY_COMPLETE")
            return [item.value for item in complete.get_completions([*words[:-1]], words[-1])]

        yield offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["si"], ["simulate", "silence"]),
        (["trigger", ""], ["disk-full", "invoice"]),
        (["trigger", "inv"], ["invoice"]),
        (["ack", "d"], ["disk-full"]),
        (["silence", "d"], ["disk-full"]),
        (["log", "--rule", "i"], ["invoice"]),
        (["log", "--to", ""], ["ayse", "admins"]),
        (["send", "text", "ad"], ["admins"]),
        (["queue", "list", "--rule", "disk"], ["disk-full"]),
        (["queue", "retry", ""], []),
        (["show", ""], ["1"]),
        (["why", "in"], ["invoice"]),
        (["log", "--fo"], ["--follow"]),
        (["-c", "/nowhere", "trigger", ""], []),
    ],
    ids=" ".join,
)
def test_what_is_typed_is_completed(completed: Completed, words: list[str], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_events_are_completed_by_their_ids(completed: Completed) -> None:
    [event] = completed("replay", "send:")
    assert event in completed("why", event[:8])


def test_all_commands_are_offered(completed: Completed) -> None:
    assert completed("") == list(COMMANDS)


@pytest.mark.usefixtures("completed")
def test_bash_asks_the_command_for_the_words(tmp_path: Path) -> None:
    command = tmp_path / "wbox-notify"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m wbox_notify "$@"\n')
    command.chmod(0o700)
    script = """
    PATH=$1:$PATH
    eval "$(_WBOX_NOTIFY_COMPLETE=bash_source wbox-notify)"
    COMP_WORDS=(wbox-notify trigger inv) COMP_CWORD=2
    _wbox_notify_completion wbox-notify
    echo "${COMPREPLY[@]}"
    """
    ran = subprocess.run(
        ["bash", "-c", script, "bash", str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ran.stdout, ran.stderr) == ("invoice\n", "")
