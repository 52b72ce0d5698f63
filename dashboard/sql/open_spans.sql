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
        least(i.until_day, covered.as_of_day) as gone_day,
        i.from_day
        -- and what is read
    from store.open_spans as i
    join covered
        on i.source = covered.source
    -- and the members
    where i.from_day <= $to_day
        and (i.until_day is null or i.until_day > $from_day)
        and i.from_day < least(i.until_day, covered.as_of_day)
        -- and the days
        -- and the filters
)
