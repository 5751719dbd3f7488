"""The texts that people read: the catalogues have them all, and commands speak the language of the reader."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
import requests
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from jinja2 import Environment
from rulebook import english_parts, project, rule_file
from texts import PACKAGE, as_po, paths, used
from workplace import TEXT_RULE, Workplace, ended, until

from wbox_notify.cli import main
from wbox_notify.cli.lines import coloured, decision
from wbox_notify.model.deliveries import State
from wbox_notify.model.events import Event
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.reasons import outcome
from wbox_notify.model.shown import subject
from wbox_notify.model.texts import Wording, language_of, spoken, translated, translation
from wbox_notify.simulator import Simulator

TEMPLATES = sorted(PACKAGE.rglob("*.html"))
SHOWN = {"alt", "aria-label", "placeholder", "title"}
"""The attributes whose value is shown or read out."""
NAMES_AND_COMMANDS = {"wbox", "data", "why", "body", "phone", "received"}
SAME_EVERYWHERE = {"wbox-notify", "YAML", "JSON", "HTTP", "ms"}


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def texts(message: Message) -> tuple[str, ...]:
    """Return the forms of a text: one, or those for one and for many."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def ids(catalog: Catalog) -> set[str | tuple[str, ...]]:
    return {_id(message) for message in catalog if message.id}


def _id(message: Message) -> str | tuple[str, ...]:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def facts(text: str) -> set[str]:
    """Return the names of what is filled into a text."""
    return {*re.findall(r"%\((\w+)\)", text), *re.findall(r"\{(\w+)(?:![rs])?(?::[^{}]*)?\}", text)}


@pytest.fixture(scope="module")
def source() -> Catalog:
    return used()


@pytest.fixture(scope="module", params=paths(), ids=lambda each: each[0])
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param[1])


def test_every_text_of_the_program_is_translated_and_no_other_one_is_kept(
    source: Catalog, path: Path
) -> None:
    catalog = catalogue(path)
    assert ids(catalog) == ids(source), "run `make texts`"
    assert [message.id for message in catalog if message.fuzzy and message.id] == []
    assert [message.id for message in catalog if message.id and not all(texts(message))] == []
    assert not catalog.obsolete


def test_a_translation_has_the_facts_of_its_text(path: Path) -> None:
    for message in catalogue(path):
        originals = [message.id] if isinstance(message.id, str) else message.id
        for original, text in zip(originals, texts(message), strict=True) if message.id else ():
            # A language may name the number where English says "a week".
            assert facts(text) in (facts(original), set().union(*map(facts, originals))), text


