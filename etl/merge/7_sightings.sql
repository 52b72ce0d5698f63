-- One row per incident of a source whose exports are complete: when it was last seen, a rejected row included.
create or replace temp table seen as
select distinct incident_id
from (
    select incident_id from staged_versions
    union all
    select incident_id from staged_rejected
)
where incident_id is not null;

insert into store.sightings
select
    $source as source,
    incident_id,
    $as_of::timestamp as seen_at
from seen;

-- Only the last sighting counts.
create or replace temp table last_sightings as
select
    incident_id,
    max(seen_at) as seen_at
from store.sightings
where source = $source
group by incident_id;

delete from store.sightings
where source = $source;

insert into store.sightings
select
    $source as source,
    incident_id,
    seen_at
from last_sightings;

-- What has vanished since, or has come back, is changed.
insert into changed
select
    $source as source,
    last_sightings.incident_id
from last_sightings
left join incidents
    on incidents.source = $source
    and incidents.incident_id = last_sightings.incident_id
where (incidents.deleted_at_source is not null)
    <> (last_sightings.seen_at < (
        select max(as_of)
        from store.inputs
        where source = $source
            and full_export
    ));
