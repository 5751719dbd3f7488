"""No line that is shown beside a problem shows a secret, wherever in it one stands by mistake."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import project, rule_file

from wbox_notify.config.yaml.masking import masked
from wbox_notify.config.yaml.problems import render
from wbox_notify.rules.check import check

SHOWN = """\
wbox: {url: https://a.example}
secrets:
  hook: {file: /etc/wbox/hook}
  other: {env: HOOK}
  third:
    env: HOOK
    file: /etc/x
store: sqlite:///a
secrets: {a: {file: x}, b: {env: Y}}
rules:
  - id: customer-reminder-2-days-before
    trigger: {webhook: {path: x, open: true}}
    verify: {scheme: token}
    text: "Your token: {{ body.x }}"
    to: "+905551112233"
    path: /srv/invoices/2026/12/20261129
    url: https://files.example.com:8443/a@b.png?day=1&monkey={{ x }}
"""

HIDDEN = [
    "secrets:\n  hook: SECRET\n  more: 1",
    "secrets:\n  hook: 'SECRET, x'\n",
    "secrets:\n  hook: {value: SECRET}\n",
    "secrets:\n  hook: |\n    x SECRET\n    SECRET: y\n",
    "secrets:\n- SECRET\n- {a: SECRET}\n",
    "secrets:\n  # SECRET\n  a: {env: B} # SECRET\n",
    "secrets: {a: {file: x}, b: SECRET}",
    "secrets: {a: {file: x},\n  b: SECRET}",
    "secrets: {\na: SECRET,\nb: SECRET\n}",
    "secrets: [SECRET, SECRET]",
    "# secrets: {a: SECRET}",
    "trigger: {webhook: {path: x, secret: SECRET}}",
    "trigger: {webhook: {path: x, secret: 'x, SECRET', open: true}}",
    'trigger: {webhook: {path: x, secret: "x\\", SECRET", open: true}}',
    "trigger: {webhook: {path: x, secret: [a, SECRET], open: true}}",
    "trigger: {webhook: {path: x, secret: {a: b, c: SECRET}}}",
    "trigger: {webhook: {path: x, secret: 'SECRET",
    "- secret: x, SECRET",
    "- secret: x}SECRET",
    "  - secret:\n      - SECRET\n      - SECRET\n",
    "  - secret:\n    - SECRET\n",
    "secret: x\n  SECRET\n",
    'secret: "x\nSECRET"\n',
    "secret: [a,\nSECRET]\n",
    '"secret" : SECRET',
    "webhook_secret: SECRET",
    "password: SECRET",
    "headers: {authorization: SECRET}",
    "x-api-key: SECRET",
    "media: {url: 'https://anna:SECRET@files.example.com/a.png'}",
    "media: {url: https://SECRET@files.example.com/a.png}",
    "media: {url: 'https://files.example.com/a.png?size=1&X-Amz-Signature=SECRET&token=SECRET'}",
]


def test_what_is_no_secret_is_shown() -> None:
    assert "\n".join(masked(SHOWN.split("\n"))) == SHOWN


@pytest.mark.parametrize("text", HIDDEN)
@pytest.mark.parametrize("secret", ["hunter2", "plain-value", "Zażółć", "a#b"])
def test_what_stands_where_a_secret_is_expected_is_not_shown(text: str, secret: str) -> None:
    lines = text.replace("SECRET", secret).split("\n")
    shown = masked(lines)
    assert [len(line) for line in shown] == [len(line) for line in lines]
    assert secret not in "\n".join(shown)


@pytest.mark.parametrize(
    "token",
    [
        *("sk_0123456789", "ghp_16C7e42F292c6912E7", "xoxb-1234-abcdef", "whsec_MfKQ9r8GKYqrTwjU"),
        *("AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJIUzI1NiJ9.e30.x", "0123456789abcdef0123456789abcdef"),
    ],
)
def test_what_looks_like_a_token_is_shown_nowhere(tmp_path: Path, token: str) -> None:
    for line in (f"text: {token}", f"# {token}", f"id: '{token}'", f"to: [a, {token}]"):
        (shown,) = masked([line])
        assert (token in shown, len(shown)) == (False, len(line))
    text = rule_file(f"trigger: {{webhook: {{path: x, secret: {token}}}}}")
    found = project(tmp_path, {"rules/a.yaml": text}).problems
    assert found
    assert token not in "".join(map(render, found))
    assert token.upper() not in "".join(map(render, found))


def test_no_problem_with_a_neighbour_shows_a_secret(tmp_path: Path) -> None:
    settings = "version: 1\nsecrets:\n  hook: hunter2-plain\n  1wrong: {env: X}\nnonsense: 1\n"
    rule = 'trigger:\n  - webhook:\n      path: x\n      secret: "plain value"\n      nonsense: 1\n'
    found = check(project(tmp_path, {"wbox-notify.yaml": settings, "rules/a.yaml": rule_file(rule)}))
    shown = "".join(map(render, found))
    assert len(found) >= 4
    assert not re.search("hunter2|plain", shown)


@given(st.text("secrts: {}[]\"'#|-\n,x") | st.text())
def test_each_line_keeps_its_length(text: str) -> None:
    lines = text.split("\n")
    assert [len(line) for line in masked(lines)] == [len(line) for line in lines]


@pytest.mark.parametrize(
    "part", ["{secret: ", "secrets: ", "a: {env: ", "'", "a", "a1", "- ", "-", " ", "://", "sk_"]
)
def test_lines_of_any_length_cost_little(part: str) -> None:
    """What reads a line again from each place in it takes hours."""
    for length in (990, 1_000_000):
        line = (part * length)[:length]
        masked([line] * (1_000_000 // length))


def test_the_name_of_a_known_secret_is_shown(tmp_path: Path) -> None:
    settings = "secrets: {shop: {env: SHOP}, bank: {env: BANK}, hunter2: {env: PET}}"
    rules = rule_file("trigger: {webhook: {pth: x, secret: [shop, bank, shopping, hunter2]}}")
    environ = {"SHOP": "x" * 20, "BANK": "bank" * 5, "PET": "hunter2"}
    found = project(tmp_path, {"wbox-notify.yaml": settings, "rules/a.yaml": rules}, **environ)
    shown = "".join(map(render, found.problems))
    assert "secret: *shop* bank* ********* ********" in shown


@given(st.text(max_size=60), st.sets(st.text(min_size=1, max_size=5)))
def test_a_line_with_names_stays_as_long(line: str, names: set[str]) -> None:
    assert [*map(len, masked([f"secret: {line}"], names))] == [len(f"secret: {line}")]
