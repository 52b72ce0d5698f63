-- One row per source: the hour between resolving and closing that most closings share.
select
    source,
    arg_max(hours, n)::bigint as hours,
    max(n)::bigint as n,
    sum(n)::bigint as closings
from (
    select
        source,
        date_diff('second', resolved_at, closed_at) // 3600 as hours,
        count(*) as n
    from main.incidents
    where closed_at > resolved_at
        and excluded_as is null
    group by
        source,
        hours
)
group by source
order by source;
