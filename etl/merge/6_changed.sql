-- The incidents whose facts must be made again.
insert into changed
select distinct
    $source as source,
    incident_id
from (
    -- The same content in a newer export is no change.
    select incident_id from replacing where is_change
    union all
    select incident_id from staged_snapshots
    union all
    select versions.incident_id
    from store.versions as versions
    semi join fresh_events
        on versions.source = $source
        and versions.incident_id = fresh_events.incident_key
    union all
    select versions.incident_id
    from store.versions as versions
    semi join fresh_events
        on versions.source = $source
        and versions.external_id = fresh_events.incident_key
);

-- What the source's history amounts to, per incident; its sum tells a history from sampled lists.
create or replace temp table touched as
select distinct incident_id
from staged_snapshots;

delete from store.extents as extents
using touched
where extents.source = $source
    and extents.incident_id = touched.incident_id;

insert into store.extents
select
    $source as source,
    incident_id,
    count(*) as "rows",
    max(version_number) + 1 as span
from (
    select
        snapshots.incident_id,
        snapshots.version_number
    from store.snapshots as snapshots
    semi join touched
        on snapshots.source = $source
        and snapshots.incident_id = touched.incident_id
    group by
        snapshots.incident_id,
        snapshots.version_number
)
group by incident_id;
