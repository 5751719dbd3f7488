"""A power cut, made of what a real process did to its files: what was not synced may be lost in part."""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "trace=openat,write,sendto,pwrite64,ftruncate,fdatasync,fsync,unlink"

_CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_PLACE = re.compile(r"^\d+<([^>]*)>")
_SECTOR = 512


@dataclass(frozen=True)
class Step:
    """One call of a process: on a file, or something that it said to the world (``file`` is empty then)."""

    call: str
    file: str
    data: bytes = b""
    offset: int = 0


def recorded(log: Path) -> Iterator[Step]:
    """Yield what a log of strace tells of, in the order in which it was done."""
    for line in _whole(log.read_text().splitlines()):
        found = _CALL.match(line)
        if not found or found[3].startswith("-"):
            continue
        call, words = found[1], found[2]
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in re.findall(r'"((?:\\x..)*)"', words)]
        place = _PLACE.match(words)
        file = bytes.fromhex(place[1].replace("\\x", "")).decode() if place else ""
        if call in {"write", "sendto"}:
            yield Step("said", "", texts[0] if texts else b"")
        elif call == "pwrite64":
            yield Step(call, file, texts[0], int(words.rpartition(", ")[2]))
        elif call == "ftruncate":
            yield Step(call, file, offset=int(words.rpartition(", ")[2]))
        elif call in {"fdatasync", "fsync"}:
            yield Step("sync", file)
        elif call == "unlink":
            yield Step(call, texts[0].decode())


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Join the two halves of calls during which another thread did something."""
    begun: dict[str, str] = {}
    for line in lines:
        thread = line.partition(" ")[0]
        if line.endswith(" <unfinished ...>"):
            begun[thread] = line.removesuffix(" <unfinished ...>")
        elif " resumed>" in line:
            yield begun.pop(thread, "") + line.partition(" resumed>")[2]
        else:
            yield line


@dataclass
class Disk:
    """Files as they are on a disk: what was synced, and what waits to be written."""

    synced: dict[str, bytes] = field(default_factory=dict)
    waiting: dict[str, list[Step]] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Do what a process did."""
        if step.call == "unlink":
            self.synced.pop(step.file, None)
            self.waiting.pop(step.file, None)
        elif step.call == "sync":
            self.synced[step.file] = _applied(
                self.synced.get(step.file, b""), self.waiting.pop(step.file, [])
            )
        elif step.call != "said":
            self.waiting.setdefault(step.file, []).append(step)

    def cut(self, chance: random.Random, luck: float) -> dict[str, bytes]:
        """Return what is on the disk after a cut; ``luck`` is the share of waiting sectors that made it."""
        found = {}
        for file in {*self.synced, *self.waiting}:
            some = [part for step in self.waiting.get(file, []) for part in _sectors(step)]
            kept = [part for part in some if chance.random() < luck]
            found[file] = _applied(self.synced.get(file, b""), kept)
        return found


def _sectors(step: Step) -> Iterator[Step]:
    if step.call != "pwrite64":
        yield step
    for start in range(0, len(step.data), _SECTOR):
        yield Step(step.call, step.file, step.data[start : start + _SECTOR], step.offset + start)


def _applied(content: bytes, steps: Iterable[Step]) -> bytes:
    found = bytearray(content)
    for step in steps:
        end = step.offset + len(step.data)
        found.extend(bytes(max(0, end - len(found))))
        if step.call == "ftruncate":
            del found[step.offset :]
        else:
            found[step.offset : end] = step.data
    return bytes(found)
