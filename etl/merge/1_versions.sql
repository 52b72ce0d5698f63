-- At most one row per incident and kind of version (with and without the source's version number): the newest.
create or replace temp table arrived as
select
    *,
    $as_of::timestamp as as_of,
    md5_number_lower(to_json(staged_versions)::varchar) as content_hash
from staged_versions;

-- Of one input, the newest version of each incident.
create or replace temp table arrived_newest as
select *
from arrived
qualify row_number() over (
    partition by incident_id, version_number is null
    order by version_number desc, updated_at desc nulls last, as_of desc, content_hash desc
) = 1;

-- The versions that the store has of the same incidents.
create or replace temp table standing as
select versions.*
from store.versions as versions
semi join arrived_newest
    on versions.source = $source
    and versions.incident_id = arrived_newest.incident_id;

create or replace temp table winning as
select *
from (
    select $source as source, * from arrived_newest
    union all by name
    select * from standing
)
qualify row_number() over (
    partition by incident_id, version_number is null
    order by version_number desc, updated_at desc nulls last, as_of desc, content_hash desc
) = 1;

-- Only what differs is written, so that loading the same thing twice changes nothing.
create or replace temp table replacing as
select winning.*
from winning
anti join standing
    on winning.incident_id = standing.incident_id
    and winning.version_number is not distinct from standing.version_number
    and winning.content_hash = standing.content_hash
    and winning.as_of = standing.as_of;

delete from store.versions as versions
using replacing
where versions.source = $source
    and versions.incident_id = replacing.incident_id
    and (versions.version_number is null) = (replacing.version_number is null);

insert into store.versions by name
select * from replacing;
