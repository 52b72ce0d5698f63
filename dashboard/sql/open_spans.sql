-- One row per span of days that an incident was open and that touches the wanted days; composed into the queries of stocks.
wanted as materialized (
    select
        asked.period,
        asked.first_day,
        asked.day,
        days.ends_at
    from (
        select
            unnest($periods::date[]) as period,
            unnest($first_days::date[]) as first_day,
            unnest($days::date[]) as day
    ) as asked
    join store.days as days
        on asked.day = days.day
),
covered as (
    select
        sources.source,
        (sources.as_of at time zone 'UTC' at time zone zone.value)::date as as_of_day
    from main.sources as sources
    cross join (select value from store.settings where name = 'reporting_timezone') as zone
),
spans as materialized (
    select
        open_spans.source,
        open_spans.incident_id,
        open_spans.from_day,
        least(open_spans.until_day, covered.as_of_day) as gone_day
    from store.open_spans as open_spans
    join covered
        on open_spans.source = covered.source
    where open_spans.from_day <= $to_day
        and (open_spans.until_day is null or open_spans.until_day > $from_day)
        and open_spans.from_day < least(open_spans.until_day, covered.as_of_day)
)
