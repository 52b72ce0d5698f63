-- One row per incident and day at whose end it was open; no day after what the source's export covers.
create or replace view main.incident_days as
select
    spans.day::date as day,
    spans.source,
    spans.incident_id,
    incidents.excluded_as,
    incidents.state,
    incidents.priority,
    incidents.assignment_group,
    incidents.service,
    incidents.services,
    incidents.category,
    incidents.subcategory,
    incidents.configuration_item,
    incidents.channel,
    incidents.location,
    incidents.tags,
    incidents.is_major,
    incidents.opened_at,
    date_diff('second', incidents.opened_at, days.ends_at)::bigint as age_seconds
from (
    select
        open_spans.source,
        open_spans.incident_id,
        unnest(generate_series(
            open_spans.from_day::timestamp,
            least(open_spans.until_day, covered.as_of_day)::timestamp - interval 1 day,
            interval 1 day
        ))::date as day
    from store.open_spans as open_spans
    join (
        select
            source,
            (as_of at time zone 'UTC' at time zone zone.value)::date as as_of_day
        from main.sources
        cross join (select value from store.settings where name = 'reporting_timezone') as zone
    ) as covered
        on open_spans.source = covered.source
) as spans
join store.days as days
    on spans.day = days.day
join main.incidents as incidents
    on spans.source = incidents.source
    and spans.incident_id = incidents.incident_id;
