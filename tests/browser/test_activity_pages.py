"""The pages about what happened in a real browser."""

from collections.abc import Iterator

import pytest
from consoles import House
from happenings import RULES, a_call
from playwright.sync_api import expect
from windows import KINDS, Kind, Windows
from workplace import until

from wbox_notify.web.console.activity import address


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house in which a file with a long name and two calls came, one of which sets off no rule."""
    with House(tmp_path_factory.mktemp("activity") / "project", {"rules/rules.yaml": RULES}) as a_house:
        (a_house.folder / "drop" / f"{'A-very-long-name-' * 10}.pdf").write_text("pdf")
        a_house.daemon.control.accept(a_call("alarm", {"text": "Fire in the kitchen\n*Now*"}))
        a_house.daemon.control.accept(a_call("nobody", {}, "webhook:nobody:1"))
        a_house.wbox.wait_for(2)
        yield a_house


def test_the_list_looks_right(windows: Windows) -> None:
    windows.look("/activity")


def test_a_filter_that_means_nothing_looks_right(windows: Windows) -> None:
    windows.look("/activity?since=yesterday&rule=alarm", "activity-filtered")


def test_a_trace_looks_right(windows: Windows) -> None:
    windows.look(address("webhook:alarm:1"), "trace")


def test_what_comes_in_appears_by_itself(windows: Windows) -> None:
    page = windows.page()
    page.goto(f"{windows.house.url}/activity")
    shown = page.get_by_text("/hook/alarm").count()
    windows.house.daemon.control.accept(a_call("alarm", {"text": "Once more"}, "webhook:alarm:2"))
    expect(page.get_by_text("/hook/alarm")).to_have_count(shown + 1)


def test_what_changes_while_the_page_is_on_its_way_is_asked_for_once_more(windows: Windows) -> None:
    page = windows.page()
    page.goto(f"{windows.house.url}/activity")
    page.evaluate("() => { window.asked = []; fetch = () => new Promise((_, fail) => asked.push(fail)); }")
    page.evaluate("renewSoon()")
    until(lambda: page.evaluate("asked.length") == 1)
    page.evaluate("renewSoon()")
    page.evaluate("asked[0]()")
    until(lambda: page.evaluate("asked.length") == 2)


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[4]], ids=lambda kind: kind.name)
def test_a_trouble_is_acknowledged_and_a_rule_silenced_by_buttons(windows: Windows, kind: Kind) -> None:
    name = f"webhook:alarm:{kind.name}"
    windows.house.daemon.control.accept(a_call("alarm", {"text": "Smoke"}, name))
    page = windows.page(kind)
    buttons = page.get_by_role("button")
    page.goto(f"{windows.house.url}{address(name)}")
    until(lambda: page.reload() and buttons.filter(has_text="Acknowledge").count())
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status")).to_have_text("Acknowledged: nobody else is called.")
    until(lambda: page.reload() and not buttons.filter(has_text="Acknowledge").count())
    page.get_by_role("button", name="1 hour").click()
    expect(page.get_by_role("status")).to_have_text("alarm tells nobody of anything for now.")
    until(lambda: page.reload() and buttons.filter(has_text="Let it speak again").count())
    page.get_by_role("button", name="Let it speak again").click()
    expect(page.get_by_role("status")).to_have_text("alarm speaks again.")


_STREAMS = """
window.streams = [];
window.EventSource = class extends EventSource {
  constructor(url) { super(url); window.streams.push(this); }
};
"""


def test_a_page_that_nobody_looks_at_follows_nothing_until_it_is_seen_again(windows: Windows) -> None:
    def look(*, hidden: bool) -> None:
        page.evaluate(
            """(hidden) => {
                Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )

    page = windows.page()
    page.add_init_script(_STREAMS)
    page.goto(f"{windows.house.url}/activity")
    shown = page.get_by_text("/hook/alarm").count()
    look(hidden=True)
    assert page.evaluate("window.streams.map((stream) => stream.readyState === EventSource.CLOSED)") == [True]
    windows.house.daemon.control.accept(a_call("alarm", {"text": "Unseen"}, "webhook:alarm:unseen"))
    look(hidden=False)
    expect(page.get_by_text("/hook/alarm")).to_have_count(shown + 1)
