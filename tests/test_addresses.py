"""Addresses: judged after one strict reading, so that no other program reads another host."""

import ipaddress
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.models import PreparedRequest
from urllib3.util import parse_url

from wbox_notify.errors import MessageError
from wbox_notify.model.addresses import check_public, host_of, is_inside, is_loopback

WBOX = "https://server.wbox.me"

TWO_WAYS = [
    "http://１２７.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://١٢٧.٠.٠.١/",
    "http://127。0。0。1/",
    "http://127.0.0.1\u3002/",
    "http://127．0．0．1/",
    "http://127｡0｡0｡1/",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://nas.ⓛan/",
    "http://lоcalhost/",
    "http://nas.lаn/",
    "http://loca\u00adlhost/",
    "http://local\u200bhost/",
    "http://bücher.example/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%2f@example.com/",
    "http://example.com%2f@127.0.0.1/",
    "http://localhost%2eexample.com/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\\.localhost/",
    "http:\\\\127.0.0.1/",
    "http:/\\127.0.0.1/",
    "http://example.com/\\..\\127.0.0.1",
    "http://user@example.com/",
    "http://user:pass@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://a@b@127.0.0.1/",
    "http://127.0.0.1:80@example.com/",
    "http://example.com:80:80/",
    "http://example.com:/\\/",
    "http://example.com:8o/",
    "http://127.0.0.1\t.example.com/",
    "http://127.0.0.1\n/",
    "http://\x00127.0.0.1/",
    " http://127.0.0.1/",
    "http:// 127.0.0.1/",
    "http:///127.0.0.1/",
    "http:127.0.0.1/",
    "//127.0.0.1/",
    "ftp://127.0.0.1/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]x/",
    "http://[127.0.0.1]:80/",
    "http://[v1.a]/",
    "http://..127.0.0.1/",
    "http://127..0.0.1/",
    "http://127.0.0.1../",
    "http://",
    "",
]
INSIDE = [
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.0.1/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7F000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://0x/",
    "http://127.0.0.08/",
    "http://127.0.0.256/",
    "http://4294967296/",
    "http://1.2.3.4.5/",
    "http://999.1/",
    "http://example.0x7f/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://224.0.0.1/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::127.0.0.1]/",
    "http://[::8.8.8.8]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::ffff:0:8.8.8.8]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[64:ff9b:1::8.8.8.8]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:53aa:64c:0:fbff:80ff:fffe]/",
    "http://[2a00:1450::5efe:10.0.0.1]/",
    "http://[2a00:1450::200:5efe:10.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[100::1]/",
    "http://[2001:db8::1]/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://a.localhost/",
    "http://nas/",
    "http://nas.LAN./",
    "http://router.home.arpa/",
]
WORLD = [
    "https://example.com/a.jpg",
    "https://EXAMPLE.com.:8443/ä/b%20c.jpg?x=@y&z=%5C#f",
    "https://my_bucket.s3.amazonaws.com/a",
    "https://xn--bcher-kva.example/",
    "https://8.8.8.8/",
    "https://[2a00:1450:4001:80b::200e]/",
    "https://[64:ff9b::8.8.8.8]/",
    "https://[::ffff:8.8.8.8]/",
    "https://127.0.0.1.example.com/",
    "http://7f.example/",
]


@pytest.mark.parametrize("url", TWO_WAYS)
def test_what_two_programs_may_read_in_two_ways_is_refused_whoever_fetches(url: str) -> None:
    assert host_of(url) == ""
    assert is_inside(url)
    assert not is_loopback(url)
    for wbox in (WBOX, "http://127.0.0.1:1"):
        with pytest.raises(MessageError, match="in different ways"):
            check_public(url, wbox)


@pytest.mark.parametrize("url", INSIDE)
def test_what_only_this_network_has_is_refused_unless_wbox_is_on_this_machine(url: str) -> None:
    assert is_inside(url)
    check_public(url, "http://127.0.0.1:1")
    with pytest.raises(MessageError, match="cannot be fetched from outside of your network"):
        check_public(url, WBOX)


@pytest.mark.parametrize("url", WORLD)
def test_what_the_world_has_is_taken(url: str) -> None:
    assert not is_inside(url)
    check_public(url, WBOX)


PIECES = [
    *("127", "0", "1", "8", "0x7f", "10", "example", "com", "lan", "localhost", "::1", "ffff", "a", "xn--a"),
    *(
        ".",
        "..",
        ":",
        "@",
        "/",
        "\\",
        "%2e",
        "%31",
        "?",
        "#",
        "[",
        "]",
        "。",
        "．",
        "ⓛ",
        "１",
        "\t",
        " ",
        "-",
    ),
]


def number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=20))
@example("127.0.0.1。")
def test_what_counts_as_of_the_world_is_one_host_for_every_reader_and_no_private_number(text: str) -> None:
    url = f"http://{text}"
    if is_inside(url):
        return
    request = PreparedRequest()
    request.prepare_url(url, None)
    read = {urlsplit(url).hostname, parse_url(url).host, urlsplit(str(request.url)).hostname}
    hosts = {(host or "").lower().strip("[]").removesuffix(".") for host in read}
    assert len(hosts) == 1
    ip = number(hosts.pop())
    assert ip is None or ip.is_global
