-- One row per stretch of days at whose ends an incident was open; `until_day` is the first day without it.
delete from store.open_spans as spans
using keys
where spans.source = keys.source
    and spans.incident_id = keys.incident_id;

create or replace temp table reopened as
select clocks.key
from clocks
semi join lives
    on clocks.key = lives.key
where clocks.reopened_at is not null;

insert into store.open_spans
select
    source,
    incident_id,
    (from_at at time zone 'UTC' at time zone zone)::date as from_day,
    (until_at at time zone 'UTC' at time zone zone)::date as until_day
from (
    -- Reopened: not between a resolution and its reopening.
    select
        segments.source,
        segments.incident_id,
        segments.from_at,
        segments.until_at
    from store.segments as segments
    join keys
        on segments.source = keys.source
        and segments.incident_id = keys.incident_id
    semi join reopened
        on keys.key = reopened.key
    where segments.kind <> 'resolved'
    union all
    select
        keys.source,
        keys.incident_id,
        clocks.opened_at as from_at,
        least(
            clocks.deleted_at_source,
            case
                when clocks.state in ('new', 'in_progress', 'on_hold') then null
                else coalesce(clocks.resolved_at, cancelled.cancelled_at, clocks.closed_at, clocks.opened_at)
            end
        ) as until_at
    from clocks
    join keys
        on clocks.key = keys.key
    left join (
        select
            key,
            max(happened_at) as cancelled_at
        from happenings
        where kind = 'cancelled'
        group by key
    ) as cancelled
        on clocks.key = cancelled.key
    anti join reopened
        on clocks.key = reopened.key
)
cross join (select value as zone from store.settings where name = 'reporting_timezone')
where until_at is null
    or until_at >= from_at;
