"""The commands of the documentation: all of them exist, and who follows the first steps gets there."""

import re
import shlex
import shutil
from collections.abc import Iterator

import click
import pytest
from pages import PAGES, blocks, page
from workplace import Workplace, ended, until

from wbox_notify.cli import group
from wbox_notify.simulator import Simulator

SHELLS = ("console", "text", "ini", "dockerfile", "yaml")
ENDS = {"&&", "||", "|", ";", ">", ">>", "2>", "<", "&", "\\|"}


def calls(text: str) -> Iterator[list[str]]:
    """Return the words behind each call of the command in a text, as a shell would give them."""
    text = re.sub(
        r"(?<=-t|ec) wbox-notify\b", " NAME", text
    )  # of an image or a service: docker build -t, exec
    for call in re.findall(r"(?:^|[\s/=\"'(])wbox-notify ((?:[^\n\\]|\\\n)+)", text):
        lexer = shlex.shlex(call.replace("\\\n", ""), posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if word in ENDS:
                break
            words.append(word)
        yield words


def refusal(words: list[str]) -> str:
    """Return why there is no such command or option; what a call lacks or finds missing does not count."""
    command: click.Command = group
    context: click.Context | None = None
    while True:
        try:
            context = command.make_context(words[0] if words else "", words, parent=context)
        except (click.NoSuchOption, click.BadOptionUsage) as error:
            return error.format_message()
        except (click.UsageError, click.exceptions.Exit):
            return ""
        words = [*context._protected_args, *context.args]
        if not isinstance(command, click.Group) or not words:
            return ""
        try:
            _, found, words = command.resolve_command(context, words)
        except click.UsageError as error:
            return error.format_message()
        assert found is not None
        command = found


@pytest.mark.parametrize("name", PAGES)
def test_every_command_on_a_page_exists_with_its_options(name: str) -> None:
    prose = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
    spans = [span.replace("\n", " ") for span in re.findall(r"`(wbox-notify [^`]+)`", prose)]
    texts = [*spans, *(block for language in SHELLS for block in blocks(language, name))]
    found = [words for text in texts for words in calls(text) if "COMMAND" not in words]
    assert [(words, why) for words in found if (why := refusal(words))] == []


def test_a_command_or_an_option_that_does_not_exist_is_found() -> None:
    [first, second, third] = calls(
        "wbox-notify sent text\n$ wbox-notify -c x send text --loud me | cat\nwbox-notify run"
    )
    assert [bool(refusal(words)) for words in (first, second, third)] == [True, True, False]


def typed(name: str) -> list[str]:
    """Return the lines of a page that are to be typed, in order, without their remarks."""
    lines = "".join(blocks("console", name)).splitlines()
    return [re.sub(r"\s+#.*", "", line) for line in lines if line]


@pytest.mark.parametrize("name", ["docs/first-steps", "docs/first-steps.tr"])
def test_who_types_the_first_steps_gets_there(name: str, place: Workplace, wbox: Simulator) -> None:
    """Each line does what its page says; the simulator runs already, the daemon beside the rest."""
    init, enter, check, test, simulate, run, why_file, why_me, copy, plan, pair, send, again = typed(name)
    assert (init, enter) == ("wbox-notify init shop", "cd shop")
    assert (simulate, copy) == ("wbox-notify simulate", "cp -r . ../shop-new")
    assert run == f"WBOX_API_URL=http://127.0.0.1:8726 WBOX_API_KEY=sk_any {again}"

    def done(line: str) -> str:
        ran = place.run(*shlex.split(line.removeprefix("wbox-notify ")))
        assert (line, ran.returncode, ran.stderr) == (line, 0, "")
        return ran.stdout

    done(init)
    answers = place.card
    place.folder /= "shop"
    done(check)
    done(test)
    daemon = place.start("run")
    until(answers.exists)
    (place.folder / "drop" / "offer.pdf").write_text("x")
    assert "offer.pdf" in wbox.wait_for(1)[0]["body"]["message"]
    assert "offer.pdf" in done(why_file)
    assert "offer.pdf" in done(why_me)
    shutil.copytree(place.folder, place.folder.parent / "shop-new")
    done(plan)
    done(pair)
    done(send)
    assert wbox.wait_for(2)[1]["body"]["message"] == shlex.split(send)[-1]
    ended(daemon)
