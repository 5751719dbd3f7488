"""The door of the console, and what all of its pages have in common."""

import asyncio
import re
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from consoles import House, Visitor
from starlette.requests import Request
from terminal import Terminal
from workplace import Workplace, until

from wbox_notify.cli.console import console as command
from wbox_notify.config import private
from wbox_notify.config.passwords import hashed, matches
from wbox_notify.errors import StoreError
from wbox_notify.web.browsers import PageHosts
from wbox_notify.web.console import Door, about
from wbox_notify.web.console.attempts import Attempts
from wbox_notify.web.console.sessions import Sessions

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("console") / "project") as a_house:
        yield a_house


@pytest.fixture(scope="module")
def visitor(house: House) -> Visitor:
    return house.login()


def test_a_page_sends_who_is_not_logged_in_to_the_login(house: House) -> None:
    answer = Visitor(house.url).get("/about")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=/about")


def test_the_login_leads_back_to_what_was_asked_for(house: House) -> None:
    answer = Visitor(house.url).get("/about?a=1&b=%26")
    assert answer.headers["location"] == "/login?to=/about%3Fa%3D1%26b%3D%2526"
    login = Visitor(house.url).get(answer.headers["location"]).text
    assert "wbox-notify console" in login


def test_a_link_on_another_site_reaches_a_page_by_one_of_ours(house: House) -> None:
    answer = Visitor(house.url).get("/about?a=1", headers={"Sec-Fetch-Site": "cross-site"})
    assert '<meta http-equiv="refresh" content="0; url=/about?a=1">' in answer.text
    answer = Visitor(house.url).get("/activity/file:a%2541", headers={"Sec-Fetch-Site": "cross-site"})
    assert "url=/activity/file%3Aa%2541" in answer.text


def test_json_without_a_login_is_refused(house: House) -> None:
    answer = Visitor(house.url).get("/about.json")
    assert (answer.status_code, answer.json()["error"]) == (401, "nobody is logged in")


def test_a_login_link_lets_in_once(house: House) -> None:
    path = house.daemon.console_link().removeprefix(house.url)
    first, second = Visitor(house.url), Visitor(house.url)
    assert first.head(path).status_code == 200  # as a program does that shows a preview
    assert first.get(path).status_code == 200
    assert first.get("/about").status_code == 200
    assert second.get(path).status_code == 403
    assert second.get("/about").status_code == 303


def test_the_cookie_is_out_of_the_reach_of_scripts_and_other_sites(house: House) -> None:
    path = house.daemon.console_link().removeprefix(house.url)
    cookie = Visitor(house.url).get(path).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=604800" in cookie
    assert "secure" not in cookie
    behind_tls = {"x-forwarded-proto": "https"}
    path = house.daemon.console_link().removeprefix(house.url)
    assert "secure" in Visitor(house.url).get(path, headers=behind_tls).headers["set-cookie"].lower()


def test_who_logs_out_is_out(house: House) -> None:
    visitor = house.login()
    cookies = dict(visitor.cookies)
    assert visitor.press("/about", "/logout").headers["location"] == "/login"
    assert Visitor(house.url).get("/about", cookies=cookies).status_code == 303


@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "x"}, {"csrf": "ı"}])
def test_a_form_without_the_token_of_its_session_does_nothing(
    visitor: Visitor, fields: dict[str, str]
) -> None:
    assert visitor.post("/logout", data=fields).status_code == 403
    assert visitor.get("/about").status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_form_of_another_site_does_nothing(visitor: Visitor, headers: dict[str, str]) -> None:
    token = re.findall(r'name="csrf" value="([^"]+)"', visitor.get("/about").text)[0]
    assert visitor.post("/logout", data={"csrf": token}, headers=headers).status_code == 403
    assert visitor.get("/about").status_code == 200


