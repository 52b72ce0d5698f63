-- One row per stretch of business time of a calendar, in order; stretches that nearly touch are one.
select
    min(from_at) as from_at,
    max(until_at) as until_at
from (
    select
        from_at,
        until_at,
        count(*) filter (where is_apart) over (order by from_at) as place
    from (
        select
            from_at,
            until_at,
            from_at > lag(until_at) over (order by from_at) + to_seconds($apart) as is_apart
        from (
            select
                greatest((from_at at time zone 'UTC' at time zone $zone)::timestamp, $since) as from_at,
                least((until_at at time zone 'UTC' at time zone $zone)::timestamp, $until) as until_at
            from store.business_spans
            where calendar = $calendar
                and seconds_before is not null
                -- A day more than any zone is away from UTC: the index of each row group can be used.
                and from_at < $until::timestamp + interval 1 day
                and until_at > $since::timestamp - interval 1 day
        )
        where from_at < until_at
    )
)
group by place
order by from_at;
