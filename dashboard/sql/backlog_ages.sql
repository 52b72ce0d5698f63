-- One row per class of age among the incidents open at the end of the last complete day.
select
    case
        when d.age_seconds < 86400 then 0
        when d.age_seconds < 3 * 86400 then 1
        when d.age_seconds < 7 * 86400 then 2
        when d.age_seconds < 30 * 86400 then 3
        else 4
    end as place,
    count(*)::bigint as n
from main.incident_days as d
where d.day = (
        select max(day)
        from kpi.calendar
        where $until::date is null
            or day <= $until
    )
    and d.excluded_as is null
    -- and the filters
group by place;
