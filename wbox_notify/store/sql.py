"""The longer statements of the store: one text for SQLite and PostgreSQL.

What the indices say of states has to stand in a query word for word, or they are not used.
"""

REMEMBER = """
insert into memory (rule, kind, key, value, due, event_id)
values (:rule, :kind, :key, :value, :due, :event_id)
on conflict (rule, kind, key) do update
set value = excluded.value, due = excluded.due, event_id = excluded.event_id
"""

REMEMBER_EVENT = """
insert into memory_event (event_id, rule, kind, key) values (:event_id, :rule, :kind, :key)
on conflict do nothing
"""

FORGET_EVENTS = "delete from memory_event where rule = :rule and kind = :kind and key = :key"

FORGET = "delete from memory where rule = :rule and kind = :kind and key = :key"

REMEMBERED = "select value from memory where rule = :rule and kind = :kind and key = :key"

INSERT_DELIVERY = """
insert into delivery
    (id, key, event_id, rule, device, recipient, message, state, reason, hold, facts,
    due, created, changed, expires, lifetime, priority, on_unknown, same)
values
    ((
        select max(number) + 1 from (
            select coalesce(max(id), 0) as number from delivery
            union all
            select cast(value as bigint) from memory where rule = '-' and kind = 'number' and key = ''
        ) as used
    ),
    :key, :event_id, :rule, :device, :recipient, :message, :state, :reason, :hold, :facts,
    :now, :now, :now, :expires, :lifetime, :priority, :on_unknown, :same)
on conflict (key) do nothing
"""
"""A number that somebody has read on a list never becomes that of another delivery."""

KEEP_NUMBER = """
insert into memory (rule, kind, key, value, due) values ('-', 'number', '', cast(:id as text), null)
on conflict (rule, kind, key) do update set value = excluded.value
where cast(memory.value as bigint) < cast(excluded.value as bigint)
"""

OF_KEY = "select id, message from delivery where key = :key"

_MOST_IN_FLIGHT = 4
"""Of one device, so that one whose answers take their time leaves threads for the others."""

_OPEN = "state in ('queued', 'unknown', 'sending')"

DEVICES = f"""
with recursive devices (device) as (
    select min(device) from delivery where {_OPEN}
    union all
    select (select min(device) from delivery where {_OPEN} and device > devices.device)
    from devices where devices.device is not null
)
select d.device, coalesce(t.next, 0) as next,
    exists (select 1 from circuit c where c.device in (d.device, '*') and c.trying = 1) as tried
from devices d left join turn t on t.device = d.device and t.recipient = ''
where d.device is not null
and (select count(*) from delivery s where s.state = 'sending' and s.device = d.device) < {_MOST_IN_FLIGHT}
and not exists (
    select 1 from circuit c
    where c.device in (d.device, '*') and d.device <> 'apprise' and (c.trying = 0 or exists (
        select 1 from delivery s where s.state = 'sending' and c.device in (s.device, '*')
    ))
)
"""  # noqa: S608 - all of it is ours

# The plus signs keep SQLite from looking there first; the order of the index is what ends the search early.
_FIRST = f"""
d.device = :device and d.{_OPEN} and d.state <> 'sending' and +d.expires > :now
and d.recipient not in (select s.recipient from delivery s where s.state = 'sending' and s.device = :device)
and not exists (
    select 1 from delivery e
    where e.device = d.device and e.recipient = d.recipient and e.{_OPEN} and +e.expires > :now
    and (e.priority > d.priority or e.priority = d.priority and e.id < d.id)
)
"""  # noqa: S608 - all of it is ours

_DUE = f"""
select d.* from delivery d
where :recipient in ('', d.recipient) and d.recipient not in (
    select t.recipient from turn t where t.device = :device and t.next > :now
)
and {_FIRST} and +d.due <= :now
"""  # noqa: S608 - all of it is ours

NEXT = f"{_DUE} order by d.priority desc, d.id limit 1"

NEXT_TO_TRY = f"{_DUE} order by d.claims, d.priority desc, d.id limit 1"
"""What tries a device that could not send: what was tried least, since the fault may be a message's own."""

NEXT_DUE = f"""
select min(case when d.due >= coalesce(t.next, 0) then d.due else t.next end) as due
from delivery d left join turn t on t.device = d.device and t.recipient = d.recipient
where {_FIRST}
"""  # noqa: S608 - all of it is ours

NEXT_OTHERWISE = f"""
select min(expires) as due from delivery where {_OPEN} and state <> 'sending' and expires > :after
union all select min(until) from circuit where trying = 0
"""  # noqa: S608 - all of it is ours

BEGIN = """
update delivery set state = 'sending', claims = claims + 1, changed = :now where id = :id returning *
"""

BEGIN_ATTEMPT = "insert into attempt (delivery_id, number, started) values (:id, :claims, :now)"

BEGUN = """
select a.started, d.recipient from attempt a join delivery d on d.id = a.delivery_id
where a.started > :since and a.started <= :now and d.device = :device order by a.started desc
"""

TAKE_TURN = """
insert into turn (device, recipient, next) values (:device, :recipient, :next)
on conflict (device, recipient) do update set next = excluded.next
"""

SAME_SENT = """
select max(changed) as at from delivery
where recipient = :recipient and same = :same and same <> '' and state = 'sent'
and changed > :since and changed <= :now
"""

