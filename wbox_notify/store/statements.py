"""The statements of the store, for SQLite and PostgreSQL alike; what each is for stands below it.

A list comes as JSON, which ``json_each`` turns into rows. An index with a ``where`` is used only by a
statement that has its words, so ``OPEN`` and ``CLOSED`` stand wherever deliveries are found by their state.
"""

from collections.abc import Iterable, Mapping, Sequence

from wbox_notify.store.leases import lives


def _whole(number: str) -> str:
    """Return the whole number below a number: a cast cuts off in SQLite, and rounds in PostgreSQL."""
    cast = f"cast({number} as bigint)"
    return f"{cast} - case when {cast} > {number} then 1 else 0 end"


ALL = 2**31 - 1
"""More than a statement ever finds: a limit that is none."""

# SQLite would build a list anew for each index and each row that is written. ``is true`` keeps it from taking
# such an index where one of the states alone is asked for, for which there is a better one.
OPEN = "(state = 'queued' or state = 'unknown' or state = 'sending') is true"
CLOSED = """(
    state = 'sent' or state = 'held' or state = 'dead' or state = 'expired' or state = 'cancelled'
) is true"""
_EACH_CLOSED = f"{CLOSED} and state in ('sent', 'held', 'dead', 'expired', 'cancelled')"
_GIVEN_UP = f"{CLOSED} and state in ('held', 'dead', 'expired')"
# Of several daemons no other one changes the rows that were found before this one has committed; SQLite has
# one writer, and reads a comment.
_LOCKED = "/* for update */"
_STORM = "hold in ('storm', 'rows')"
# PostgreSQL has the items of a list as texts.
_IDS = "id in (select cast(value as bigint) from json_each(:ids))"
_STATES = "state in (select value from json_each(:states))"
# A cross join keeps its order: each state is looked up alone, where CLOSED would lead through all of them.
_CLOSED_IN_STATES = f"""
select d.id, d.state from json_each(:states) cross join delivery d
where {CLOSED} and d.state = json_each.value
"""

# Events and decisions

PUT_EVENT = """
insert into event (id, type, at, data, received, host) values (:id, :type, :at, :data, :received, :host)
"""
"""Keep an event that is not known; where another daemon has just put it, the transaction is done again."""

EVENTS = "select * from event where id in (select value from json_each(:ids))"
"""Find events by their ids."""

KNOWN_EVENTS = "select id from event where id in (select value from json_each(:ids))"
"""Find which ids are those of events; what is in them, such as whole texts, is not read for that."""

# Who has a store alone has no name, and all is theirs.
_OURS = "(:host = '' or host in ('', :host))"

UNPLANNED = f"""
select * from event where planned is null and seq > :last and {_OURS} order by seq limit :most
"""
"""Find the oldest events without a plan that a machine took in."""

EVENTS_SINCE = """
select * from (select * from event where seq > :after order by seq desc limit :most) as newest order by seq
"""
"""Find the newest events, for ``log``."""


def _is_there(found: str) -> str:
    """Return the test whether there is any such row of an event.

    The offset keeps PostgreSQL from gathering those of all events at once.
    """
    return f"exists (select 1 from {found} limit 1 offset 0)"


_OF_EVENT = "delivery d where d.event_id = e.id"
_TELLS_OF_EVENT = "told t join delivery d on d.key = t.delivery where t.event_id = e.id"
_TO_RECIPIENTS = "d.recipient in (select value from json_each(:recipients))"
_STUCK = "d.state in ('dead', 'held', 'expired')"
# Of one event all is looked at: the plain words would lead through all that a rule has ever decided or made.
_WANTED = f"""
(:rule = '' or {_is_there("decision c where c.event_id = e.id and coalesce(c.rule, '') = :rule")}
    or {_is_there(f"{_OF_EVENT} and coalesce(d.rule, '') = :rule")})
and (:recipients = '[]' or {_is_there(f"{_OF_EVENT} and {_TO_RECIPIENTS}")}
    or {_is_there(f"{_TELLS_OF_EVENT} and {_TO_RECIPIENTS}")})
and (not :failed or {_is_there("decision c where c.event_id = e.id and c.outcome = 'failed'")}
    or {_is_there(f"{_OF_EVENT} and {_STUCK}")} or {_is_there(f"{_TELLS_OF_EVENT} and {_STUCK}")})
"""

EVENTS_WHERE = f"""
select * from (
    select * from event e
    where planned is not null and received between :since and :until and seq > :after and {_WANTED}
    order by received desc, seq desc limit :most
) as newest order by received, seq
"""
"""Find the newest events of a span of time, by rule and recipients where asked, for ``log`` and ``why``."""

EVENTS_CHOSEN = f"""
select * from event e
where id in (select value from json_each(:ids)) and planned is not null
and received >= :since and (received, seq) < (:until, :before) and {_WANTED}
order by received desc, seq desc limit :most
"""
"""Find the newest before one among a few."""

# The plain words would lead both engines through all that is planned, and so through all that came before.
EVENTS_AFTER = f"""
select * from event e
where seq > :after and coalesce(planned, -1) <> -1 and received between :since and :until and {_WANTED}
order by received, seq
"""
"""Find all that came after one, for ``log --follow``."""

FAILED_EVENTS = f"""
select event_id from decision where outcome = 'failed'
union all select event_id from delivery where {_GIVEN_UP}
union all select t.event_id from delivery d join told t on t.delivery = d.key where {_GIVEN_UP}
limit :most
"""
"""Find events of which something failed or waits for a person, as far as there are not too many."""