@pytest.mark.parametrize("path", ["/about", "/login", "/about.json", "/nothing"])
def test_each_page_has_strict_headers(visitor: Visitor, path: str) -> None:
    headers = visitor.get(path, headers={"accept": "text/html"}).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_page_that_is_not_there_wears_the_same_clothes(visitor: Visitor) -> None:
    answer = visitor.get("/nothing", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert "There is no such page." in answer.text
    assert visitor.get("/nothing").json() == {"error": "Not Found"}


def test_a_form_that_is_too_large_is_refused(visitor: Visitor) -> None:
    assert visitor.post("/logout", data="a&" * 20_000).status_code == 400
    assert visitor.post("/logout", data="a" * 70_000).status_code == 413
    assert visitor.get("/about").status_code == 200


def test_a_page_that_fails_says_so_without_a_traceback(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(about, "platform", None)
    answer = visitor.get("/about")
    assert answer.status_code == 500
    assert "Something is wrong in this page; the log of the daemon says what." in answer.text
    assert "a page of the console failed: AttributeError" in caplog.text
    assert visitor.get("/about.json").json()["status"] == 500


def test_a_store_that_cannot_be_read_leaves_a_page_that_says_so(
    house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(house.daemon._store, "circuits", fail)
    answer = visitor.get("/about")
    assert answer.status_code == 503
    assert "The disk is full." in answer.text


def test_the_console_is_closed_to_other_machines_without_a_password(house: House, visitor: Visitor) -> None:
    for headers in ({"x-forwarded-for": "10.0.0.7"}, {"host": "192.0.2.1"}):
        answer = visitor.get("/about", headers=headers)
        assert answer.status_code == 403
        assert "wbox-notify console --set-password" in answer.text
    link = house.daemon.console_link().removeprefix(house.url)
    assert Visitor(house.url).get(link, headers={"x-forwarded-for": "10.0.0.7"}).status_code == 403
    assert visitor.get("/about", headers={"host": "evil.example"}).status_code == 400


def test_only_the_proxies_that_the_environment_names_say_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.0/8")
    with House(tmp_path / "project") as house:
        answer = Visitor(house.url).get("/login", headers={"x-forwarded-for": "203.0.113.9"})
    assert answer.status_code == 200  # this machine is none of them: its header is not believed


def test_about_tells_each_setting_with_its_source_and_no_secret(visitor: Visitor) -> None:
    model = visitor.get("/about.json").json()
    settings = {setting["key"]: setting for setting in model["settings"]}
    assert settings["wbox.url"]["source"] == "environment"
    assert settings["history"] == {
        "key": "history",
        "value": "90d",
        "source": "default",
        "variable": "WBOX_HISTORY",
        "text": "how long finished things are kept",
    }
    assert "sk_canary_4711" not in visitor.get("/about").text + visitor.get("/about.json").text


def test_a_page_speaks_the_language_that_was_chosen(house: House) -> None:
    visitor = house.login()
    assert '<html lang="tr">' in visitor.get("/about", headers={"accept-language": "tr"}).text
    assert '<html lang="tr">' in visitor.get("/about?lang=tr").text
    assert '<html lang="tr">' in visitor.get("/about").text
    assert '<html lang="en">' in visitor.get("/about?lang=en", headers={"accept-language": "tr"}).text


# With a password

PASSWORD = "doğru at pil zımba"


def console(house: House, *words: str, typed: str = "") -> Result:
    """Run the command in this process."""
    runner = CliRunner(env=house.environ)
    return runner.invoke(command, words, obj=house.folder, input=typed, standalone_mode=False)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon whose console has a password and a public address."""
    public = {"WBOX_PUBLIC_URL": "https://notify.example.com"}
    with House(tmp_path_factory.mktemp("guarded") / "project", environ=public) as a_house:
        assert console(a_house, "--set-password", typed=f"{PASSWORD}\n").exit_code == 0
        yield a_house


PUBLIC = {
    "Host": "notify.example.com",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "Origin": "https://notify.example.com",
}


def test_the_password_lets_in_at_the_public_name(guarded: House) -> None:
    visitor = Visitor(guarded.url)
    assert 'type="password"' in visitor.get("/login", headers=PUBLIC).text
    answer = visitor.post("/login", data={"password": PASSWORD, "to": "/about"}, headers=PUBLIC)
    assert (answer.status_code, answer.headers["location"]) == (303, "/about")
    assert "secure" in answer.headers["set-cookie"].lower()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert Visitor(guarded.url).get("/about", headers={**PUBLIC, "Cookie": cookie}).status_code == 200


def test_a_proxy_that_leaves_the_port_out_passes_on_forms_too(tmp_path: Path) -> None:
    public = {"WBOX_PUBLIC_URL": "https://notify.example.com:8443"}
    with House(tmp_path / "project", environ=public) as house:
        assert console(house, "--set-password", typed=f"{PASSWORD}\n").exit_code == 0
        answered = {
            origin: Visitor(house.url)
            .post("/login", data={"password": PASSWORD}, headers={**PUBLIC, "Origin": origin})
            .status_code
            for origin in ("https://notify.example.com:8443", "https://notify.example.com:9999")
        }
    assert list(answered.values()) == [303, 403]


def test_pages_for_programs_do_not_answer_at_the_public_name(guarded: House) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/-/login"):
        assert Visitor(guarded.url).get(path, headers=PUBLIC).status_code == 400
    assert Visitor(guarded.url).get("/about", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "/\tx", "login", ""]
)
def test_a_login_leads_to_no_other_site(guarded: House, to: str) -> None:
    link = guarded.daemon.console_link().removeprefix(guarded.url)
    assert Visitor(guarded.url).get(link).status_code == 200  # the attempts of another test do not matter
    page = Visitor(guarded.url).get("/login", params={"to": to}).text
    assert 'name="to" value="/"' in page


def test_a_wrong_password_is_refused_and_reported_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It needs a house of its own, since only ten lines a minute tell of refused calls."""
    near = {"X-Forwarded-For": "203.0.113.77"}
    with House(tmp_path / "project") as house:
        assert console(house, "--set-password", typed=f"{PASSWORD}\n").exit_code == 0
        answer = Visitor(house.url).post("/login", data={"password": "not this one"}, headers=near)
    assert answer.status_code == 401
    assert "This is not the password." in answer.text
    assert "set-cookie" not in answer.headers
    assert "/login from 203.0.113.77 is refused with 401: a wrong password for the console" in caplog.text
    assert "not this one" not in caplog.text


def test_a_client_that_guesses_has_to_wait_and_others_have_not(guarded: House) -> None:
    guesses = [
        Visitor(guarded.url).post("/login", data={"password": "x"}, headers={"X-Forwarded-For": client})
        for client in [
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8::3",
            "2001:db8::4",
            "2001:db8::5",
            "2001:db8::6",
        ]
    ]
    assert [guess.status_code for guess in guesses] == [401] * 5 + [429]
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 13
    other = {"X-Forwarded-For": "198.51.100.4"}
    assert Visitor(guarded.url).post("/login", data={"password": PASSWORD}, headers=other).status_code == 303


def a_try(client: str) -> Request:
    return Request({"type": "http", "client": (client, 1), "headers": []})


def test_who_has_been_in_gets_in_while_strangers_guess_from_many_networks(tmp_path: Path) -> None:
    kept = tmp_path / "console.password"
    private.write(kept, hashed(PASSWORD))
    door = Door(kept, PageHosts(["localhost"]))
    assert door.wait(a_try("192.0.2.1")) == 0.0
    assert asyncio.run(door.enter(a_try("192.0.2.1"), PASSWORD))
    guesses = [door.wait(a_try(f"2001:db8:0:{network:x}::1")) for network in range(40)]
    assert guesses[0] == 0.0
    assert guesses[-1] > 0.0
    assert door.wait(a_try("192.0.2.1")) == 0.0
    assert door.wait(a_try("::ffff:192.0.2.1")) == 0.0  # the same address as IPv6 writes it
    assert door.wait(a_try("::ffff:192.0.2.2")) > 0.0
    tries = [door.wait(a_try("192.0.2.1")) for _ in range(4)]
    assert tries[-1] > 0.0


def test_a_new_password_logs_out_everybody(tmp_path: Path) -> None:
    with House(tmp_path / "project") as house:
        visitor = house.login()
        said = console(house, "--set-password", typed=f"{PASSWORD}\n")
        assert said.output == "The console has a new password. Whoever was logged in is logged out.\n"
        assert visitor.get("/about").status_code == 303
        kept = house.folder / "data" / "console.password"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert PASSWORD not in kept.read_text("utf-8")
        kept.chmod(0o644)  # one that others could have written lets nobody in
        answer = visitor.post("/login", data={"password": PASSWORD})
        assert answer.status_code == 401


def test_a_short_password_is_refused(guarded: House) -> None:
    said = console(guarded, "--set-password", typed="1234567\n")
    assert str(said.exception) == "this password is too short: it needs 8 characters"


def test_the_command_prints_a_link_of_the_running_daemon(house: House) -> None:
    link = console(house).output.strip()
    assert Visitor(house.url).get(link.removeprefix(house.url)).status_code == 200
    assert link.startswith(f"{house.url}/login/")


def test_the_command_opens_a_browser_by_a_private_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    link = console(house, "--open").output.strip()
    page = house.folder / "data" / "console.html"
    assert opened == [page.as_uri()]
    assert link in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(webbrowser, "open", lambda _url: False)
    assert str(console(house, "--open").exception) == "there is no browser here"


def test_the_command_without_a_daemon_says_so(place: Workplace) -> None:
    ran = place.run("console")
    assert ran.returncode == 69
    assert "no daemon runs here" in ran.stderr


def test_the_link_is_printed_on_a_terminal_alone(place: Workplace) -> None:
    terminal = Terminal(place, "run")
    until(lambda: "/login/" in terminal.read())
    terminal.process.terminate()
    terminal.end()
    daemon = place.start("run")
    until(place.card.exists)
    daemon.terminate()
    printed, logged = daemon.communicate(timeout=10)
    assert "address" in printed
    assert "/login/" not in printed + logged


def test_a_login_link_is_in_no_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with House(tmp_path / "project") as house:
        path = house.daemon.console_link().removeprefix(house.url)
        Visitor(house.url).get(path, headers={"X-Forwarded-For": "10.0.0.7"})
        Visitor(house.url).post(path, headers={"Origin": "https://evil.example"})
    assert "/login/… from 10.0.0.7 is refused with 403" in caplog.text
    assert path not in caplog.text


# Parts


def test_attempts_come_back_one_by_one() -> None:
    now = 0.0
    attempts = Attempts[str](3, 10.0, lambda: now)
    for _ in range(3):
        assert attempts.wait("a") == 0
        attempts.count("a")
    assert (attempts.wait("a"), attempts.wait("b")) == (10.0, 0)
    now = 10.0
    assert attempts.wait("a") == 0
    attempts.count("a")
    assert attempts.wait("a") == 10.0


def test_many_clients_take_a_bounded_memory() -> None:
    attempts = Attempts[int](3, 10.0, lambda: 0.0)
    for client in range(3000):
        attempts.count(client)
    assert len(attempts._busy_until) == 1000


def test_sessions_and_links_end() -> None:
    now = 0.0
    sessions = Sessions(lambda: now)
    early, late = (sessions.link().removeprefix("/login/") for _ in range(2))
    now = 899.0
    cookie = sessions.follow(early, b"")
    assert cookie
    now = 901.0
    assert sessions.follow(late, b"") is None
    assert sessions.find(cookie, b"")
    assert sessions.find(cookie, b"a new password") is None
    now = 8 * 86400.0
    assert sessions.find(cookie, b"") is None


def test_sessions_and_links_are_bounded() -> None:
    sessions = Sessions(lambda: 0.0)
    for _ in range(300):
        sessions.begin(b"")
        sessions.link()
    assert (len(sessions._sessions), len(sessions._links)) == (200, 20)


@pytest.mark.parametrize(
    "kept",
    [b"", b"{}", b"[]", b"\xff", b'{"n": 3, "r": 8, "p": 1, "salt": "", "hash": ""}',
     b'{"n": 1073741824, "r": 8, "p": 1, "salt": "", "hash": ""}',
     b'{"n": 16384, "r": 8, "p": 1, "salt": "", "hash": ""}'],
)  # fmt: skip
def test_a_damaged_password_file_lets_nobody_in(kept: bytes) -> None:
    assert not matches(kept, "")
    assert not matches(kept, PASSWORD)
