"""The container: what the Dockerfile copies makes the package, and all fits the daemon and compose."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml
from pages import ROOT
from workplace import TEXT_RULE, Workplace, ended, until

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "examples" / "docker" / "compose.yaml").read_text(encoding="utf-8"))
SERVICE: dict[str, Any] = COMPOSE["services"]["wbox-notify"]


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def copied() -> list[str]:
    """Return what is copied from the repository."""
    words = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return [source for *sources, _ in words for source in sources]


def environment() -> dict[str, str]:
    return dict(word.split("=", 1) for line in instructions("ENV") for word in line.split())


def test_docker_is_given_what_the_image_is_made_of_and_no_more() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    given = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert ignored[0] == "*"
    assert given == {source.split("/")[0] for source in copied()}


def test_what_the_image_copies_makes_the_whole_package(tmp_path: Path) -> None:
    for source in copied():
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / source)
        else:
            shutil.copy(ROOT / source, tmp_path / source)
    words = [
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        "dist",
        ".",
    ]
    subprocess.run([sys.executable, *words], cwd=tmp_path, check=True)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("cli/run.py", "store/schema.sql", "gallery/rules/alerts.yaml"):
        assert f"wbox_notify/{name}" in names


def test_the_container_runs_as_nobody_who_may_change_it() -> None:
    [user] = instructions("USER")
    assert user == SERVICE["user"] == "1000:1000"
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]


def test_compose_puts_things_where_the_image_looks_for_them() -> None:
    ours, targets = environment(), [volume.split(":")[1] for volume in SERVICE["volumes"]]
    assert ours["WBOX_CONFIG"] in targets
    assert ours["WBOX_DATA_DIR"] in targets
    assert instructions("VOLUME") == [ours["WBOX_DATA_DIR"]]
    assert SERVICE["secrets"] == ["wbox_api_key"], "the name by which the daemon looks for its key"
    assert ours["CREDENTIALS_DIRECTORY"] == "/run/secrets", "where compose puts secrets"
    [port] = SERVICE["ports"]
    [exposed] = instructions("EXPOSE")
    assert port == f"127.0.0.1:{exposed}:{exposed}"
    assert ours["WBOX_LISTEN"] == f"0.0.0.0:{exposed}"


def test_the_health_check_asks_whether_events_can_be_stored(place: Workplace) -> None:
    [check] = re.findall(r"^HEALTHCHECK .*? CMD (.*)$", DOCKERFILE, re.MULTILINE)
    command = json.loads(check)
    place.rule(TEXT_RULE)
    place.environment["WBOX_LISTEN"] = "0.0.0.0:0"
    daemon = place.start("run")
    until(place.card.exists)
    address = f"http://127.0.0.1:{place.url.rpartition(':')[2]}"
    words = [sys.executable, *command[1:-1], command[-1].replace("http://127.0.0.1:8725", address)]
    assert address in words[-1]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    ended(daemon)
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1


def test_a_secret_that_compose_puts_into_the_container_is_found_by_its_name(
    place: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "shop").write_text("a secret that is long enough")
    place.environment["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    rule = TEXT_RULE.replace("file: {path: drop}", "webhook: {path: a, secret: shop}")
    place.rule(rule.replace("{{ file.name }}: {{ file.text }}", "{{ body }}"))
    assert place.run("check").returncode == 0