EVENTS_OF_RULE = """
select event_id from decision where rule = :rule
union all select event_id from delivery where rule = :rule and rule <> ''
limit :most
"""
"""Find events that a rule has followed, the same way."""

EVENTS_TO = """
select d.event_id from json_each(:recipients) cross join delivery d where d.recipient = json_each.value
union all
select t.event_id from json_each(:recipients) cross join delivery d join told t on t.delivery = d.key
where d.recipient = json_each.value
limit :most
"""
"""Find events that recipients were told of, the same way."""

_BEFORE = """
from event where planned is not null and received >= :since and (received, seq) < (:until, :before)
order by received desc, seq desc
"""

EVENTS_BEFORE = f"""
select e.* from (select seq {_BEFORE} limit :looked_at) as looked join event e on e.seq = looked.seq
where {_WANTED} order by e.received desc, e.seq desc limit :most
"""
"""Find the newest before one, among as many as one page may look at."""

LAST_BEFORE = f"select seq {_BEFORE} limit 1 offset :skipped"
"""Find where the next page goes on looking."""

RECEIVED = "select received from event where seq <= :seq order by seq desc limit 1"
"""Find when an event came, or the one before it if it is forgotten."""

EVENTS_FROM = """
select * from event where planned is not null and (received, seq) > (:received, :seq)
order by received, seq limit :most
"""
"""Read planned events in the order in which they came, for ``plan``."""

EVENTS_OF_FILE = """
select e.* from event e join (
    select event_id from file where path = :path
    union select event_id from file where inode = :inode and mtime_ns = :mtime_ns and moved_to = :path
) as versions on versions.event_id = e.id order by e.seq
"""
"""Find the events of all versions of a file, also where it lies after it was put away."""

LAST_EVENT = "select coalesce(max(seq), 0) as seq from event"
"""Find the number of the newest event."""

# The plain words would lead PostgreSQL through all that is unplanned, of which there may be much.
MARK_PLANNED = "update event set planned = :now where id = :id and coalesce(planned, -1) = -1"
"""Note that an event has its plan."""

PLAN_AGAIN = "update event set planned = null where id = :id"
"""Let an event be planned once more, which could not be planned at all."""

DECIDE = """
insert into decision (event_id, rule, stage, outcome, detail, wording, at)
values (:event_id, :rule, :stage, :outcome, :detail, :wording, :at)
"""
"""Keep why something was or was not sent."""

DECISIONS = "select * from decision where event_id = :id order by seq limit :most"
"""Find what was decided about an event."""

LAST_DECISIONS = """
select c.* from (
    select max(c.seq) as last, min(c.seq) as number
    from json_each(:ids) cross join decision c where c.event_id = json_each.value group by c.event_id, c.rule
) as newest join decision c on c.seq = newest.last order by newest.number
"""
"""Find the last that each rule decided about some events."""

# What rules remember

REMEMBER = """
insert into memory (rule, kind, key, value, due, event_id)
values (:rule, :kind, :key, :value, :due, :event_id)
on conflict (rule, kind, key) do update
set value = excluded.value, due = excluded.due, event_id = excluded.event_id
"""
"""Keep or replace one thing that a rule remembers."""

REMEMBER_EVENTS = """
insert into memory_event (event_id, rule, kind, key)
select value, :rule, :kind, :key from json_each(:events) where true
on conflict do nothing
"""
"""Note which events a memory is about; thousands may wait in one, and most of them are known."""

FORGET_OTHER_EVENTS = """
delete from memory_event
where rule = :rule and kind = :kind and key = :key
and event_id not in (select value from json_each(:events))
"""
"""Forget the events that a memory is not about any more."""

FORGET = "delete from memory where rule = :rule and kind = :kind and key = :key"
"""Forget one thing."""

FORGET_EVENTS = "delete from memory_event where rule = :rule and kind = :kind and key = :key"
"""Forget which events a memory is about."""

REMEMBERED = "select value from memory where rule = :rule and kind = :kind and key = :key"
"""Find one thing that a rule remembers."""

MEMORIES_ABOUT = """
select m.* from memory_event e join memory m on m.rule = e.rule and m.kind = e.kind and m.key = e.key
where e.event_id = :id order by m.due, m.rule, m.kind
"""
"""Find what rules keep in mind about an event, for ``why``."""

# The rows of a file are read where it is.
_HERE = """
(kind <> 'rows' or :host = '' or not exists (
    select 1 from event e where e.id = memory.key and e.host not in ('', :host) limit 1 offset 0
))
"""

MEMORIES_DUE = f"select * from memory where due <= :now and {_HERE} order by due, seq limit :most"
"""Find what rules want to be woken with now, on a machine; of one instant what began first comes first."""

MEMORIES_AHEAD = """
select * from memory where kind = :kind and due is not null order by due, seq limit :most
"""
"""Find what of one kind rules want to be woken with first."""

NEXT_MEMORY = f"select due from memory where due is not null and {_HERE} order by due limit 1"
"""Find when the next rule wants to be woken on a machine."""

MEMORIES = "select * from memory where kind in (select value from json_each(:kinds))"
"""Find all memories of some kinds."""

# Deliveries as plans make them