WAITED = f"""
select * from delivery
where device = :device and recipient = :recipient and {_OPEN} and priority = :priority and state = 'queued'
and created <= :before order by id limit 200
"""  # noqa: S608 - all of it is ours

LEAVE_OUT = """
update delivery
set state = 'cancelled', changed = :now, left_out = :left_out, facts = :facts, hold = null, reason = ''
where id = :id
"""

DOUBT = """
update delivery
set state = :state, hold = :hold, left_out = :left_out, facts = :facts, reason = '', changed = :now
where id = :id
"""

ALONE_AGAIN = """
update delivery set state = 'queued', due = :now, tries = 0, failures = 0, changed = :now where id = :id
"""

DECIDE = """
insert into decision (event_id, rule, stage, outcome, detail, at)
values (:event_id, :rule, :stage, :outcome, :detail, :at)
"""

FINISH = """
update delivery
set state = :state, due = :due, tries = :tries, unknowns = :unknowns, failures = failures + :failed,
    reason = :reason, hold = :hold, left_out = :left_out, facts = '{}', changed = :now
where id = :id and claims = :claims and state = 'sending'
"""

FINISH_ATTEMPT = """
update attempt set latency = :latency, outcome = :outcome, status = :status, detail = :detail
where delivery_id = :id and number = :claims
"""

EXPIRE = f"""
update delivery set state = 'expired', changed = :now
where {_OPEN} and state <> 'sending' and expires <= :now and expires > :after
"""  # noqa: S608 - all of it is ours

EXPIRES_IN_DOUBT = f"""
select id, unknowns from delivery
where {_OPEN} and state <> 'sending' and expires <= :now and expires > :after and unknowns > 0
"""  # noqa: S608 - all of it is ours

OPEN_CIRCUIT = """
insert into circuit (device, reason, since, until, probes) values (:device, :reason, :now, :until, 0)
on conflict (device) do update
set reason = excluded.reason, until = excluded.until, probes = circuit.probes + 1, trying = 0
where circuit.trying = 1
"""

WAITING = f"""
select count(*) as many from delivery
where {_OPEN} and state <> 'sending' and device <> 'apprise' and :device in (device, '*')
"""  # noqa: S608 - all of it is ours

OTHERS_PASSED = """
select 1 from delivery d
where d.state = 'sent' and d.id <> :id and d.device <> 'apprise' and (:everywhere = 1 or d.device = :device)
and d.changed > (
    select a.started from attempt a
    where a.delivery_id = :id and a.number = :before and a.outcome = :outcome
)
limit 1
"""

_GIVEN_UP = "state in ('held', 'dead', 'expired')"

UNHEARD = f"""
select * from (
    select d.* from delivery d
    where d.{_GIVEN_UP} and d.changed > :since and coalesce(d.hold, '') not in ('storm', 'rows')
    union all
    select d.* from delivery d
    where d.{_OPEN} and d.state <> 'sending'
    and exists (select 1 from circuit c where c.device in (d.device, '*') and c.told = 1)
) as d
where d.rule in ($rules) and d.device <> 'apprise'
and not exists (select 1 from delivery n where n.key = d.key || ':fallback:0')
order by d.id limit 50
"""  # noqa: S608 - all of it is ours

GIVEN_UP = f"""
select hour, many, d.* from (
    select cast(changed as bigint) / 3600 as hour, count(*) as many, max(id) as last from delivery
    where {_GIVEN_UP} and changed > :since and device <> 'apprise'
    and coalesce(hold, '') not in ('storm', 'rows')
    group by rule, hour
) as g join delivery d on d.id = g.last
"""  # noqa: S608 - all of it is ours

REQUEUE = """
update delivery
set state = 'queued', due = :now, expires = :now + lifetime, tries = 0, unknowns = 0, failures = 0,
    changed = :now, reason = '', hold = null, facts = '{}', same = ''
where id = :id
"""

LET_GO = """
update delivery
set state = 'queued', due = :now, expires = :now + lifetime, changed = :now, hold = null, facts = '{}'
where event_id = :id and state = 'held' and hold in ('storm', 'rows') and :rule in ('', rule)
"""

ANSWER_STORMS = """
insert into memory (rule, kind, key, value, due, event_id)
select rule, 'storm', event_id, :value, :due, event_id from delivery
where state = 'held' and hold in ('storm', 'rows') and :id in ('', event_id)
union
select rule, 'storm', key, :value, :due, key from memory where kind = 'rows' and :id in ('', key)
on conflict (rule, kind, key) do update set value = excluded.value, due = excluded.due
"""
"""What a person says of a storm holds also for the rows of its file that nobody has followed yet."""

DONE_AFTER_ALL = """
update delivery set state = 'cancelled', changed = :now, left_out = 'done'
where key = :key and state = 'dead' and message is null
"""

MOVED_TO = "select moved_to from file where event_id = :id and moved_to is not null"

FORGET_DELIVERY = "delete from delivery where id = :id"

FORGET_AGAIN = """
delete from memory
where kind = 'failed' and key = :key and rule in (select d.rule from delivery d where d.key = :key)
"""

FORGET_EVENTS_OF_AGAIN = """
delete from memory_event
where kind = 'failed' and key = :key and rule in (select d.rule from delivery d where d.key = :key)
"""
