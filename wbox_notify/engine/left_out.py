"""Left out: what was too much to be told one by one is told as a number."""

from collections.abc import Mapping, Sequence

from wbox_notify.engine.item import Subject
from wbox_notify.engine.notification import single
from wbox_notify.engine.rule_run import RuleRun, text_to
from wbox_notify.rules.recipients import Reader

_WORDS: Mapping[str, str] = {
    "en": "… and {number} more of “{rule}” that were left out",
    "tr": "… ve “{rule}” için {number} bildirim daha geldi, gönderilmedi",
}


def tell(turn: RuleRun, stage: str, readers: Sequence[Reader], last: Subject, number: int) -> None:
    """Tell readers how many a stage left out; ``last`` is of the rule's latest event before that."""
    for reader in readers:
        words = _WORDS.get(reader.lang or turn.project.settings.lang, _WORDS["en"])
        message = text_to(reader, words.format(number=number, rule=turn.rule.name), turn.rule.name)
        turn.say(message, f"{single(last).origin}:{stage}:left out", "0")
    turn.decide(stage, "passed", f"told that {number} were left out")