NEXT_NUMBER = """
select max(number) + 1 from (
    select coalesce(max(id), 0) as number from delivery
    union all
    select cast(value as bigint) from memory where rule = '-' and kind = 'number' and key = ''
) as used
"""
"""Find the next number of a delivery. One that a person has read on a list never becomes that of another."""

PUT_DELIVERY = f"""
insert into delivery
    (id, key, event_id, rule, device, recipient, message, state, reason, hold, facts,
    due, created, changed, expires, lifetime, priority, on_unknown, same)
values
    (({NEXT_NUMBER}),
    :key, :event_id, :rule, :device, :recipient, :message, :state, :reason, :hold, :facts,
    :now, :now, :now, :expires, :lifetime, :priority, :on_unknown, :same)
on conflict (key) do nothing
"""
"""Keep a delivery, whose number ``OF_KEY`` finds; ``returning`` costs as much as the insert itself."""

KEEP_NUMBER = """
insert into memory (rule, kind, key, value, due) values ('-', 'number', '', cast(:id as text), null)
on conflict (rule, kind, key) do update set value = excluded.value
where cast(memory.value as bigint) < cast(excluded.value as bigint)
"""
"""Keep the number of a delivery that is about to be deleted."""

OF_KEY = "select id, message from delivery where key = :key"
"""Find the delivery that a key belongs to."""

TELL_EVENT = "insert into told (event_id, delivery) values (:event_id, :delivery) on conflict do nothing"
"""Note that a delivery tells of one more event, as those of a group or a digest do."""

DONE_AFTER_ALL = """
update delivery set state = 'cancelled', changed = :now, left_out = 'done'
where key = :key and state = 'dead' and message is null
"""
"""Take a failure off the list, since what failed has been done."""

_OF_FAILURE = "where kind = 'failed' and key = :key and rule in (select rule from delivery where key = :key)"

FORGET_FAILURE = f"delete from memory {_OF_FAILURE}"
"""Forget what a retry of it would follow."""

FORGET_FAILURE_EVENTS = f"delete from memory_event {_OF_FAILURE}"
"""Forget which event that was about."""

MOVED_TO = "select moved_to from file where event_id = :id and moved_to is not null"
"""Find where a file lies that was put away, so that a retry can read it."""

FORGET_DELIVERY = "delete from delivery where id = :id"
"""Delete a delivery without a message, whose rule follows again what failed."""

# Whose turn it is

WAITING_DEVICES = f"""
with recursive devices (device) as (
    select min(device) from delivery where {OPEN}
    union all
    select (select min(device) from delivery where {OPEN} and device > devices.device)
    from devices where devices.device is not null
)
select device from devices where device is not null
"""
"""Find the devices that something waits for, each one step into an index."""

TURNS = "select recipient, next from turn where device = :device"
"""Find the next turns of a device and its recipients."""

SENDING = "select id, recipient from delivery where state = 'sending' and device = :device"
"""Find what is being sent through a device."""

_WAITING = "d.id, d.device, d.recipient, d.rule, d.priority, d.due, d.expires, d.claims, d.state"

_QUEUE_OF_DEVICE = f"select id, priority from delivery where {OPEN} and device = :device"

WAITING_AFTER = f"""
select {_WAITING} from (
    select * from (
        {_QUEUE_OF_DEVICE} and priority = :priority and id > :id order by id limit :most
    ) as equal
    union all
    select * from (
        {_QUEUE_OF_DEVICE} and priority < :priority order by priority desc, id limit :most
    ) as lower
    order by priority desc, id limit :most
) as slice join delivery d on d.id = slice.id order by d.priority desc, d.id
"""
"""Read on in the queue of a device behind a place: critical first, then the oldest."""

WAITING_OF = f"""
select {_WAITING} from delivery d
where d.{_IDS} and d.state in ('queued', 'unknown')
"""
"""Find those of some deliveries that wait."""

NEXT_EXPIRY = f"""
select min(expires) as due from delivery where {OPEN} and state <> 'sending' and expires > :after
"""
"""Find when the next delivery expires."""

STILL_WAITS = f"""
select * from delivery where id = :id and claims = :claims and state in ('queued', 'unknown') {_LOCKED}
"""
"""Read the delivery whose turn it is, unless somebody has changed it meanwhile."""

BEGIN = """
update delivery set state = 'sending', claims = claims + 1, changed = :now
where id = :id and claims = :claims and state in ('queued', 'unknown')
"""
"""Mark a delivery as being sent, before the request leaves."""

BEGIN_ATTEMPT = "insert into attempt (delivery_id, number, started) values (:id, :claims, :now)"
"""Keep the beginning of an attempt."""

BEGUN = """
select a.started, d.recipient from attempt a join delivery d on d.id = a.delivery_id
where a.started > :since and a.started <= :now and d.device = :device order by a.started desc
"""
"""Find the attempts of a day, by which the pace of a device counts."""

END_TURNS = """
delete from turn where next <= :now and device in (select value from json_each(:devices))
"""
"""Forget turns that have come."""

TAKE_TURN = """
insert into turn (device, recipient, next) values (:device, :recipient, :next)
on conflict (device, recipient) do update set next = excluded.next
"""
"""Keep when a device or a recipient has its next turn."""

SAME_SENT = """
select max(changed) as at from delivery
where recipient = :recipient and same = :same and same <> '' and state = 'sent'
and changed > :since and changed <= :now
"""
"""Find when a recipient was sent the same text."""

BACKLOG = f"""
select * from delivery
where device = :device and recipient = :recipient and {OPEN} and priority = :priority and state = 'queued'
and created <= :before order by id limit 200
"""
"""Find the texts that have waited for one recipient, which go out as one."""

