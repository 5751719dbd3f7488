"""What is installed: the lock files, what pyproject.toml declares, and what people are told to type."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wbox_notify.cli import COMMANDS

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("run", "image", "dev", "publish")
RUN, IMAGE, DEV, PUBLISH = ((ROOT / "locks" / f"{name}.txt").read_text() for name in LOCKS)

BUILD = PYPROJECT["build-system"]["requires"]
GROUPS = PYPROJECT["dependency-groups"]
DECLARED = PYPROJECT["project"]["dependencies"]
EXTRA = [each for extra in PYPROJECT["project"]["optional-dependencies"].values() for each in extra]

INSTALL = r"(?:\b(?:pipx?|pip3|uvx?)\b|EXTRA_PACKAGES=)[^\n`]*?"
"""What begins a command that installs."""
BY_NAME = re.compile(INSTALL + r"(?<![/\w.-])wbox[-_]notify(?![\w./*-])")


def pinned(lock: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of each package in a lock file, for whichever Python it is meant."""
    for line in lock.splitlines():
        if line and line[0] not in "# ":
            name, _, rest = line.partition("==")
            yield canonicalize_name(name), rest.split()[0]


@pytest.mark.parametrize("lock", [RUN, IMAGE, DEV, PUBLISH], ids=LOCKS)
def test_each_line_of_a_lock_is_a_version_with_hashes_from_no_index_of_its_own(lock: str) -> None:
    entries = [entry for entry in re.split(r"\n(?=[^ ])", lock) if not entry.startswith("#")]
    assert len(entries) > 30
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+ (?:; .+ )?\\\n    --hash=sha256:[0-9a-f]{64}", entry), entry
    assert not re.search(r"://|^-|\bfile:|/(?:home|root|tmp|opt|work)/", lock, re.MULTILINE)


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        (RUN, [*DECLARED, *BUILD]),
        (IMAGE, [*DECLARED, *BUILD, *EXTRA]),
        (DEV, [*DECLARED, *BUILD, *EXTRA, *(each for each in GROUPS["dev"] if isinstance(each, str))]),
    ],
    ids=["run", "image", "dev"],
)
def test_a_lock_holds_what_pyproject_asks_for(lock: str, asked: list[str]) -> None:
    """If this fails, `make lock` was forgotten."""
    versions = list(pinned(lock))
    for wanted in map(Requirement, asked):
        held = [version for name, version in versions if name == canonicalize_name(wanted.name)]
        assert held, f"{wanted} is in no lock"
        assert all(wanted.specifier.contains(version) for version in held), f"{wanted}: {held} is locked"


@pytest.mark.parametrize("wanted", DECLARED)
def test_the_page_on_installing_says_what_each_library_is_for(wanted: str) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    name = Requirement(wanted).name
    assert f"`{name.removesuffix('-core')}`" in page


def test_a_developer_runs_the_same_releases_as_a_user() -> None:
    assert set(pinned(RUN)) <= set(pinned(DEV))


def test_a_user_gets_no_tool_of_a_developer() -> None:
    names = {name for name, _ in pinned(RUN)}
    assert not names & {"pytest", "mypy", "ruff", "playwright", "uv", "minio", "psycopg"}


def test_the_locks_hold_what_builds_the_package() -> None:
    assert GROUPS["build"] == BUILD


@pytest.mark.parametrize("name", ["jinja2", "minio", "pydantic", "urllib3", "uvicorn", "watchdog"])
def test_a_library_whose_inside_is_used_has_an_upper_bound(name: str) -> None:
    [wanted] = [one for one in map(Requirement, [*DECLARED, *EXTRA]) if one.name == name]
    assert any(one.operator == "<" for one in wanted.specifier)


def test_nobody_is_told_to_install_our_name_from_an_index() -> None:
    """It is not ours there: whoever takes it would be installed."""
    places = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*"), ROOT / "Makefile"]
    places += ROOT.glob("wbox_notify/**/*.py")
    told = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in places
        if path.is_file()
        for found in BY_NAME.finditer(path.read_text(errors="replace"))
    ]
    assert told == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("pip install wbox-notify", True),
        ("pip install 'wbox_notify[s3]'", True),
        ("pip install --no-deps wbox_notify==0.1", True),
        ("EXTRA_PACKAGES=wbox-notify", True),
        ("uvx wbox-notify demo", True),
        ("pip install .", False),
        ("pip install dist/wbox_notify-0.1.0-py3-none-any.whl", False),
        ("EXTRA_PACKAGES=/wheels/wbox_notify-0.1.0-py3-none-any.whl", False),
        ("the `apprise` of pipx: `wbox-notify install apprise`", False),
    ],
)
def test_a_command_that_installs_our_name_is_told_from_one_that_installs_a_file(
    text: str, *, wrong: bool
) -> None:
    assert bool(BY_NAME.search(text)) is wrong


@pytest.mark.parametrize("hook", yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()))
def test_a_hook_of_pre_commit_runs_a_command_of_ours_when_a_project_changes(hook: dict[str, str]) -> None:
    program, command = hook["entry"].split()
    assert program in PYPROJECT["project"]["scripts"]
    assert command in COMMANDS
    for path in (
        "rules/a.yaml",
        "shop/rules/a.yaml",
        "templates/a.j2",
        "wbox-notify.yaml",
        "shop/wbox-notify.yaml",
    ):
        assert re.search(hook["files"], path)
    for path in ("src/main.py", "my-rules/a.yaml", "wbox-notify.yaml.orig"):
        assert not re.search(hook["files"], path)
