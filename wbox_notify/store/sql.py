"""The longer statements of the store: one text for SQLite and PostgreSQL."""

REMEMBER = """
insert into memory (rule, kind, key, value, due) values (:rule, :kind, :key, :value, :due)
on conflict (rule, kind, key) do update set value = excluded.value, due = excluded.due
"""

FORGET = "delete from memory where rule = :rule and kind = :kind and key = :key"

INSERT_DELIVERY = """
insert into delivery
    (key, event_id, rule, device, phone, message, state, reason, due, created, changed, expires)
values
    (:key, :event_id, :rule, :device, :phone, :message, :state, :reason, :now, :now, :now, :expires)
on conflict (key) do nothing
"""

CLAIM = """
update delivery set state = 'sending', claims = claims + 1, changed = :now
where id = (
    select d.id from delivery d
    where d.state in ('queued', 'unknown') and d.due <= :now and d.expires > :now and :phone in ('', d.phone)
    and not exists (select 1 from circuit c where c.device = d.device)
    and not exists (
        select 1 from delivery e
        where e.device = d.device and e.phone = d.phone and e.id < d.id
        and e.state in ('queued', 'unknown', 'sending')
    )
    order by d.id limit 1
)
returning *
"""

FINISH = """
update delivery
set state = :state, due = :due, tries = :tries, unknowns = :unknowns, reason = :reason, changed = :now
where id = :id and claims = :claims and state = 'sending'
"""

NEXT_DUE = """
select min(d.due) as due from delivery d
where d.state in ('queued', 'unknown')
and not exists (select 1 from circuit c where c.device = d.device)
and not exists (
    select 1 from delivery e
    where e.device = d.device and e.phone = d.phone and e.id < d.id
    and e.state in ('queued', 'unknown', 'sending')
)
union all select min(until) from circuit
"""

REQUEUE = (
    """
    update delivery
    set state = 'queued', due = :now, expires = :expires, tries = 0, unknowns = 0, changed = :now, reason = ''
    where id = :id
    """,
)

REPLAN = (
    "update event set planned = null where id = (select event_id from delivery where id = :id)",
    "delete from delivery where id = :id",
)