PARTS = f"""
select * from delivery
where {_IDS} and state in ('queued', 'expired') order by id {_LOCKED}
"""
"""Find those of the parts of a merged text that were not decided about meanwhile."""

INTERRUPTED = "select * from delivery where state = 'sending' order by +id"
"""Find what was being sent when the last owner of the store ended."""

INTERRUPTED_OF = """
select * from delivery where state = 'sending' and device in (select value from json_each(:devices))
"""
"""Find what is being sent through some devices."""

# How an attempt ends

FINISH = """
update delivery
set state = :state, due = :due, tries = :tries, unknowns = :unknowns, failures = failures + :failed,
    reason = :reason, hold = :hold, left_out = :left_out, facts = '{}', changed = :now
where id = :id and claims = :claims
and (state = 'sending' or :state = 'sent' and unknowns > 0 and (state = 'unknown' or hold = 'unknown'))
"""
"""Keep what follows an attempt, unless the delivery was claimed again meanwhile. Who was taken for dead too
early may still know that it was sent, where all others could only say that they do not know."""

FINISH_ATTEMPT = """
update attempt set latency = :latency, outcome = :outcome, status = :status, detail = :detail
where delivery_id = :id and number = :claims and outcome is null
"""
"""Keep how an attempt ended, once: that it was in doubt stays written."""

CARRIED = """
select key, value from memory
where rule = '-' and kind = 'merged' and key in (select value from json_each(:keys))
"""
"""Find which of some deliveries carry the texts of others, and which ones."""

LEAVE_OUT = """
update delivery
set state = 'cancelled', changed = :now, left_out = :left_out, facts = :facts, hold = null, reason = ''
where id = :id
"""
"""Cancel a delivery, and say why."""

DOUBT = """
update delivery
set state = :state, hold = :hold, left_out = :left_out, facts = :facts, reason = '', changed = :now
where id = :id
"""
"""Let a part share the doubt about the delivery that carried its text."""

ALONE_AGAIN = """
update delivery set state = 'queued', due = :now, tries = 0, failures = 0, changed = :now where id = :id
"""
"""Send a text by itself whose merged form was refused."""

_EXPIRED = f"{OPEN} and state <> 'sending' and expires <= :now and expires > :after"

EXPIRES_IN_DOUBT = f"select id, unknowns from delivery where {_EXPIRED} and unknowns > 0 {_LOCKED}"
"""Find what expires and may have been sent."""

EXPIRE = f"update delivery set state = 'expired', changed = :now where {_EXPIRED}"
"""Give up what was not sent in time."""

# Circuits

CIRCUITS = "select * from circuit order by device"
"""Find the devices that cannot send."""

OPEN_CIRCUIT = """
insert into circuit (device, reason, since, until, probes) values (:device, :reason, :now, :until, 0)
on conflict (device) do update
set reason = excluded.reason, until = excluded.until, probes = circuit.probes + 1, trying = 0
where circuit.trying = 1
"""
"""Stop sending through a device."""

KEEP_CIRCUIT_OPEN = """
update circuit set reason = :reason, until = :until, probes = probes + 1 where device = :device
"""
"""Note that a device was looked at and cannot send yet."""

TRY_CIRCUIT = "update circuit set trying = 1 where device = :device"
"""Let one message at a time through a device."""

TELL_CIRCUIT = "update circuit set told = 1 where device = :device"
"""Note that the fallback knows of a circuit."""

CLOSE_CIRCUIT = "delete from circuit where device = :device"
"""Let a device send again."""

OTHERS_PASSED = f"""
select 1 from delivery d
where {CLOSED} and d.state = 'sent' and d.id <> :id and d.device <> 'apprise'
and (:everywhere = 1 or d.device = :device)
and d.changed > (
    select a.started from attempt a
    where a.delivery_id = :id and a.number = :before and a.outcome = :outcome
)
limit 1
"""
"""Say whether others were sent after an attempt failed, so that the failure is the message's own."""

# What a person does to the queue

DELIVERIES = f"""
select * from delivery where {_IDS} and {_STATES} order by id {_LOCKED}
"""
"""Find deliveries by their ids, of those in some states, which a person changes."""

_IN_STATES = f"""
id in (
    select id from delivery where {OPEN} and {_STATES}
    union all select id from ({_CLOSED_IN_STATES}) as closed
)
and id > :after and :rule in ('', rule) and :event in ('', event_id)
and (:recipients = '[]' or recipient in (select value from json_each(:recipients)))
"""

QUEUE = f"select * from delivery where {_IN_STATES} order by id limit :most"
"""List the deliveries in some states, oldest first, of one rule, one event or some recipients if named."""

ALL_IN_STATES = f"select * from delivery where {_IN_STATES} order by id {_LOCKED}"
"""Find all of them, which a person changes."""

QUEUE_IDS = f"select id from delivery where {_IN_STATES} order by id"
"""Find the ids of the same."""

QUEUE_COUNT = f"select count(*) as many from delivery where {_IN_STATES}"
"""Count the same."""

QUEUE_BY_RULE = f"""
select rule, state, count(*) as many from (
    select rule, state from delivery where {OPEN} and {_STATES}
    union all
    select d.rule, d.state from json_each(:states) cross join delivery d
    where {CLOSED} and d.state = json_each.value
) as counted group by rule, state order by rule, state
"""
"""Count the deliveries in some states by rule."""

