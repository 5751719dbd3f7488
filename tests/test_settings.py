"""Settings: where each comes from, which wins, and what is said of a bad one."""

import math
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import platformdirs
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rulebook import untold

from wbox_notify.config.fields import as_address, as_store, as_url, as_zone
from wbox_notify.config.reading import Setup, read
from wbox_notify.config.settings import FILE
from wbox_notify.config.values import system_zone
from wbox_notify.config.yaml.problems import Problem, render
from wbox_notify.config.yaml.validation import Context
from wbox_notify.errors import ConfigError
from wbox_notify.model.pace import UNLIMITED, Pace

KEY = "sk_canary-4711"
UNTIMED = hypothesis_settings(deadline=None)


def setup(folder: Path, text: str | None = None, environ: Mapping[str, str] | None = None) -> Setup:
    if text is not None:
        (folder / FILE).write_text(text, encoding="utf-8")
    return read(folder, environ or {})


def key_file(path: Path, key: str = KEY, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{key}\n")
    path.chmod(mode)
    return path


def only(found: Setup) -> Problem:
    (problem,) = found.problems
    assert KEY not in render(problem) + repr(problem)
    assert untold([problem]) == []
    return problem


def test_without_a_file_and_an_environment_there_are_defaults(tmp_path: Path) -> None:
    found = setup(tmp_path, environ={"TZ": "Asia/Tokyo", "STATE_DIRECTORY": "/var/lib/wbox-notify:/other"})
    settings = found.settings
    assert found.problems == ()
    assert (settings.url, settings.api_key, settings.device_id) == ("https://server.wbox.me", None, None)
    assert (settings.listen, settings.lang, settings.region) == (("127.0.0.1", 8725), "en", None)
    assert settings.data_dir == Path("/var/lib/wbox-notify")
    assert settings.store == "sqlite:////var/lib/wbox-notify/wbox-notify.db"
    assert settings.tz == ZoneInfo("Asia/Tokyo")


def test_the_data_folder_is_last_of_all_the_one_of_the_platform(tmp_path: Path) -> None:
    assert setup(tmp_path).settings.data_dir.name == "wbox-notify"


FULL = """\
version: 1
wbox: {url: "https://wbox.example/base/", api_key_file: keys/wbox, device: 3}
defaults: {tz: Europe/Istanbul, lang: tr, region: tr}
contacts:
  ayse: +90 555 111 22 33
store: sqlite:///data/queue.db
listen: "[::1]:9000"
"""


def test_a_settings_file_does_not_change_the_data_folder(tmp_path: Path) -> None:
    with_file = setup(tmp_path, "version: 1\n", {"STATE_DIRECTORY": "/var/lib/x"}).settings
    assert with_file.data_dir == Path("/var/lib/x")


def test_the_file_sets_everything(tmp_path: Path) -> None:
    key_file(tmp_path / "keys" / "wbox")
    found = setup(tmp_path, FULL)
    settings = found.settings
    assert found.problems == ()
    assert (settings.url, settings.api_key, settings.device_id) == ("https://wbox.example/base", KEY, 3)
    assert (settings.tz, settings.lang, settings.region) == (ZoneInfo("Europe/Istanbul"), "tr", "TR")
    assert settings.store == f"sqlite:///{tmp_path}/data/queue.db"
    assert settings.listen == ("::1", 9000)


def test_the_environment_wins(tmp_path: Path) -> None:
    key_file(tmp_path / "keys" / "wbox", key="sk_from_file")
    environ = {
        "WBOX_API_URL": "http://127.0.0.1:8726",
        "WBOX_API_KEY": KEY,
        "WBOX_DEVICE_ID": "7",
        "WBOX_DATA_DIR": "/var/tmp/data",
        "WBOX_STORE": "sqlite:////var/tmp/other.db",
        "WBOX_LISTEN": "0.0.0.0:80",
        "WBOX_LANG": "de",
        "STATE_DIRECTORY": "/nowhere",
    }
    found = setup(tmp_path, FULL, environ)
    settings = found.settings
    assert found.problems == ()
    assert (settings.url, settings.api_key, settings.device_id) == ("http://127.0.0.1:8726", KEY, 7)
    assert (settings.data_dir, settings.store) == (Path("/var/tmp/data"), "sqlite:////var/tmp/other.db")
    assert (settings.listen, settings.lang) == (("0.0.0.0", 80), "de")


def test_the_data_folder_is_that_of_the_platform_where_nobody_says_another(tmp_path: Path) -> None:
    found = setup(tmp_path, "listen: 127.0.0.1:0\n", {"HOME": str(tmp_path)}).settings
    assert found.data_dir == Path(platformdirs.user_data_dir("wbox-notify", appauthor=False))
    assert found.store == f"sqlite:///{found.data_dir}/wbox-notify.db"


@pytest.mark.parametrize(
    ("text", "variable", "pace"),
    [
        ("", "", Pace()),
        ("wbox: {pace: unlimited}", "", UNLIMITED),
        ("wbox: {pace: unlimited}", "2s", Pace(every=2.0)),
        (
            "wbox: {pace: {every: 7s, per_day: never, same_text: never}}",
            "",
            Pace(every=7, per_day=0, same_text=0),
        ),
        ("wbox: {pace: {every: 7s}}", "unlimited", UNLIMITED),
        (
            "wbox: {pace: 9s}\nbacklog: 5\ndefaults: {lang: tr}",
            "",
            Pace(every=9, media_every=9, backlog=5, lang="tr"),
        ),
        ("backlog: never", "", Pace(backlog=0)),
    ],
)
def test_the_pace_is_a_word_a_duration_or_a_map_and_the_variable_wins(
    tmp_path: Path, text: str, variable: str, pace: Pace
) -> None:
    found = setup(tmp_path, f"{text}\n", {"WBOX_PACE": variable})
    assert (found.settings.pace, found.problems) == (pace, ())


def test_an_empty_variable_counts_as_none(tmp_path: Path) -> None:
    found = setup(
        tmp_path, FULL.replace("api_key_file: keys/wbox, ", ""), {"WBOX_API_KEY": "", "WBOX_LANG": " "}
    )
    assert (found.settings.api_key, found.settings.lang, found.problems) == (None, "tr", ())


def test_the_key_is_looked_for_in_four_places_in_order(tmp_path: Path) -> None:
    environ = {
        "WBOX_API_KEY": "sk_variable",
        "WBOX_API_KEY_FILE": str(key_file(tmp_path / "one" / "k", "sk_variable_file")),
        "CREDENTIALS_DIRECTORY": str(key_file(tmp_path / "two" / "wbox_api_key", "sk_credential").parent),
    }
    key_file(tmp_path / "keys" / "wbox", "sk_file")
    found = []
    for variable in [*environ, None]:
        found.append(setup(tmp_path, FULL, environ).settings.api_key)
        environ.pop(variable or "", None)
    assert found == ["sk_variable", "sk_variable_file", "sk_credential", "sk_file"]


def test_a_credentials_folder_without_our_key_is_passed_over(tmp_path: Path) -> None:
    key_file(tmp_path / "keys" / "wbox")
    found = setup(tmp_path, FULL, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert (found.settings.api_key, found.problems) == (KEY, ())


def test_the_key_is_not_in_the_repr_of_the_settings(tmp_path: Path) -> None:
    assert KEY not in repr(setup(tmp_path, environ={"WBOX_API_KEY": KEY}))


def test_U10_a_key_file_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys" / "wbox", mode=0o644)
    found = setup(tmp_path, FULL)
    problem = only(found)
    assert (problem.code, problem.severity, problem.line, problem.column) == ("WBX322", "warning", 2, 57)
    assert problem.hint == f"chmod 600 {path}"
    assert found.settings.api_key == KEY


@pytest.mark.parametrize(
    "key", ["canary-4711", "sk_", "sk_a canary", "sk_çanary", "", "Bearer sk_canary", "sk_\x07canary"]
)
def test_a_malformed_key_is_never_shown(tmp_path: Path, key: str) -> None:
    key_file(tmp_path / "keys" / "wbox", key)
    in_file = setup(tmp_path, FULL)
    assert (only(in_file).code, only(in_file).line, only(in_file).column) == ("WBX323", 2, 57)
    found = [in_file]
    if key:
        found.append(setup(tmp_path, FULL, {"WBOX_API_KEY": key}))
        assert only(found[1]).file == "environment"
        assert only(found[1]).message.startswith("WBOX_API_KEY: ")
    for one in found:
        assert one.settings.api_key is None
        assert "canary" not in render(only(one))


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    in_file = only(setup(tmp_path, FULL))
    assert (in_file.code, in_file.line, in_file.column) == ("WBX322", 2, 57)
    assert "keys/wbox" in in_file.message
    in_environment = only(setup(tmp_path, "", {"WBOX_API_KEY_FILE": str(tmp_path)}))
    assert in_environment.message.startswith(f"WBOX_API_KEY_FILE: the key file {tmp_path} cannot be read")


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "hint"),
    [
        (
            "wbox:\n  api_key: sk_canary-4711\n",
            "WBX321",
            (2, 3),
            "does not belong in this file",
            "api_key_file",
        ),
        ("api_key: sk_canary-4711\n", "WBX321", (1, 1), "does not belong in this file", "WBOX_API_KEY"),
        ("wbox: {pace: 5}\n", "WBX213", (1, 14), "`pace` must be a map", None),
        ("wbox: {pace: slow}\n", "WBX320", (1, 14), "`slow` is not a duration", "15m"),
        ("wbox: {pace: {every: soon}}\n", "WBX320", (1, 22), "`soon` is not a duration", "15m"),
        ("wbox: {pace: {per_hour: 0}}\n", "WBX215", (1, 25), "a number above 0", None),
        ("wbox: {pace: {per_hour: many}}\n", "WBX215", (1, 25), "or `never`", None),
        ("wbox: {pace: {evry: 3s}}\n", "WBX210", (1, 15), "unknown key `evry`", "`every`?"),
        ("pace: unlimited\n", "WBX210", (1, 1), "unknown key `pace`", "under `wbox:`"),
        ("backlog: none\n", "WBX215", (1, 10), "or `never`", None),
        ("public_url: notify\n", "WBX320", (1, 13), "this is not an address", "https://"),
        ("storm_guard: 0\n", "WBX215", (1, 14), "0 is too few", "1 or more"),
        ("limits: {body: 65MiB}\n", "WBX320", (1, 16), "65MiB is not between 1KiB and 64MiB", "4MiB"),
        ("limits: {bodies: 1MiB}\n", "WBX210", (1, 10), "unknown key `bodies`", "did you mean `body`?"),
        ("limits: {body: [1]}\n", "WBX213", (1, 16), "`body` must be text, not a list", None),
        ("storm_guard: many\n", "WBX213", (1, 14), "must be a whole number", None),
        ("owner: [a]\n", "WBX213", (1, 8), "`owner` must be text, not a list", None),
        ("rules: []\n", "WBX214", (1, 1), "`rules` is not in this version yet", "folder rules/"),
        ("fallback: {}\n", "WBX213", (1, 11), "`fallback` must be text, not a map", None),
        ("fallback: []\n", "WBX215", (1, 11), "the list is empty", None),
        ("fallback: [ntyf://a]\n", "WBX329", (1, 12), "knows no service `ntyf`", "did you mean `ntfy`?"),
        ("fallback: ops-mail\n", "WBX329", (1, 11), "no secret `ops-mail`", "WBOX_SECRET_OPS_MAIL"),
        ("wbox: {ulr: x}\n", "WBX210", (1, 8), "unknown key `ulr`", "did you mean `url`?"),
        ("zzz:\n", "WBX210", (1, 1), "unknown key `zzz`", "known here: version, wbox, defaults"),
        ("zzz: 1\n", "WBX210", (1, 1), "unknown key `zzz`", "known here: version, wbox, defaults"),
        ("wbox: [1]\n", "WBX213", (1, 7), "`wbox` must be a map of keys and values, not a list", None),
        ("- a\n", "WBX213", (1, 1), "the file must be a map of keys and values, not a list", None),
        ("[]\n", "WBX213", (1, 1), "the file must be a map of keys and values, not a list", None),
        ("ops-mail\n", "WBX213", (1, 1), "the file must be a map of keys and values, not text", None),
        ("version: 2\n", "WBX215", (1, 10), "version 2 of the language is not known", "version: 1"),
        ("wbox: {device: '3'}\n", "WBX213", (1, 16), "must be a whole number, not text", "out of the quotes"),
        ("wbox: {device: 0}\n", "WBX320", (1, 16), "0 is not the number of a device", "count from 1"),
        ("wbox: {url: server}\n", "WBX320", (1, 13), "not the address of a wbox server", "https://"),
        ("defaults: {tz: Europe/Istambul}\n", "WBX320", (1, 16), "no time zone", "`Europe/Istanbul`?"),
        ("defaults: {lang: Turkish}\n", "WBX320", (1, 18), "not the code of a language", "tr"),
        ("defaults: {region: Turkey}\n", "WBX320", (1, 20), "not the code of a country", "TR"),
        ("store: postgresql://u:pw@h/d\n", "WBX320", (1, 8), "password does not belong", "PGPASSFILE"),
        ("store: postgres://h/d?password=pw\n", "WBX320", (1, 8), "password does not belong", "PGPASSFILE"),
        ("store: postgres://h /d\n", "WBX320", (1, 8), "not the address of a store", "postgresql://HOST"),
        ("store: queue.db\n", "WBX320", (1, 8), "not the address of a store", "sqlite:///"),
        ("history: 6d\n", "WBX320", (1, 10), "6d is too short: a webhook", "at least 7d"),
        ("history: long\n", "WBX320", (1, 10), "`long` is not a duration", "2d"),
        ("listen: nine\n", "WBX320", (1, 9), "nine is not a host and a port", "127.0.0.1:8725"),
        ("listen: 70000\n", "WBX320", (1, 9), "70000 is not a host and a port", "127.0.0.1:8725"),
        ("listen: *x\n", "WBX108", (1, 9), "no anchor `&x`", "in quotes"),
    ],
)
def test_each_mistake_in_the_file_has_its_place(
    tmp_path: Path, text: str, code: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    problem = only(setup(tmp_path, text))
    assert (problem.file, problem.code, (problem.line, problem.column)) == (FILE, code, place)
    assert message in problem.message
    assert hint in (problem.hint or "") if hint else problem.hint is None


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("WBOX_API_URL", "ftp://x", "not the address of a wbox server"),
        ("WBOX_API_URL", "https://me:pw@server", "not the address of a wbox server"),
        ("WBOX_API_URL", "http://[", "not the address of a wbox server"),
        ("WBOX_API_URL", "http://10.0.0.1", "could read the API key"),
        ("WBOX_API_URL", "HTTP://wbox.example", "could read the API key"),
        ("WBOX_API_URL", "http://localhost.example.com", "could read the API key"),
        ("WBOX_API_URL", "http://localhost%2eexample.com", "not the address of a wbox server"),
        ("WBOX_API_URL", "http://wbox.example\\.localhost", "not the address of a wbox server"),
        ("WBOX_API_URL", "http://[64:ff9b::127.0.0.1]", "could read the API key"),
        ("WBOX_INSECURE", "1", "1 is neither true nor false"),
        ("WBOX_DEVICE_ID", "one", "one is not the number of a device"),
        ("WBOX_LISTEN", "localhost", "localhost is not a host and a port"),
        ("WBOX_HISTORY", "0d", "0d is too short"),
        ("WBOX_LIMITS_BODY", "much", "`much` is not a size"),
        ("WBOX_LIMITS_BODY", "1000", "1000 is not between 1KiB and 64MiB"),
        ("WBOX_LANG", "tr_TR", "tr_TR is not the code of a language"),
        ("WBOX_STORE", "mysql://me:pw@x", "not the address of a store"),
        ("WBOX_DATA_DIR", "~nobody-here/x", "unknown user in the path"),
        ("WBOX_API_KEY_FILE", "~nobody-here/x", "unknown user in the path"),
    ],
)
def test_a_bad_variable_is_named_and_leaves_the_file_in_force(
    tmp_path: Path, variable: str, value: str, message: str
) -> None:
    text = FULL.replace("api_key_file: keys/wbox, ", "")
    found = setup(tmp_path, text, {variable: value})
    problem = only(found)
    assert (problem.file, problem.line, problem.severity) == ("environment", 0, "error")
    assert problem.message.startswith(f"{variable}: ")
    assert message in problem.message
    assert "pw@" not in render(problem)
    assert found.settings == setup(tmp_path, text).settings


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://localhost", "http://a.localhost", "http://[::1]"]
)
def test_the_key_may_go_to_this_machine_without_tls(tmp_path: Path, url: str) -> None:
    assert setup(tmp_path, f"wbox: {{url: '{url}'}}").problems == ()


