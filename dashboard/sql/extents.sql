-- One row per source: its first opening, its last complete day, and its 90th percentile of resolve time.
select
    sources.source,
    min(i.opened_on) as first_day,
    (max(sources.as_of) at time zone 'UTC' at time zone any_value(zone.value))::date - 1 as last_day,
    quantile_cont(i.seconds_to_resolve, 0.9) filter (where i.excluded_as is null) as p90_seconds
from main.sources as sources
cross join (select value from store.settings where name = 'reporting_timezone') as zone
join main.incidents as i
    on sources.source = i.source
group by sources.source
order by sources.source;
