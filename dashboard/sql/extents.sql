-- One row per source: its first opening, its last complete day, and the first day on which P90 of resolve time had passed.
select
    source,
    first_day,
    last_day,
    case
        when edge_at is null then first_day
        when edge_at = date_trunc('day', edge_at) then edge_at::date
        else edge_at::date + 1
    end as resolve_edge
from (
    select
        sources.source,
        known.first_day,
        (sources.as_of at time zone 'UTC' at time zone zone.value)::date - 1 as last_day,
        (
            (known.first_opened_at + to_seconds(known.p90_hours * 3600)) at time zone 'UTC' at time zone zone.value
        )::timestamp as edge_at
    from main.sources as sources
    cross join (select value from store.settings where name = 'reporting_timezone') as zone
    join (
        select
            i.source,
            min(i.opened_on) as first_day,
            min(i.opened_at) as first_opened_at,
            kpi.mttr_p90(i) as p90_hours
        from (
            select
                source,
                opened_on,
                opened_at,
                seconds_to_resolve,
                excluded_as,
                resolved_with_parent
            from main.incidents
        ) as i
        group by i.source
    ) as known
        on sources.source = known.source
)
order by source;