STORMS = f"""
select event_id, rule, count(*) as many, min(created) as since, min(id) as id from delivery
where {CLOSED} and state = 'held' and {_STORM} group by event_id, rule order by id limit :most
"""
"""Find the events of which the storm guard holds messages, oldest first."""

OF_STORM = f"""
select * from delivery where event_id = :id and state = 'held' and {_STORM} order by id {_LOCKED}
"""
"""Find what the storm guard holds of an event."""

REQUEUE = """
update delivery
set state = 'queued', due = :now, expires = :now + lifetime, tries = 0, unknowns = 0, failures = 0,
    changed = :now, reason = '', hold = null, facts = '{}', same = ''
where id = :id
"""
"""Put a delivery back into the queue, due now."""

LET_GO = f"""
update delivery
set state = 'queued', due = :now, expires = :now + lifetime, changed = :now, hold = null, facts = '{{}}'
where event_id = :id and state = 'held' and {_STORM} and :rule in ('', rule)
returning *
"""
"""Let go what the storm guard holds of an event."""

ANSWER_STORMS = f"""
insert into memory (rule, kind, key, value, due, event_id)
select rule, 'storm', event_id, :value, :due, event_id from delivery
where {CLOSED} and state = 'held' and {_STORM} and :id in ('', event_id)
union
select rule, 'storm', key, :value, :due, key from memory where kind = 'rows' and :id in ('', key)
on conflict (rule, kind, key) do update set value = excluded.value, due = excluded.due
"""
"""Keep what a person says of a storm, also for the rows of its file that are still to be followed."""

# What is asked

DELIVERY = "select * from delivery where id = :id"
"""Find one delivery."""

DELIVERIES_OF_EVENT = "select * from delivery where event_id = :id order by id limit :most"
"""Find what came of an event."""

DELIVERIES_ABOUT = """
select d.* from told t join delivery d on d.key = t.delivery
where t.event_id = :id and d.event_id <> :id order by d.id limit :most
"""
"""Find what told of an event together with others, as a group or a digest does."""

MADE_OF_EVENTS = """
select event_id, rule, state, count(*) as many from (
    select d.event_id, d.rule, d.state, d.id
    from json_each(:ids) cross join delivery d where d.event_id = json_each.value
    union all
    select t.event_id, d.rule, d.state, d.id
    from json_each(:ids) cross join told t join delivery d on d.key = t.delivery
    where t.event_id = json_each.value and d.event_id <> t.event_id
) as counted group by event_id, rule, state order by min(id)
"""
"""Count what came of events, or told of them together with others, by rule and state."""

STANDINGS = "select key, state, changed from delivery where key in (select value from json_each(:keys))"
"""Find the states of deliveries by their keys, for the copies of their files."""

SENT = """
select 1 from delivery
where key >= :prefix and key < :end and state = 'sent' and device <> :apprise limit 1
"""
"""Say whether wbox took a message whose key begins with a prefix."""

ATTEMPTS = "select * from attempt where delivery_id = :id order by number"
"""Find the attempts of a delivery."""

COUNTS = f"""
select state, count(*) as many from (
    select state from delivery where {OPEN} and {_STATES}
    union all select state from ({_CLOSED_IN_STATES}) as closed
) as counted group by state
"""
"""Count the deliveries in some states, for ``status``."""

SENT_SINCE = f"""
select count(*) as many from delivery where {CLOSED} and state = 'sent' and changed >= :since
"""
"""Count what was sent since a time."""

REPEATED_SINCE = f"""
select count(*) as many from delivery
where {CLOSED} and state = 'cancelled' and changed >= :since and left_out = 'same_text'
"""
"""Count what was left out since a time, as its text had just been sent."""

_OF_RULE = "d.rule <> '' and d.rule = json_each.value"

LAST_OF_RULES = f"""
select json_each.value as rule, (select max(d.created) from delivery d where {_OF_RULE}) as last,
    (select m.due from memory m
        where m.rule = json_each.value and m.kind = 'silence' and m.key = '') as silent
from json_each(:rules)
"""
"""Find when each rule made its last message, and until when it is silent."""

MADE_BY_RULES = f"""
select d.rule, {_whole("(d.created - :since) / :slot")} as slot, count(*) as many
from json_each(:rules) cross join delivery d
where {_OF_RULE} and d.created >= :since group by d.rule, slot
"""
"""Count the messages that rules made in each of the slots of time since a time."""

MADE_FOR_RECIPIENTS = """
with recursive rules (rule) as (
    select min(rule) from delivery where rule <> ''
    union all
    select (select min(rule) from delivery where rule <> '' and rule > rules.rule)
    from rules where rules.rule is not null
)
select d.recipient, count(*) as many from rules cross join delivery d
where d.rule <> '' and d.rule = rules.rule and d.created >= :since group by d.recipient
"""
"""Count the messages that were made for each recipient since a time, also by rules that are gone."""

LAST_EVENT_OF_RULE = """
select * from event where id = (
    select event_id from delivery where rule <> '' and rule = :rule order by created desc limit 1
)
"""
"""Find the event of the last message of a rule, for a try."""

ENDED_IN_SLOTS = f"""
with recursive slots (slot) as (
    select cast(:first as bigint) union all select slot + 1 from slots where slot < :last
)
select * from (
    select slot, json_each.value as state, (
        select count(*) from delivery d where {CLOSED} and d.state = json_each.value
        and d.changed >= slot * :seconds and d.changed < (slot + 1) * :seconds
    ) as many
    from slots cross join json_each(:states)
) as counted where many > 0
"""
"""Count what came to rest in some states, in slots of so many seconds since the epoch."""

