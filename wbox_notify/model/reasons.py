"""Texts about deliveries and devices for people: why they stand where they do, in English and Turkish."""
# ruff: noqa: RUF001 - Turkish has a dotless i

from collections.abc import Mapping

from wbox_notify.model.deliveries import Delivery, Facts, Hold, LeftOut, State
from wbox_notify.model.outcomes import Outcome

_HOLDS: Mapping[str, Mapping[Hold, str]] = {
    "en": {
        Hold.STORM: "storm guard: {messages} messages at once",
        Hold.ROWS: "storm guard: counted with all rows of {file}",
        Hold.UNKNOWN: "may have been sent",
        Hold.SAME_KEY: "delivery {delivery} has the same key and says something else",
        Hold.RULE_GONE: "the rule {rule} is gone",
        Hold.READER_GONE: "{reader} is not told by this rule any more",
    },
    "tr": {
        Hold.STORM: "yığın koruması: bir seferde {messages} mesaj",
        Hold.ROWS: "yığın koruması: {file} dosyasının tüm satırlarıyla birlikte sayılıyor",
        Hold.UNKNOWN: "gönderilmiş olabilir",
        Hold.SAME_KEY: "{delivery} numaralı gönderinin anahtarı aynı, metni farklı",
        Hold.RULE_GONE: "{rule} kuralı artık yok",
        Hold.READER_GONE: "bu kural artık {reader} kişisine bildirim göndermiyor",
    },
}
_LEFT_OUT: Mapping[str, Mapping[LeftOut, str]] = {
    "en": {
        LeftOut.SAME_TEXT: "the same text was sent {seconds} s before",
        LeftOut.BACKLOG: "sent with delivery {delivery}",
        LeftOut.BY_HAND: "dropped by hand",
        LeftOut.UNKNOWN: "may have been sent",
        LeftOut.DONE: "done after all",
    },
    "tr": {
        LeftOut.SAME_TEXT: "aynı metin {seconds} sn önce gönderildi",
        LeftOut.BACKLOG: "{delivery} numaralı gönderiyle birlikte gönderildi",
        LeftOut.BY_HAND: "elle iptal edildi",
        LeftOut.UNKNOWN: "gönderilmiş olabilir",
        LeftOut.DONE: "sonradan yapıldı",
    },
}
_STATES: Mapping[str, Mapping[State, str]] = {
    "en": {State.EXPIRED: "not sent in time", State.UNKNOWN: "may have been sent"},
    "tr": {State.EXPIRED: "zamanında gönderilemedi", State.UNKNOWN: "gönderilmiş olabilir"},
}
_WITH: Mapping[str, str] = {"en": " in delivery {delivery}", "tr": " ({delivery} numaralı gönderiyle)"}
_WAITING: Mapping[str, Mapping[bool, str]] = {
    "en": {
        True: ", and {number} event of its {kind} waits",
        False: ", and {number} events of its {kind} wait",
    },
    "tr": dict.fromkeys((True, False), "; {kind} içinde bekleyen olay: {number}"),
}
_KINDS: Mapping[str, Mapping[str, str]] = {
    "en": {"quiet_hours": "quiet hours", "escalate": "escalation", "remind": "reminders"},
    "tr": {
        "group": "grup",
        "digest": "özet",
        "quiet_hours": "sessiz saatler",
        "throttle": "sınırlama",
        "burst": "toplu dosyalar",
        "rows": "satırlar",
        "escalate": "yükseltme",
        "remind": "hatırlatmalar",
    },
}
_THEN: Mapping[str, Mapping[bool, str]] = {
    "en": {
        True: "put it right and `queue release`, or `queue drop`",
        False: "put it back, then `queue retry`; `queue drop` forgets this",
    },
    "tr": {
        True: "düzeltip `queue release` verin ya da `queue drop` ile silin",
        False: "geri koyup `queue retry` verin; `queue drop` bunu siler",
    },
}
_CIRCUITS: Mapping[str, Mapping[Outcome, str]] = {
    "en": {
        Outcome.NOT_READY: "the phone is not linked; scan the QR code again (wbox-notify pair)",
        Outcome.UNAUTHORIZED: "wbox refuses the API key",
        Outcome.NOT_SENT: "wbox cannot be reached",
        Outcome.UNKNOWN: "wbox gives no clear answers",
        Outcome.LIMITED: "wbox asks to wait",
    },
    "tr": {
        Outcome.NOT_READY: "telefon bağlı değil; QR kodunu yeniden okutun (wbox-notify pair)",
        Outcome.UNAUTHORIZED: "wbox API anahtarını reddediyor",
        Outcome.NOT_SENT: "wbox'a ulaşılamıyor",
        Outcome.UNKNOWN: "wbox açık bir yanıt vermiyor",
        Outcome.LIMITED: "wbox beklemeyi istiyor",
    },
}
_NOTICES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "stopped": "WhatsApp sending has stopped: {why}. Messages waiting: {waiting}.",
        "sent again": "WhatsApp messages are sent again.",
        "solved": "Solved: {about}",
        "mended": "No file has an error any more: wbox-notify uses the rules as they are now.",
        "given up": "Messages of rule {rule} that could not be sent: {many} ({why})."
        " Run `wbox-notify queue list`.",
        "broken": "wbox-notify started with the last good rules, as {place} has an error: {message}."
        " Run `wbox-notify check`.",
        "undelivered": "(not delivered by WhatsApp to {to})",
    },
    "tr": {
        "stopped": "WhatsApp gönderimi durdu: {why}. Bekleyen mesaj: {waiting}.",
        "sent again": "WhatsApp mesajları yeniden gönderiliyor.",
        "solved": "Çözüldü: {about}",
        "mended": "Dosyalarda artık hata yok: wbox-notify kuralların son hâlini kullanıyor.",
        "given up": "{rule} kuralının gönderilemeyen mesajları: {many} ({why})."
        " `wbox-notify queue list` komutunu çalıştırın.",
        "broken": "{place} hatalı ({message}); wbox-notify son geçerli kurallarla başladı."
        " `wbox-notify check` komutunu çalıştırın.",
        "undelivered": "(WhatsApp ile {to} numarasına iletilemedi)",
    },
}