def test_the_key_goes_to_another_machine_without_tls_only_where_somebody_says_so(tmp_path: Path) -> None:
    text = "wbox:\n  url: http://10.0.0.1:8080\n"
    problem = only(setup(tmp_path, text))
    assert (problem.severity, problem.line) == ("error", 2)
    assert "insecure: true" in (problem.hint or "")
    for found in (
        setup(tmp_path, f"{text}  insecure: true\n"),
        setup(tmp_path, text, {"WBOX_INSECURE": "true"}),
        setup(tmp_path, "", {"WBOX_INSECURE": "true", "WBOX_API_URL": "http://10.0.0.1:8080"}),
    ):
        assert (found.problems, found.settings.url) == ((), "http://10.0.0.1:8080")
    assert only(setup(tmp_path, f"{text}  insecure: true\n", {"WBOX_INSECURE": "false"})).severity == "error"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("public_url: http://notify.example.com", 1),
        ("public_url: http://10.0.0.1", 1),
        ("media:\n  static: {folder: web, url: http://files.example.com}", 2),
        ("public_url: http://127.0.0.1:8725", 0),
        ("public_url: https://notify.example.com", 0),
    ],
)
def test_links_that_travel_in_the_clear_are_a_warning(tmp_path: Path, text: str, line: int) -> None:
    found = [(one.code, one.severity, one.line) for one in setup(tmp_path, text).problems]
    assert found == ([("WBX363", "warning", line)] if line else [])


