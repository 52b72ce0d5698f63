-- One row per weekday and hour with openings, in the reporting zone.
select
    isodow(opened_local)::integer as weekday,
    hour(opened_local)::integer as hour,
    count(*)::bigint as n
from (
    select i.opened_at at time zone 'UTC' at time zone $zone as opened_local
    from main.incidents as i
    where i.excluded_as is null
        and ($since::date is null or i.opened_on >= $since)
        and ($until::date is null or i.opened_on <= $until)
        -- and the filters
)
group by
    weekday,
    hour
order by
    weekday,
    hour;
