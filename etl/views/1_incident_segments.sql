-- One row per stretch of an incident's life.
create or replace view main.incident_segments as
select
    segments.source,
    segments.incident_id,
    segments.from_at,
    coalesce(segments.until_at, sources.as_of)::timestamp as until_at,
    segments.kind,
    segments.hold_reason,
    segments.assignment_group,
    segments.business_seconds,
    date_diff('second', segments.from_at, coalesce(segments.until_at, sources.as_of))::bigint as seconds
from store.segments as segments
join main.sources as sources
    on segments.source = sources.source
where segments.from_at < coalesce(segments.until_at, sources.as_of);