def test_one_bad_setting_leaves_the_others(tmp_path: Path) -> None:
    found = setup(
        tmp_path, FULL.replace("region: tr", "region: [tr]").replace("api_key_file: keys/wbox, ", "")
    )
    assert [problem.code for problem in found.problems] == ["WBX213"]
    assert (found.settings.lang, found.settings.region, found.settings.device_id) == ("tr", None, 3)


def test_empty_sections_are_fine(tmp_path: Path) -> None:
    assert setup(tmp_path, "version: 1\nwbox:\ndefaults:\ncontacts:\ngroups:\n").problems == ()


def test_a_key_without_a_value_is_one_that_is_left_out(tmp_path: Path) -> None:
    keys = "wbox:\n  url:\n  device:\n  pace:\ndefaults: {lang: }\nhistory:\nmedia:\nfallback:\nsecrets:\n"
    found = setup(tmp_path, keys)
    assert (found.problems, found.settings) == ((), setup(tmp_path, "version: 1\n").settings)


def test_a_settings_file_that_is_a_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    assert (only(setup(tmp_path)).code, only(setup(tmp_path)).file) == ("WBX101", FILE)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", ("127.0.0.1", 8080)),
        (":8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("wbox.lan:80", ("wbox.lan", 80)),
        ("[::]:80", ("::", 80)),
    ],
)
def test_an_address_is_a_port_with_or_without_a_host(text: str, address: tuple[str, int]) -> None:
    assert as_address(text) == address