def test_the_file_that_the_program_reads_is_in_step_with_that_of_the_translators(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    assert {_id(message): texts(message) for message in compiled if message.id} == {
        _id(message): texts(message) for message in catalogue(path) if message.id
    }


def test_the_catalogue_is_as_make_texts_writes_it(path: Path) -> None:
    written = path.read_bytes().partition(b"\n#: ")[2]
    assert as_po(catalogue(path)).partition(b"\n#: ")[2] == written


class Bare(HTMLParser):
    """Collects the words of a page that are no translated text."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside.append(tag)
        for name, value in attrs:
            if name in SHOWN:
                self._add(value or "")

    def handle_endtag(self, tag: str) -> None:
        while tag in self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"code", "pre", "script", "style", "svg"} & {*self._inside}:
            self._add(data)

    def _add(self, text: str) -> None:
        without_names = re.sub(r"\S*(?:[\d/]|\.\w)\S*", "", text)
        words = re.findall(r"[A-Za-z][\w-]+", without_names)
        self.words += [word for word in words if word not in SAME_EVERYWHERE]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: f"{file.parent.parent.name}/{file.name}")
def test_a_template_has_no_words_but_those_that_are_translated(template: Path) -> None:
    page, inside = "", 0
    for _, kind, value in Environment(autoescape=True).lex(template.read_text("utf-8")):
        if kind in {"variable_begin", "block_begin"}:
            inside += 1
        elif kind in {"variable_end", "block_end"}:
            inside -= 1
            page += "_" if kind == "variable_end" else " "
        elif kind == "data" and not inside:
            page += value
    bare = Bare()
    bare.feed(re.sub(r"<(/?)_", r"<\1x", page))
    assert bare.words == []


def printed(node: ast.AST, *, inside: bool = False) -> Iterator[str]:
    """Yield the texts that a module of a command prints as they stand."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in {"_", "plural", "Wording"}:
            return
        if name in {"say", "style"}:
            for argument in node.args:
                yield from printed(argument, inside=True)
            return
    if inside and isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from printed(child, inside=inside)


@pytest.mark.parametrize("module", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda file: file.stem)
def test_a_command_prints_no_words_but_those_that_are_translated(module: Path) -> None:
    texts = printed(ast.parse(module.read_text("utf-8")))
    texts = [text for text in texts if not re.search(r"[/=]|^  (cp|echo) ", text)]
    words = [word for text in texts for word in re.findall("[A-Za-z]{3,}", text)]
    assert {*words} <= NAMES_AND_COMMANDS


@pytest.mark.parametrize("lang", ["en", "tr"])
def test_names_of_states_and_outcomes_take_as_much_room_as_the_longest(lang: str) -> None:
    before = spoken.set(lang)
    states = {len(click.unstyle(coloured(state))) for state in State}
    decisions = [click.unstyle(decision("", each, "")) for each in ("passed", "stopped", "waits", "failed")]
    spoken.reset(before)
    assert (len(states), len({line.index(":") for line in decisions})) == (1, 1)


@pytest.mark.parametrize("ended", Outcome)
def test_how_an_attempt_ended_is_told_in_the_language_of_the_reader(ended: Outcome) -> None:
    assert outcome(ended).to("tr") != outcome(ended)


def test_the_screens_of_a_project_in_turkish_are_in_turkish(place: Workplace, wbox: Simulator) -> None:
    place.rule("defaults: {lang: tr}\n", "wbox-notify.yaml")
    tests = "    tests: [{name: ad, when: {file: {name: a.txt, text: b}}, expect: {text: '%s'}}]\n"
    place.rule(TEXT_RULE + tests % "a.txt: b")
    assert "GEÇTİ  new-file: ad" in place.run("test").stdout
    wbox.fault(status=400)
    daemon = place.start("run")
    until(place.card.exists)
    assert requests.post(f"{place.url}/hook/nothing", timeout=10).status_code == 401
    (place.drop / "a.txt").write_text("b")
    until(lambda: "gönderilemedi" in place.run("queue", "list").stdout)
    told = place.run("why").stdout
    assert "mesaj: a.txt: b" in told
    assert "401, hiçbir kuralda bu yol yok" in told
    assert re.search(r"deneme 1  \S+ \S+  reddedildi  HTTP 400  \d+ ms", told)
    assert "1 gönderilemedi" in place.run("status").stdout
    assert "1 gönderilemedi" in place.run("queue", "counts").stdout
    ended(daemon)
    assert "0 eklendi, 0 kalktı, 0 değişti" in place.run("plan").stdout
    steps = place.run("install", "service", "--user", "--to", str(place.folder)).stdout
    assert steps.startswith("yazıldı: ")
    assert "Sırada:" in steps
    assert "    # oturumunuz kapalıyken de çalışsın diye" in steps


@pytest.mark.parametrize(
    ("environ", "lang"),
    [
        ({}, "en"),
        ({"LANG": "tr_TR.UTF-8"}, "tr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "tr_TR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "tr_TR.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "WBOX_LANG": "tr"}, "tr"),
    ],
)
def test_the_variables_of_the_shell_choose_the_language(environ: dict[str, str], lang: str) -> None:
    assert language_of(environ) == lang


@pytest.mark.parametrize(
    ("settings", "lang", "said"),
    [
        ("version: 1", "en_US.UTF-8", "error: there is no store yet at"),
        ("version: 1", "tr_TR.UTF-8", "henüz depo yok"),
        ("version: 1\ndefaults: {lang: tr}", "en_US.UTF-8", "henüz depo yok"),
        ("version: 1\ndefaults: {lang: en}", "tr_TR.UTF-8", "error: there is no store yet at"),
        ("version: 1\ndefaults: {lang: de}", "tr_TR.UTF-8", "error: there is no store yet at"),
    ],
)
def test_a_command_speaks_the_language_of_the_project_else_of_the_shell(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    settings: str,
    lang: str,
    said: str,
) -> None:
    (tmp_path / "wbox-notify.yaml").write_text(f"{settings}\n")
    monkeypatch.setenv("LANGUAGE", "")
    monkeypatch.setenv("LC_ALL", lang)
    monkeypatch.setenv("WBOX_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(SystemExit):
        main(["-c", str(tmp_path), "queue", "list"])
    assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["-c", str(tmp_path), "queue", "list", "--json"])
    assert '"message": "there is no store yet at' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "Kullanım: wbox-notify [OPTIONS] COMMAND [ARGS]..."),
        (["--help"], "check     Ayarları, kuralları ve şablonları denetler."),
        (["queue", "--help"], "drop     Gönderilmemiş gönderimleri iptal eder."),
        (["queue", "list", "--help"], "Yalnızca bu olayınkiler."),
        (["nonsense"], "Hata: 'nonsense' adında bir komut yok."),
        (["nonsense", "--json"], "No such command 'nonsense'."),
        (["queue", "drop"], "`queue list` içindeki numaraları verin"),
    ],
)
def test_the_help_of_commands_is_in_the_language_of_the_shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.setenv("LANGUAGE", "")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    with pytest.raises(SystemExit):
        main(words)
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def test_a_wording_is_english_as_it_stands_and_tells_itself_in_other_languages() -> None:
    inner = Wording("delivery {number}", number=7)
    outer = Wording("{error}, so the address of the daemon is unknown", error=inner)
    assert outer == "delivery 7, so the address of the daemon is unknown"
    assert outer.to("tr") == "gönderim 7; bu yüzden servisin adresi bilinmiyor"
    assert outer.to("de") == outer
    assert translated("move it away first", "tr") == "önce onu başka yere taşıyın"
    assert translated("no text of ours {x}", "tr") == "no text of ours {x}"


