-- One row per stretch of days at whose ends an incident was open; `until_day` is the first day without it.
delete from store.open_spans as spans
using keys
where spans.source = keys.source
    and spans.incident_id = keys.incident_id;

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
    semi join (select source, incident_id from clocks where reopened_at is not null) as reopened
        on segments.source = reopened.source
        and segments.incident_id = reopened.incident_id
    where segments.kind <> 'resolved'
    union all
    select
        clocks.source,
        clocks.incident_id,
        clocks.opened_at as from_at,
        least(
            clocks.deleted_at_source,
            case
                when clocks.state in ('new', 'in_progress', 'on_hold') then null
                else coalesce(clocks.resolved_at, cancelled.cancelled_at, clocks.closed_at, clocks.opened_at)
            end
        ) as until_at
    from clocks
    left join (
        select
            source,
            incident_id,
            max(happened_at) as cancelled_at
        from happenings
        where kind = 'cancelled'
        group by
            source,
            incident_id
    ) as cancelled
        on clocks.source = cancelled.source
        and clocks.incident_id = cancelled.incident_id
    anti join (
        select segments.source, segments.incident_id
        from store.segments as segments
        semi join (select source, incident_id from clocks where reopened_at is not null) as reopened
            on segments.source = reopened.source
            and segments.incident_id = reopened.incident_id
    ) as segmented
        on clocks.source = segmented.source
        and clocks.incident_id = segmented.incident_id
)
cross join (select value as zone from store.settings where name = 'reporting_timezone')
where until_at is null
    or until_at >= from_at;
