-- One row per source.
select
    sources.source,
    sources.kind,
    sources.timezone,
    sources.as_of,
    (sources.as_of at time zone 'UTC' at time zone zone.value)::timestamp as as_of_local,
    sources.is_sample,
    sources.knows_resolving,
    sources.full_export,
    coalesce(counted.incidents, 0) as incidents,
    counted.newest_opened_at,
    coalesce(counted.excluded, 0) as excluded
from main.sources as sources
cross join (select value from store.settings where name = 'reporting_timezone') as zone
left join (
    select
        source,
        count(*) as incidents,
        max(opened_at) as newest_opened_at,
        count(*) filter (where excluded_as is not null) as excluded
    from main.incidents
    group by source
) as counted
    on sources.source = counted.source
order by sources.source;