@pytest.mark.parametrize("text", ["::1:80", "a b:1", "http://x:1", "x:", "[::1]", "1.2.3.4"])
def test_other_texts_are_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match="not a host and a port"):
        as_address(text)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../UTC", "Europe", "Mars/Base", "a\0b", "x" * 300])
def test_T07_what_is_no_time_zone_is_an_error_and_never_the_machines(name: str) -> None:
    with pytest.raises(ConfigError):
        as_zone(name)
    assert isinstance(system_zone({"TZ": name}), ZoneInfo)


@UNTIMED
@given(st.text(max_size=30))
def test_any_text_is_a_setting_or_a_config_error(text: str) -> None:
    here = Context(Path("/srv"))
    for read_as in (partial(as_url, context=here), partial(as_store, context=here), as_address, as_zone):
        with suppress(ConfigError):
            assert read_as(text)


JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 99999)
    | st.sampled_from(["", "x", "tr", "8080", "sqlite:///x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "version",
                    "wbox",
                    "url",
                    "device",
                    "defaults",
                    "tz",
                    "lang",
                    "listen",
                    "store",
                    "secrets",
                    "env",
                    "file",
                    "storm_guard",
                    "history",
                    "owner",
                    "x",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@UNTIMED
@given(JSON)
def test_any_settings_file_gives_settings(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    found = setup(folder, str(tree).replace("None", "null").replace("True", "true").replace("False", "false"))
    assert found.settings.folder == folder
    assert all(problem.message and os.sep not in problem.code for problem in found.problems)


SECRET = "canary-4711"


def declared(folder: Path, entry: str, environ: Mapping[str, str] | None = None) -> Setup:
    return setup(folder, f"version: 1\nsecrets:\n  hook: {entry}\n", environ)


def test_a_secret_is_found_in_a_variable_or_a_file_and_is_in_no_repr(tmp_path: Path) -> None:
    key_file(tmp_path / "keys" / "hook", f"{SECRET}\n")
    for entry in ("{env: HOOK}", "{file: keys/hook}", f"{{file: {tmp_path}/keys/hook}}"):
        found = declared(tmp_path, entry, {"HOOK": SECRET})
        assert found.problems == ()
        assert SECRET not in repr(found)
    assert declared(tmp_path, "{env: HOOK}", {"HOOK": SECRET}).settings.secrets == {"hook": SECRET}


SAVED: dict[str, Callable[[str], bytes]] = {
    "bare": str.encode,
    "CRLF": lambda text: f"{text}\r\n".encode(),
    "blanks": lambda text: f"{text} \t\n\n".encode(),
    "mark": lambda text: f"\ufeff{text}\r\n".encode(),
    "UTF-16": lambda text: f"{text}\r\n".encode("utf-16"),
    "UTF-16 BE": lambda text: f"\ufeff{text}\n".encode("utf-16-be"),
}


@pytest.mark.parametrize("saved", SAVED.values(), ids=SAVED)
def test_a_key_or_a_secret_is_read_as_any_editor_saves_it(
    tmp_path: Path, saved: Callable[[str], bytes]
) -> None:
    for text in ("a b", " a", "ş"):
        key_file(tmp_path / "k").write_bytes(saved(text))
        assert declared(tmp_path, "{file: k}").settings.secrets == {"hook": text}
    key_file(tmp_path / "k").write_bytes(saved(KEY))
    found = setup(tmp_path, "wbox: {api_key_file: k}")
    assert (found.problems, found.settings.api_key) == ((), KEY)


def test_the_beginning_of_a_secret_is_as_it_is_written(tmp_path: Path) -> None:
    for content, secret in ((b"a b", "a b"), (b" a", " a"), ("ş".encode(), "ş")):
        (tmp_path / "k").write_bytes(content)
        (tmp_path / "k").chmod(0o600)
        assert declared(tmp_path, "{file: k}").settings.secrets == {"hook": secret}


@pytest.mark.parametrize(
    ("entry", "code", "place", "message", "hint"),
    [
        (SECRET, "WBX325", (3, 3), "does not belong in this file", "{env: VARIABLE}"),
        ("5", "WBX325", (3, 3), "does not belong in this file", "{file: PATH}"),
        (f"{{value: {SECRET}}}", "WBX210", (3, 10), "unknown key `value`", "known here: env, file"),
        ("{env: HOOK, file: k}", "WBX324", (3, 9), "either in `env` or in a `file`", "{env: VARIABLE}"),
        ("{}", "WBX324", (3, 9), "either in `env` or in a `file`", None),
        ("{env: NONE}", "WBX324", (3, 15), "the variable NONE is not set", "where the daemon is started"),
        ("{file: none}", "WBX324", (3, 16), "cannot be read: No such file", None),
        ("{file: empty}", "WBX324", (3, 16), "is empty", None),
        ("{file: large}", "WBX324", (3, 16), "is too large", None),
        ("{file: binary}", "WBX324", (3, 16), "is not UTF-8 text", None),
        ("{file: .}", "WBX324", (3, 16), "cannot be read: Is a directory", None),
        ("{file: ~nobody-here/x}", "WBX324", (3, 16), "unknown user in the path", None),
    ],
)
def test_each_mistake_in_a_secret_has_its_place_and_does_not_show_it(
    tmp_path: Path, entry: str, code: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    for name, content in {"empty": b"\n", "large": b"x" * 70_000, "binary": b"\xff"}.items():
        (tmp_path / name).write_bytes(content)
    found = declared(tmp_path, entry)
    problem = only(found)
    assert (problem.file, problem.code, (problem.line, problem.column)) == (FILE, code, place)
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")
    assert SECRET not in render(problem) + repr(problem)
    assert found.settings.secrets == {}
    with pytest.raises(ConfigError, match="its entry has an error"):
        found.secrets.find("hook")


def test_a_list_of_secrets_is_not_shown_either(tmp_path: Path) -> None:
    problem = only(setup(tmp_path, f"secrets: [{SECRET}]\n"))
    assert (problem.code, problem.line) == ("WBX213", 1)
    assert SECRET not in render(problem)


def test_U10_a_secret_file_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    path = key_file(tmp_path / "k", SECRET, 0o644)
    found = declared(tmp_path, "{file: k}")
    assert (only(found).severity, only(found).hint) == ("warning", f"chmod 600 {path}")
    assert found.settings.secrets == {"hook": SECRET}


def test_a_secret_that_is_not_declared_is_looked_for_in_two_places(tmp_path: Path) -> None:
    credentials = key_file(tmp_path / "c" / "my-hook", "from a file").parent
    environ = {"WBOX_SECRET_MY_HOOK": "from a variable", "CREDENTIALS_DIRECTORY": str(credentials)}
    assert setup(tmp_path, "", environ).secrets.find("my-hook") == "from a variable"
    del environ["WBOX_SECRET_MY_HOOK"]
    assert setup(tmp_path, "", environ).secrets.find("my-hook") == "from a file"
    with pytest.raises(ConfigError, match="there is no secret `other`") as caught:
        setup(tmp_path, "", environ).secrets.find("other")
    assert "set WBOX_SECRET_OTHER, or write `secrets: {other: {file: PATH}}`" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7d", 604_800), ("26w", 15_724_800), ("90 d", 7_776_000), ("7d12h", 648_000), ("forever", math.inf)],
)
def test_how_long_history_is_kept_can_be_set(tmp_path: Path, text: str, seconds: float) -> None:
    assert setup(tmp_path, f"history: {text}\n").settings.history == seconds
    assert setup(tmp_path, "history: 100d\n", {"WBOX_HISTORY": text}).settings.history == seconds
    assert setup(tmp_path, "").settings.history == 90 * 86_400


@pytest.mark.parametrize(
    ("text", "variable", "size"),
    [
        ("", "", 4 << 20),
        ("limits:\n", "", 4 << 20),
        ("limits: {body: 300kB}\n", "", 300 << 10),
        ("limits: {body: 5000}\n", "", 5000),
        ("limits: {body: 300kB}\n", "1MiB", 1 << 20),
    ],
)
def test_how_large_a_body_may_be_is_a_setting(tmp_path: Path, text: str, variable: str, size: int) -> None:
    found = setup(tmp_path, text, {"WBOX_LIMITS_BODY": variable})
    assert (found.settings.body, found.problems) == (size, ())


def test_what_others_reach_and_who_is_asked_can_be_set(tmp_path: Path) -> None:
    text = "public_url: https://notify.example.com/wbox/\nstorm_guard: 7\nowner: ayse\n"
    found = setup(tmp_path, text).settings
    assert (found.public_url, found.storm_guard) == ("https://notify.example.com/wbox", 7)
    assert (found.owner, found.link_key) == ("ayse", b"")
    found = setup(tmp_path, text, {"WBOX_PUBLIC_URL": "http://10.0.0.1:8725"}).settings
    assert found.public_url == "http://10.0.0.1:8725"
    found = setup(tmp_path, "").settings
    assert (found.public_url, found.storm_guard, found.owner) == (None, 50, None)


def test_outlets_are_urls_or_secrets_and_the_names_of_urls_hold_nothing_of_them(tmp_path: Path) -> None:
    text = "fallback: [ntfy://my-topic, ops-mail]\nsecrets: {ops-mail: {env: MAIL}}\n"
    found = setup(tmp_path, text, {"MAIL": "mailto://ops:hunter2@example.com"})
    assert found.problems == ()
    literal, named = found.settings.fallback
    assert re.fullmatch("ntfy:[0-9a-f]{6}", literal)
    assert named == "ops-mail"
    assert found.settings.outlets == {
        literal: "ntfy://my-topic",
        "ops-mail": "mailto://ops:hunter2@example.com",
    }
    assert "hunter2" not in repr(found.settings)
    assert "my-topic" not in repr(found.settings)


def test_the_variable_of_outlets_wins_and_may_hold_passwords(tmp_path: Path) -> None:
    urls = "json://a:hunter2@127.0.0.1 ntfy://b"
    found = setup(tmp_path, "fallback: ntfy://c\n", {"WBOX_FALLBACK": urls})
    assert found.problems == ()
    assert [found.settings.outlets[name] for name in found.settings.fallback] == urls.split()


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("ntfy://topic", False),
        ("ntfy://topic?priority=high", False),
        ("json://127.0.0.1:8080/path", False),
        ("json://127.0.0.1/?+X-Api-Key=hunter2", True),
        ("ntfy://me:hunter2@example.com/topic", True),
        ("mailto://me:hunter2@example.com", True),
        ("slack://T1JJ3T3L2/A1BRTD4JD/hunter2iiiiiiiiiiiiiiiii/general", True),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", True),
    ],
)
def test_a_password_in_the_file_is_a_warning_that_does_not_show_it(
    tmp_path: Path, url: str, *, warned: bool
) -> None:
    found = setup(tmp_path, f'fallback:\n  - "{url}"\n')
    assert [(problem.code, problem.severity) for problem in found.problems] == [
        ("WBX336", "warning")
    ] * warned
    shown = "".join(map(render, found.problems))
    assert not re.search("hunter2|TIiajkdn", shown)
    assert not warned or '  - "' + url.partition("//")[0] in shown


@pytest.mark.parametrize(
    "text",
    [
        "fallback: gotify://example.com:1:2/hunter2\n",
        "fallback: mailto://hunter2\n",
        "fallback: [mailto://x:hunter2@example.com, 5]\n",
        "fallback: [https://hooks.slack.com/services/hunter2]\n",
        "fallback: 'mailto://x:hunter2@example.com'\nlisten: nine\n",
        "owner: 'mailto://x:hunter 2 hunter2@example.com'\nstorm_guard: 0\n",
    ],
)
def test_no_problem_shows_what_stands_in_an_outlet(tmp_path: Path, text: str) -> None:
    found = setup(tmp_path, text)
    assert found.problems
    for problem in found.problems:
        assert "hunter2" not in render(problem) + str(problem) + repr(problem.excerpt)


def test_a_bad_outlet_in_the_environment_is_named_without_its_password(tmp_path: Path) -> None:
    problem = only(setup(tmp_path, None, {"WBOX_FALLBACK": "mailot://x:hunter2@example.com"}))
    assert problem.message == "WBOX_FALLBACK: Apprise knows no service `mailot`"
    assert problem.hint == "did you mean `mailto`?"


def test_a_secret_that_is_no_url_is_no_outlet(tmp_path: Path) -> None:
    problem = only(setup(tmp_path, "fallback: ops-mail\n", {"WBOX_SECRET_OPS_MAIL": "hunter2"}))
    assert (problem.code, problem.message) == ("WBX329", "the secret `ops-mail` is not an Apprise URL")


@pytest.mark.parametrize(
    ("mode", "owner", "words", "mend"),
    [
        (0o600, "ours", "", ""),
        (0o400, "ours", "", ""),
        (0o604, "ours", "everybody on this machine can read", "chmod 600"),
        (0o620, "ours", "others can change", "chmod 600"),
        (0o602, "ours", "others can change", "chmod 600"),
        (0o600, "another", "another user owns", "chown $USER"),
        (0o640, "root", "", ""),
    ],
)
def test_a_secret_file_is_for_us_alone(tmp_path: Path, mode: int, owner: str, words: str, mend: str) -> None:
    path = key_file(tmp_path / "k", SECRET, mode)
    if owner != "ours":
        if os.geteuid():
            pytest.skip("only root can give a file away")
        os.chown(path, 12345 if owner == "another" else 0, 12345)
    problems = declared(tmp_path, "{file: k}").problems
    assert [(one.message, one.hint) for one in problems] == (
        [(f"{words} the secret in k", f"{mend} {path}")] if words else []
    )


def test_systemd_hands_over_a_declared_file_that_we_may_not_read_ourselves(tmp_path: Path) -> None:
    credentials = key_file(tmp_path / "c" / "hook", "from systemd").parent
    found = setup(
        tmp_path, "secrets: {hook: {file: /nowhere}}\n", {"CREDENTIALS_DIRECTORY": str(credentials)}
    )
    assert found.problems == ()
    assert found.secrets.find("hook") == "from systemd"
