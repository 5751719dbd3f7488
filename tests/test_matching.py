"""Which files a rule takes: endings, accents, names that are passed over, and what is said of the others."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import project, rule_file
from test_afterwards import House
from workplace import Workplace

from wbox_notify.config.yaml.problems import Problem, errors
from wbox_notify.daemon.preview import preview
from wbox_notify.rules.check import check
from wbox_notify.rules.patterns import PASSED_OVER, Matching
from wbox_notify.rules.triggers import FileTrigger, Nearness


@pytest.mark.parametrize(
    ("glob", "name", "taken"),
    [
        ("*.pdf", "A.PDF", True),
        ("*.pdf", "a.Pdf", True),
        ("*.PDF", "a.pdf", True),
        ("*.jp[e-g]", "a.JPG", True),
        ("*.t?f", "a.TIF", True),
        ("INV-*.pdf", "INV-1.PDF", True),
        ("INV-*.pdf", "inv-1.pdf", False),
        ("README", "readme", False),
        ("In/*.pdf", "In/a.PDF", True),
        ("In/*.pdf", "in/a.pdf", False),
        ("*.tar.gz", "a.tar.GZ", True),
    ],
)
def test_an_ending_is_taken_in_any_case_and_the_name_before_it_is_not(
    glob: str, name: str, *, taken: bool
) -> None:
    assert Matching((glob,)).takes(name) is taken


def test_where_case_is_exact_an_ending_is_too(tmp_path: Path) -> None:
    assert not Matching(("*.pdf",), exact=True).takes("a.PDF")
    found = project(
        tmp_path, {"rules/a.yaml": rule_file("trigger: {file: {path: in, match: '*.pdf', case: exact}}")}
    )
    assert found.rules[0].trigger_of(f"{tmp_path}/in/a.pdf")
    assert not found.rules[0].trigger_of(f"{tmp_path}/in/a.PDF")


def test_what_is_ignored_by_its_ending_is_ignored_in_any_case() -> None:
    assert not Matching(("*",), ("*.log",)).takes("a.LOG")
    assert Matching(("*",), ("*.log",), exact=True).takes("a.LOG")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_F17_a_name_matches_however_its_accents_are_written(form: str, written: str) -> None:
    name = unicodedata.normalize(form, "Erträge_2018.pdf")  # type: ignore[arg-type] # a name of a form
    glob = unicodedata.normalize(written, "Erträge*.pdf")  # type: ignore[arg-type] # the same
    assert Matching((glob,)).takes(name)
    assert not Matching(("*",), (glob,)).takes(name)


TEMPORARY = (
    *(
        "a.PART",
        "a.TMP",
        "a.CrDownload",
        "a.partial",
        "a.opdownload",
        "a.download/x",
        "a.aria2",
        "a.!qB",
        "a.!ut",
    ),
    *("a.bc!", "a.xltd", "a.temp", "a.icloud", "a.drivedownload", "a.driveupload", "a.gstmp", "a.uploading"),
    *("a.lock", "a.LCK", "a.odt#", "#a#", "a.kate-swp", "a.sync-conflict-20261129-101112-ABCDEFG.pdf", "a~"),
    *("thumbs.db", "Desktop.ini", "Icon\r", "@eaDir/a", "#recycle/a.pdf", "$RECYCLE.BIN/a", "@Recycle/a"),
    *("System Volume Information/a", "lost+found/a", "RECYCLER/a", ".git/a", "~$a.docx"),
)


@pytest.mark.parametrize("name", TEMPORARY)
def test_F11_unfinished_names_bins_and_what_systems_leave_are_passed_over_in_any_case(name: str) -> None:
    assert not Matching(("**/*",)).takes(name)
    assert not Matching(("**/*",)).takes(f"in/{name}")


@pytest.mark.parametrize(
    "name", ["a.pdf", "C#/a.pdf", "recycle/a", "sediments", "db.bak", "a.part.pdf", "a#b"]
)
def test_finished_names_are_not_passed_over(name: str) -> None:
    assert Matching(("**/*",)).takes(name)


@pytest.mark.parametrize(
    ("match", "name"),
    [
        ("*.tmp", "a.tmp"),
        ("*.TMP", "a.tmp"),
        ("db-*.lock", "db-1.lock"),
        (".env", ".env"),
        ("#recycle/*", "#recycle/a"),
    ],
)
def test_F11_a_name_that_match_names_itself_is_taken(match: str, name: str) -> None:
    assert Matching(("**/*.pdf", match)).takes(name)
    assert not Matching(("**/*.pdf", match)).takes("a.part")


def test_the_names_that_are_passed_over_are_documented() -> None:
    page = Path(__file__).parent.parent.joinpath("docs", "files.md").read_text(encoding="utf-8")
    assert [name for name in PASSED_OVER if f"`{name}`".replace("\r", "␍") not in page] == []


@pytest.mark.parametrize(
    ("matching", "name", "words", "near"),
    [
        (Matching(("*.pdf",), exact=True), "a.PDF", "only its capitals differ from `*.pdf`", True),
        (Matching(("INV-*.pdf",)), "inv-1.pdf", "only its capitals differ from `INV-*.pdf`", True),
        (Matching(("*.pdf",)), "in/a.pdf", "takes it in another folder; `**/*.pdf`", False),
        (Matching(("*.pdf",)), "a.txt", "no pattern matches", False),
        (Matching(("*",)), "a.part", "unless `match` names them", False),
        (Matching(("*",), ("*.log",)), "a.log", "`ignore` excludes it", False),
    ],
)
def test_why_a_file_is_not_taken_is_said(matching: Matching, name: str, words: str, *, near: bool) -> None:
    miss = matching.miss(name)
    assert miss
    assert words in miss.text
    assert miss.near is near
    assert (miss is None) is matching.takes(name)


_PIECES = st.sampled_from(
    ["a", "B", "İ", "é", "e\u0301", "ß", "*", "?", "[a-c]", "[!a]", "[!B-D]", ".", ".b"]
)
_GLOBS = st.builds(
    "/".join,
    st.lists(st.just("**") | st.lists(_PIECES, min_size=1, max_size=4).map("".join), min_size=1, max_size=3),
).filter(
    lambda glob: (
        "**" not in re.sub(r"(?<![^/])\*\*(?![^/])", "", glob) and not {".", ".."} & {*glob.split("/")}
    )
)
_NAMES = st.lists(st.text("aAbBcCiİıéÉe\u0301ßẞ.", min_size=1, max_size=4), min_size=1, max_size=3).map(
    "/".join
)


@given(globs=st.lists(_GLOBS, min_size=1, max_size=4), name=_NAMES, exact=st.booleans())
def test_asked_at_once_no_pattern_hides_what_one_takes_or_nearly_takes(
    globs: list[str], name: str, *, exact: bool
) -> None:
    triggers = [FileTrigger(root=Path("/in"), match=(glob,), exact=exact) for glob in globs]
    misses = [trigger.miss(f"/in/{name}") for trigger in triggers]
    if any(miss is None or miss.near for miss in misses):
        assert f"/in/{name}" in Nearness(triggers)


def test_asked_at_once_patterns_leave_out_what_none_nearly_takes() -> None:
    nearness = Nearness(
        [FileTrigger(root=Path("/in"), match=("*.pdf", "INV-*")), FileTrigger(root=Path("/"))]
    )
    assert [path in nearness for path in ("/in/a.PDF", "/in/inv-1", "/in/a.txt", "/b")] == [True] * 4
    nearness = Nearness([FileTrigger(root=Path("/in"), match=("*.pdf", "INV-*"))])
    assert [path in nearness for path in ("/in/a.PDF", "/in/inv-1", "/in/a.txt", "/b")] == [True] * 2 + [
        False
    ] * 2


def problems(folder: Path, trigger: str) -> list[Problem]:
    found = project(folder, {"rules/a.yaml": rule_file(f"trigger: {{file: {{path: in, {trigger}}}}}")})
    assert errors(found.problems) == []
    return [*check(found), *preview(found, lambda _: {}).problems]


@pytest.mark.parametrize(
    ("match", "hint"), [(".pdf", "`*.pdf`"), ("pdf", "`*.pdf`"), ("PDF", "`*.PDF`"), ("a/.csv", "`a/*.csv`")]
)
def test_an_ending_in_place_of_a_pattern_is_a_warning(tmp_path: Path, match: str, hint: str) -> None:
    (tmp_path / "in").mkdir()
    (problem,) = (one for one in problems(tmp_path, f"match: '{match}'") if one.code == "WBX354")
    assert problem.severity == "warning"
    assert hint in (problem.hint or "")


@pytest.mark.parametrize("match", ["*.pdf", "README", "dump.sql", "there"])
def test_a_name_is_no_ending(tmp_path: Path, match: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "there").touch()
    assert "WBX354" not in {one.code for one in problems(tmp_path, f"match: '{match}'")}


@pytest.mark.parametrize(
    ("path", "folder", "match"),
    [("in/*.pdf", "in", "*.pdf"), ("*.pdf", ".", "*.pdf"), ("/srv/**/a?.pdf", "/srv", "**/a?.pdf")],
)
def test_a_pattern_in_place_of_a_folder_is_an_error_with_the_way_out(
    tmp_path: Path, path: str, folder: str, match: str
) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(f"trigger: {{file: {{path: '{path}'}}}}")})
    (problem,) = errors(found.problems)
    assert problem.message == "`path` is a folder, not a pattern"
    assert problem.hint == f'write `path: {folder}` and `match: "{match}"`'


def test_files_that_a_rule_hardly_misses_are_a_warning_and_the_others_are_listed(place: Workplace) -> None:
    text = place.folder.joinpath("rules", "rule.yaml").read_text(encoding="utf-8")
    place.rule(text.replace("path: drop", "path: drop, match: 'INV-*.pdf'"))
    (place.drop / "in").mkdir()
    for name in (
        "in/INV-1.pdf",
        "inv-1.pdf",
        "INV-2.PDF",
        "a.txt",
        "b.txt",
        "c.txt",
        "d.txt",
        "x.part",
        ".hidden",
    ):
        (place.drop / name).touch()
    ran = place.run("check")
    assert f"5 files in {place.drop} that no rule takes: a.txt, b.txt, c.txt and 2 more" in ran.stdout
    assert "WBX355" in ran.stderr
    assert "inv-1.pdf (only its capitals differ from `INV-*.pdf`)" in ran.stderr
    assert place.json("check")["unwanted"][0]["number"] == 5
    place.rule(text.replace("path: drop", "path: drop, match: 'INV-*.pdf', done: in"))
    assert place.json("check")["unwanted"][0]["number"] == 4, "what lies below may have been put away"


def test_a_file_that_a_rule_hardly_misses_is_told_once(tmp_path: Path) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop, match: '*.pdf', case: exact}}")
    for name in ("a.PDF", "b.txt", "c.PDF.part", "d.pdf"):
        house.file(name)
    for _ in range(2):
        assert house.take() == 1
    assert house.reports == [
        f"No rule takes the file '{house.drop}/a.PDF': only its capitals differ from `*.pdf`."
    ]
    house.store.close()