def test_what_a_reader_of_turkish_would_be_told_in_english_is_found_wherever_it_stands() -> None:
    told = Wording("unknown key `{name}`", name="in English")
    assert english_parts(told) == []
    assert english_parts("no text of ours") == ["no text of ours"]
    assert english_parts(Wording("{problem}; {hint}", problem=told, hint=Wording("nor {x}", x=1))) == [
        "nor {x}"
    ]


@pytest.mark.parametrize("condition", ["1h", "a b", "a.", "~", "a ~", "#", "f(", "[1, 2"])
def test_what_is_wrong_with_an_expression_is_told_in_turkish(tmp_path: Path, condition: str) -> None:
    rules = rule_file(f"if: {condition!r}\ntrigger: {{webhook: {{path: x, open: true}}}}")
    (problem,) = project(tmp_path, {"rules/a.yaml": rules}).problems
    assert problem.code == "WBX306"


def test_a_refused_call_and_what_was_done_to_a_message_are_told_in_turkish(
    place: Workplace, wbox: Simulator
) -> None:
    refused = Event(id="a", type="refused", at=datetime.now(UTC), data={"call": "/hook/x from 127.0.0.1"})
    assert subject(refused, "tr") == "/hook/x, gönderen: 127.0.0.1"
    wbox.unlink()
    queued = place.json("send", "text", "+905551234567", "x", "--wait", "0")["id"]
    assert place.run("queue", "drop", str(queued), WBOX_LANG="tr").stdout == f"silindi: {queued}\n"


def test_one_and_many_have_their_own_form_where_the_language_has_it() -> None:
    texts = translation("tr")
    assert texts.ngettext("{number} rule", "{number} rules", 2) == "{number} kural"
    assert translation("en").ngettext("{number} rule", "{number} rules", 2) == "{number} rules"
