-- One row per class of age among the incidents open at the end of the last complete day.
select
    case
        when age_seconds < 86400 then 0
        when age_seconds < 3 * 86400 then 1
        when age_seconds < 7 * 86400 then 2
        when age_seconds < 30 * 86400 then 3
        else 4
    end as place,
    count(*)::bigint as n
from (
    select date_diff('second', d.opened_at, last_day.ends_at) as age_seconds
    from (
        select
            days.day,
            days.ends_at
        from kpi.calendar as calendar
        join store.days as days
            on calendar.day = days.day
        where $until::date is null
            or days.day <= $until
        order by days.day desc
        limit 1
    ) as last_day
    join open_rows as d
        on d.from_day <= last_day.day
        and d.gone_day > last_day.day
    where d.excluded_as is null
        -- and the filters
)
group by place;
