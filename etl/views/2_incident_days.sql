-- One row per incident and day at whose end it was open; no day after what the source's export covers.
create or replace view main.incident_days as
select
    spans.day::date as day,
    spans.source,
    spans.incident_id,
    spans.excluded_as,
    spans.state,
    spans.priority,
    spans.assignment_group,
    spans.service,
    spans.services,
    spans.category,
    spans.subcategory,
    spans.configuration_item,
    spans.channel,
    spans.location,
    spans.tags,
    spans.is_major,
    spans.opened_at,
    date_diff('second', spans.opened_at, days.ends_at)::bigint as age_seconds
from (
    select
        open_spans.*,
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
    on spans.day = days.day;
