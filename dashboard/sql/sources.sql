-- One row per source.
select
    sources.source,
    sources.kind,
    sources.timezone,
    sources.as_of,
    (sources.as_of at time zone 'UTC' at time zone zone.value)::timestamp as as_of_local,
    sources.is_sample,
    sources.knows_resolving,
    sources.full_export
from main.sources as sources
cross join (select value from store.settings where name = 'reporting_timezone') as zone
order by sources.source;