DELAYS = f"""
select changed - created as delay from delivery
where {CLOSED} and state = 'sent' and changed >= :since and changed < :until order by changed desc limit :most
"""
"""Find how long the newest messages that were sent in a time took from their plan until they were sent."""

WAITING_SINCE = f"""
select (
    select count(*) from delivery where {OPEN} and created <= cast(json_each.value as double precision)
) as many
from json_each(:times) order by json_each.key
"""
"""Count what waits already since each of some times."""

OLDEST_WAITING = f"select min(created) as oldest from delivery where {OPEN}"
"""Find since when the oldest delivery waits."""

WAITING = f"""
select count(*) as many from delivery
where {OPEN} and state <> 'sending' and device <> 'apprise' and :device in (device, '*')
"""
"""Count what waits for a device."""

UNHEARD = f"""
select * from (
    select d.* from delivery d
    where {_GIVEN_UP} and d.changed > :since and coalesce(d.hold, '') not in ('storm', 'rows')
    union all
    select * from delivery where id in (
        select d.id from circuit cross join delivery d
        where told = 1 and {OPEN} and d.state <> 'sending' and circuit.device in (d.device, '*')
    )
) as unheard
where rule in (select value from json_each(:rules)) and device <> 'apprise'
and not exists (select 1 from delivery n where n.key = unheard.key || ':fallback:0')
order by +id limit 50
"""
"""Find what WhatsApp does not carry and the fallback of its rule has not been given yet."""

GIVEN_UP = f"""
select hour, many, last.* from (
    select {_whole("changed / 3600")} as hour, count(*) as many, max(id) as id from delivery
    where {_GIVEN_UP} and changed > :since and device <> 'apprise'
    and coalesce(hold, '') not in ('storm', 'rows')
    group by rule, hour
) as hours join delivery last on last.id = hours.id
"""
"""Count what was given up since a time, by rule and hour, with the last of each."""

# Files

_FACTS = "event_id, path, root, device, inode, size, mtime_ns, ctime_ns, digest, fate"

SEE_FILE = """
insert into file
    (event_id, path, root, device, inode, size, mtime_ns, ctime_ns, digest, fate, changed, looked, host)
values
    (:event_id, :path, :root, :device, :inode, :size, :mtime_ns, :ctime_ns, :digest, :fate, :now, :now, :host)
on conflict (event_id) do update set
    seq = (select max(seq) + 1 from file),
    path = excluded.path, root = excluded.root, device = excluded.device, inode = excluded.inode,
    size = excluded.size, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,
    digest = case excluded.digest when '' then file.digest else excluded.digest end
"""
"""Keep a file version; what has changed about it makes it the newest of its path."""

FILES_AT = f"""
with asked(place) as (values {{paths}})
select {_FACTS} from asked join file on seq = (select max(seq) from file where path = place)
"""
"""Find the newest version at each of some paths, which are bytes and so no JSON."""

FILES = f"select {_FACTS} from file where event_id in (select value from json_each(:ids))"
"""Find versions by the ids of their events."""

FILES_MOVED = f"""
select {_FACTS} from file
where (inode, mtime_ns) in (
    select cast(json_extract(value, '$[0]') as bigint), json_extract(value, '$[1]') from json_each(:facts)
)
and path is not null and fate in ('seen', 'ignored', 'open', 'left') order by seq
"""
"""Find versions under other paths by inode and time."""

# Each part is looked up for one file: of `exists` PostgreSQL might make a list of all deliveries first.
OPEN_FILES = f"""
select f.*,
    (select 1 from event e where e.id = f.event_id and e.planned is not null) is not null
    and (
        select 1 from delivery d
        where d.event_id = f.event_id and d.state in ('queued', 'unknown', 'sending', 'held') limit 1
    ) is null
    and (
        select 1 from told t join delivery d on d.key = t.delivery
        where t.event_id = f.event_id and d.state in ('queued', 'unknown', 'sending', 'held') limit 1
    ) is null
    and (
        select 1 from memory_event m
        where m.event_id = f.event_id and (m.kind = 'failed' or (
            select 1 from decision c
            where c.event_id = f.event_id and c.rule = m.rule and c.stage = m.kind and c.outcome = 'waits'
            limit 1
        ) is not null)
        limit 1
    ) is null as final
from file f where f.fate = 'open' and {_OURS} and f.seq > :after order by f.seq limit :most
"""
"""List files of a machine that are still to be put away, and whether anything can still follow from them."""

FAILED_OF_EVENT = """
select * from delivery where id in (
    select id from delivery where event_id = :id
    union select d.id from told t join delivery d on d.key = t.delivery where t.event_id = :id
) and (
    state in ('dead', 'expired')
    or state = 'cancelled' and coalesce(left_out, '') not in ('same_text', 'backlog')
) order by id
"""
"""Find the deliveries of an event that failed; one whose recipient has its text otherwise has not."""

SETTLE_FILE = """
update file set fate = :fate, detail = :detail, moved_to = :moved_to, changed = :now where event_id = :id
"""
"""Keep what became of a file."""

