"""The words of the pages, in English and Turkish."""
# ruff: noqa: RUF001 - Turkish has a dotless i

from collections.abc import Mapping

from wbox_notify.web.html import wants_turkish

Words = Mapping[str, str]

_ENGLISH = {
    "lang": "en",
    "ack_title": "Are you on it?",
    "ack_text": "Press once, and the reminders about this stop: nobody else is asked.",
    "ack_button": "I am on it",
    "acked_title": "Noted",
    "acked_text": "Thank you. Nobody else is asked about this. You can close the page.",
    "release_title": "Send them all?",
    "release_text": "One event would send unusually many messages, so they wait for your word.",
    "release_button": "Send them",
    "released_title": "On their way",
    "released_text": "You can close the page. Messages that go out now:",
    "gone_title": "Nothing waits here",
    "gone_text": "These messages have been sent or dropped already.",
    "unkept_title": "That did not work",
    "unkept_text": "It could not be written down just now. Try once more in a moment.",
    "lost_title": "This link does not work",
    "lost_text": "It may be cut off. Open it once more from the message.",
    "rule": "Rule",
    "event": "Event",
}

_TURKISH = {
    "lang": "tr",
    "ack_title": "İlgileniyor musunuz?",
    "ack_text": "Bir kez dokunun, bununla ilgili hatırlatmalar dursun: başka kimseye sorulmaz.",
    "ack_button": "İlgileniyorum",
    "acked_title": "Kaydedildi",
    "acked_text": "Teşekkürler. Bunun için başka kimseye sorulmayacak. Sayfayı kapatabilirsiniz.",
    "release_title": "Hepsi gönderilsin mi?",
    "release_text": "Tek bir olay alışılmadık sayıda mesaj gönderecekti; mesajlar onayınızı bekliyor.",
    "release_button": "Gönder",
    "released_title": "Yola çıktılar",
    "released_text": "Sayfayı kapatabilirsiniz. Şimdi gönderilen mesaj sayısı:",
    "gone_title": "Bekleyen mesaj yok",
    "gone_text": "Bu mesajlar daha önce gönderilmiş ya da silinmiş.",
    "unkept_title": "Olmadı",
    "unkept_text": "Şu anda kaydedilemedi. Birazdan bir kez daha deneyin.",
    "lost_title": "Bu bağlantı çalışmıyor",
    "lost_text": "Eksik kopyalanmış olabilir. Mesajdan bir kez daha açın.",
    "rule": "Kural",
    "event": "Olay",
}


def words(accept_language: str) -> Words:
    """Return the words that a browser prefers: Turkish if it ranks above English, else English."""
    return _TURKISH if wants_turkish(accept_language) else _ENGLISH
