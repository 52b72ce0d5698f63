-- One row per class of age among the incidents open at the end of the last complete day.
with
-- the spans
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
    select date_diff('second', spans.opened_at, wanted.ends_at) as age_seconds
    from wanted
    join spans
        on spans.from_day <= wanted.day
        and spans.gone_day > wanted.day
)
group by place;