UNLOOKED = f"""
select f.*, (
    select n.device from file n
    where (n.root, n.seq) <= (f.root, 9223372036854775807) order by n.root desc, n.seq desc limit 1
) as newest
from file f where f.looked < :before and f.fate <> 'open' and f.path is not null and {_OURS}
order by f.looked limit :most
"""
"""Find settled files of a machine that were not looked for since a time.

Each has the device of the newest of its root.
"""

LOOKED = """
update file
set looked = :now, gone = case when cast(:gone as double precision) is not null then coalesce(gone, :gone) end
where event_id = :id
"""
"""Note that a file is there, or since when it is gone."""

FORGET_FILES = "delete from file where gone < :forget"
"""Forget files that have been gone for long."""

# History that is forgotten

_FINISHED = f"{CLOSED} and d.state in ('sent', 'cancelled', 'dead', 'expired')"

OLD_DELIVERIES = f"""
select d.id from delivery d
where {_FINISHED} and d.changed <= :before
and not exists (
    select 1 from delivery e
    where d.event_id <> '' and e.event_id = d.event_id
    and (e.state not in ('sent', 'cancelled', 'dead', 'expired') or e.changed > :before)
)
limit :most
"""
"""Find deliveries that are finished for long, with all others of their events."""

OLD_ATTEMPTS = """
delete from attempt where delivery_id = :id
and number in (select number from attempt where delivery_id = :id limit :most)
"""
"""Delete attempts of a delivery."""

_FAILURE_OF = "where kind = 'failed' and (rule, key) = (select rule, key from delivery where id = :id)"

OLD_FAILURE = f"delete from memory {_FAILURE_OF}"
"""Forget what a retry of a delivery would follow."""

OLD_FAILURE_EVENTS = f"delete from memory_event {_FAILURE_OF}"
"""Forget which event that was about."""

OLD_MERGED = "delete from memory where rule = '-' and kind = 'merged' and key = cast(:id as text)"
"""Forget which texts a delivery carried."""

OLD_DECISIONS = """
delete from decision where seq in (
    select c.seq from decision c
    where c.at <= :before
    and not exists (select 1 from delivery d where c.event_id <> '' and d.event_id = c.event_id)
    limit :most
)
"""
"""Delete decisions about events whose deliveries are gone."""

OLD_EVENTS = """
select v.seq, v.id from event v
where v.planned is not null and v.received <= :before and v.planned <= :before
and not exists (select 1 from delivery d where d.event_id = v.id)
and not exists (select 1 from file f where f.event_id = v.id and coalesce(f.fate, '') = 'open')
limit :most
"""
"""Find events of which nothing is left and whose files were put away."""

OLD_EVENT = "delete from event where seq = :seq"
"""Delete an event."""

OLD_TOLD = "delete from told where event_id = :id"
"""Forget which deliveries told of it."""

# The clock was set. What was written since the step is right already.

SHIFT_DUE = f"""
update delivery set due = due + :jump where {OPEN} and changed < :since and :jump < 0
"""
"""Move turns back with the clock; after such a step all else lives for as long as it was to live."""

SHIFT_OPEN = f"""
update delivery
set due = due + :jump, expires = expires + :jump, created = created + :jump, changed = changed + :jump
where {OPEN} and (changed > :until or changed < :since and :jump > 0)
"""
"""Let what waits keep its distance to now."""

SHIFT_CLOSED = f"""
update delivery set changed = changed + :jump
where {_EACH_CLOSED} and changed > :recent and not changed between :since and :until
"""
"""Let what was just sent keep its distance, by which the same text is known."""

SHIFT_ATTEMPTS = """
update attempt set started = started + :jump
where started > :recent and not started between :since and :until
"""
"""Let attempts keep their distance, of which the limits of an hour are made."""

SHIFT_GONE = "update file set gone = gone + :jump where gone is not null"
"""Let files be gone for as long as they are."""

SHIFT_TURNS = "update turn set next = next + :jump where :jump < 0 and next > :now"
"""Move turns back; after a step ahead they are over a little early, which does no harm."""

SHIFT_CIRCUITS = """
update circuit set since = since + :jump, until = until + :jump
where :jump < 0 and not since between :since and :until
"""
"""The same for circuits."""

SHIFT = (
    SHIFT_DUE,
    SHIFT_OPEN,
    SHIFT_CLOSED,
    SHIFT_ATTEMPTS,
    SHIFT_GONE,
    SHIFT_TURNS,
    SHIFT_CIRCUITS,
)

SHIFT_GAP = (SHIFT_OPEN, SHIFT_ATTEMPTS)
"""At the start; what was sent stays behind, as nothing may be left out for a text that is maybe days old."""

NEWEST_ATTEMPT = "select max(started) as at from attempt"
"""Find whether attempts are of a clock that was ahead."""

LOWER_ATTEMPTS = "update attempt set started = started - :by where started > :now"
"""Bring attempts of the future down together, so that they keep their distances."""

LOWER_TURNS = "update turn set next = next - :by where next > :now"
"""The same for turns."""

LOWER_OPEN = f"""
update delivery
set due = :now + (due - changed), expires = :now + (expires - changed),
    created = case when created > :now then :now else created end, changed = :now
where {OPEN} and changed > :ahead
"""
"""Let what waits since a time of the future wait from now on."""

LOWER_CLOSED = f"update delivery set changed = :now, same = '' where {_EACH_CLOSED} and changed > :ahead"
"""The same for the rest; as its true time is unknown, nothing is left out for having just been sent."""

