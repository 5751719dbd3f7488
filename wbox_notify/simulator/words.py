"""The words of the inbox page, in English and Turkish."""

# ruff: noqa: RUF001  Turkish has a dotless i

from collections.abc import Mapping

Words = Mapping[str, str]

_ENGLISH: Words = {
    "lang": "en",
    "title": "Simulator inbox",
    "banner": "Simulator: nothing here goes to WhatsApp",
    "chats": "Chats",
    "back": "All chats",
    "message": "message",
    "messages": "messages",
    "today": "Today",
    "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "empty": "No messages yet",
    "empty_more": "What is sent to this address shows up here. Try it:",
    "composer": "Programs write here, through /v1/send",
    "older": "Older messages are in",
    "sent": "answered 200",
    "unanswered": "accepted, not answered",
    "device": "Device",
    "linked": "Linked",
    "unlinked": "Not linked: sends are answered with 503",
    "unlink": "Unlink",
    "scan": "Scan with a phone",
    "qr": "QR code of device",
    "faults": "Faults",
    "faults_none": "None: every good request is answered with 200.",
    "fault_500": "Answer 500",
    "fault_429": "Answer 429",
    "fault_failed": "success: false",
    "fault_lost": "Lose the answer",
    "fault_slow": "Wait 2 s",
    "faults_off": "All off",
    "last": "Last request",
    "last_none": "None so far.",
    "cut": "cut",
    "clear_messages": "Clear messages",
    "noscript": "Without JavaScript: reload the page to see what is new.",
    "image": "Photo",
    "video": "Video",
    "audio": "Audio",
    "document": "Document",
    "event": "Event",
    "poll": "Poll",
    "poll_hint": "Select one or more",
    "no_date": "No date",
    "ledger": "Ledger as JSON",
    "tools": "Simulator",
}
_TURKISH: Words = {
    "lang": "tr",
    "title": "Simülatör gelen kutusu",
    "banner": "Simülatör: buradan WhatsApp'a hiçbir şey gitmez",
    "chats": "Sohbetler",
    "back": "Tüm sohbetler",
    "message": "mesaj",
    "messages": "mesaj",
    "today": "Bugün",
    "months": "Oca Şub Mar Nis May Haz Tem Ağu Eyl Eki Kas Ara",
    "empty": "Henüz mesaj yok",
    "empty_more": "Bu adrese gönderilenler burada görünür. Deneyin:",
    "composer": "Buraya programlar /v1/send ile yazar",
    "older": "Daha eski mesajlar:",
    "sent": "200 ile yanıtlandı",
    "unanswered": "kabul edildi, yanıtlanmadı",
    "device": "Cihaz",
    "linked": "Bağlı",
    "unlinked": "Bağlı değil: gönderimler 503 ile yanıtlanır",
    "unlink": "Bağlantıyı kes",
    "scan": "Telefonla okut",
    "qr": "QR kodu, cihaz",
    "faults": "Hatalar",
    "faults_none": "Yok: her doğru istek 200 ile yanıtlanır.",
    "fault_500": "500 yanıtla",
    "fault_429": "429 yanıtla",
    "fault_failed": "success: false",
    "fault_lost": "Yanıtı kaybet",
    "fault_slow": "2 sn bekle",
    "faults_off": "Hepsini kapat",
    "last": "Son istek",
    "last_none": "Henüz yok.",
    "cut": "kesildi",
    "clear_messages": "Mesajları sil",
    "noscript": "JavaScript kapalı: yenileri görmek için sayfayı yenileyin.",
    "image": "Fotoğraf",
    "video": "Video",
    "audio": "Ses",
    "document": "Belge",
    "event": "Etkinlik",
    "poll": "Anket",
    "poll_hint": "Bir veya daha fazla seçin",
    "no_date": "Tarih yok",
    "ledger": "JSON olarak kayıt",
    "tools": "Simülatör",
}


def words(accept_language: str) -> Words:
    """Return the words that a browser prefers: Turkish if it ranks above English, else English."""
    return _TURKISH if _weight(accept_language, "tr") > _weight(accept_language, "en") else _ENGLISH


def _weight(accept_language: str, language: str) -> float:
    """Return how much a language is wanted, 0 if it is not."""
    weights = [0.0]
    for wish in accept_language.lower().split(","):
        tag, _, quality = wish.replace(" ", "").partition(";q=")
        if tag.partition("-")[0] == language:
            weights.append(_number(quality) if quality else 1.0)
    return max(weights)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
