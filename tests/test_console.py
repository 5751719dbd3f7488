"""The door of the console, and what all of its pages have in common."""

import re
from collections.abc import Iterator

import pytest
from consoles import House, Visitor

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


def test_the_console_is_closed_to_other_machines_without_a_password(house: House, visitor: Visitor) -> None:
    for headers in ({"x-forwarded-for": "10.0.0.7"}, {"host": "192.0.2.1"}):
        answer = visitor.get("/about", headers=headers)
        assert answer.status_code == 403
        assert "wbox-notify console --set-password" in answer.text
    link = house.daemon.console_link().removeprefix(house.url)
    assert Visitor(house.url).get(link, headers={"x-forwarded-for": "10.0.0.7"}).status_code == 403
    assert visitor.get("/about", headers={"host": "evil.example"}).status_code == 400


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