def why(delivery: Delivery, lang: str = "en") -> str:
    """Return why a delivery is not sent, or not sent yet; empty where nothing is known."""
    lang = _known(lang)
    parts = [_STATES[lang].get(delivery.state, "")]
    if delivery.state is State.EXPIRED and delivery.unknowns:
        parts.append(_STATES[lang][State.UNKNOWN])
    if delivery.hold:
        parts.append(hold(delivery.hold, delivery.facts, lang))
    if delivery.left_out:
        parts.append(left_out(delivery.left_out, delivery.facts, lang))
    return ": ".join(filter(None, (*parts, delivery.reason)))


def hold(code: Hold, facts: Facts, lang: str = "en") -> str:
    """Return why something waits for a person, and what that person can do."""
    lang = _known(lang)
    text = _HOLDS[lang][code].format_map(facts)
    if code is Hold.UNKNOWN:
        return text + _carrier(facts, lang)
    if code not in {Hold.RULE_GONE, Hold.READER_GONE}:
        return text
    if "number" not in facts:
        return f"{text}: {_THEN[lang][False]}"
    kind = _KINDS[lang].get(str(facts["kind"]), facts["kind"])
    waiting = _WAITING[lang][facts["number"] == 1].format(number=facts["number"], kind=kind)
    return f"{text}{waiting}: {_THEN[lang][True]}"


def left_out(code: LeftOut, facts: Facts, lang: str = "en") -> str:
    """Return why something is not sent any more."""
    lang = _known(lang)
    text = _LEFT_OUT[lang][code].format_map(facts)
    return text + _carrier(facts, lang) if code is LeftOut.UNKNOWN else text


def circuit(reason: Outcome, lang: str = "en") -> str:
    """Return why a device cannot send."""
    return _CIRCUITS[_known(lang)].get(reason, reason.value)


def notice(name: str, lang: str, **facts: object) -> str:
    """Return what other services are told by the fallback."""
    return _NOTICES[_known(lang)][name].format_map(facts)


def _carrier(facts: Facts, lang: str) -> str:
    """Return in which delivery a text may have been sent, where it was a part of another one."""
    return _WITH[lang].format_map(facts) if "delivery" in facts else ""


def _known(lang: str) -> str:
    return lang if lang in _HOLDS else "en"