LOWER_LONG_TURNS = "update turn set next = :now + :day where next > :now + :day"
"""Let no turn be further away than a day."""

LOWER_CIRCUITS = "update circuit set until = :now + (until - since), since = :now where since > :ahead"
"""Let circuits of the future count from now."""

LOWER_LONG_CIRCUITS = """
update circuit set until = :now + case when reason = 'limited' then :limit else :look end
where until > :now + case when reason = 'limited' then :limit else :look end
"""
"""Let no circuit be looked at later than it ever would."""

LOWER_LOOKED = "update file set looked = :now where looked > :ahead and path is not null and fate <> 'open'"
"""Let files that were looked for in the future have been looked for now."""

LOWER_GONE = "update file set gone = :now where gone > :ahead"
"""The same for those that are gone."""

LOWER_DECISIONS = "update decision set at = :now where at > :ahead"
"""The same for decisions."""

LOWER_EVENTS = "update event set received = :now where received > :ahead and planned is not null"
"""The same for events."""

LOWER = (
    LOWER_OPEN,
    LOWER_CLOSED,
    LOWER_LONG_TURNS,
    LOWER_CIRCUITS,
    LOWER_LONG_CIRCUITS,
    LOWER_LOOKED,
    LOWER_GONE,
    LOWER_DECISIONS,
    LOWER_EVENTS,
)

# Daemons, who tell by the clock of the database who lives

_LIVES = lives("(julianday('now') - 2440587.5) * 86400.0")
_LEFT = f"host not in ('', :host) and host not in (select host from daemon where {_LIVES})"
_GOES_ON = "select id from event where planned is null union select key from memory where kind = 'rows'"

ADOPT = f"update event set host = :host where id in ({_GOES_ON}) and type <> 'file' and {_LEFT}"
"""Take over the events of machines on which no daemon lives any more, but those of their files."""

LEFT_FILES = f"""
select {_FACTS} from file
where event_id in ({_GOES_ON} union select event_id from file where fate = 'open')
and {_LEFT}
"""
"""Find the files of such machines of which something is still to follow."""

ADOPT_FILE = f"update file set host = :host where event_id = :id and {_LEFT}"
"""Take over a file that is seen from here."""

ADOPT_EVENT_OF_FILE = f"update event set host = :host where id = :id and {_LEFT}"
"""Take over its event."""

DAEMONS = f"select host, version, since from daemon where {_LIVES} order by since, id"
"""Find the daemons that share the store and live, for ``status``."""

# A whole store

TABLES: Mapping[str, Sequence[str]] = {
    "event": ("seq",),
    "decision": ("seq",),
    "memory": ("seq",),
    "memory_event": ("event_id", "rule", "kind", "key"),
    "delivery": ("id",),
    "told": ("event_id", "delivery"),
    "attempt": ("delivery_id", "number"),
    "circuit": ("device",),
    "turn": ("device", "recipient"),
    "file": ("seq",),
}
"""All tables with their keys."""

UNFINISHED_COPY = {"rule": "-", "kind": "copy", "key": ""}
"""The memory that marks a store that is being filled; it has no growing number: those come with the rows."""

BEGIN_COPY = """
insert into memory (seq, rule, kind, key, value, due, event_id)
values (-1, :rule, :kind, :key, 'null', null, '')
on conflict do nothing
"""
"""Mark a store that is being filled."""


def size(table: str) -> str:
    """Return the statement that counts the rows of a table."""
    return f"select count(*) as many from {table}"


def first_rows(table: str) -> str:
    """Return the statement that reads the first rows of a table by its key."""
    key = ", ".join(TABLES[table])
    return f"select * from {table} where {_rows_of(table)} order by {key} limit :most"


def next_rows(table: str) -> str:
    """Return the statement that reads the rows that follow one whose key is given."""
    key, given = ", ".join(TABLES[table]), ", ".join(f":{name}" for name in TABLES[table])
    return f"""
    select * from {table} where {_rows_of(table)} and ({key}) > ({given}) order by {key} limit :most
    """


def put(table: str, columns: Iterable[str]) -> str:
    """Return the statement that puts a row into a table, unless it is there."""
    names = list(columns)
    values = ", ".join(f":{name}" for name in names)
    return f"insert into {table} ({', '.join(names)}) values ({values}) on conflict do nothing"


def _rows_of(table: str) -> str:
    """Return the condition that leaves the mark of an unfinished copy out."""
    return "seq >= 0" if table == "memory" else "true"


_LOST = "select count(*) as many from {table} t where {condition} and not exists (select 1 from {other})"

FAULTS: Mapping[str, str] = {
    "attempt_without_delivery": _LOST.format(
        table="attempt", condition="true", other="delivery d where d.id = t.delivery_id"
    ),
    "delivery_without_event": _LOST.format(
        table="delivery", condition="t.event_id <> ''", other="event e where e.id = t.event_id"
    ),
    "sending_without_attempt": _LOST.format(
        table="delivery",
        condition="t.state = 'sending'",
        other="attempt a where a.delivery_id = t.id and a.number = t.claims",
    ),
    "event_of_no_memory": _LOST.format(
        table="memory_event",
        condition="true",
        other="memory m where m.rule = t.rule and m.kind = t.kind and m.key = t.key",
    ),
    "file_without_event": _LOST.format(
        table="file", condition="t.fate = 'open'", other="event e where e.id = t.event_id"
    ),
}
"""What no store that we wrote has, each with the statement that counts it; all rows are read."""
