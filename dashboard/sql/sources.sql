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
    count(incidents.incident_id) as incidents,
    max(incidents.opened_at) as newest_opened_at,
    count(incidents.incident_id) filter (where incidents.excluded_as is not null) as excluded
from main.sources as sources
cross join (select value from store.settings where name = 'reporting_timezone') as zone
left join main.incidents as incidents
    on sources.source = incidents.source
group by all
order by sources.source;
