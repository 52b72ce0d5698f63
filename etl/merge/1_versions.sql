-- At most one row per incident and kind of version (with and without the source's version number): the newest.
-- Of one input, an incident's newest version; nearly all are there once, so only the others are ranked.
create or replace temp table repeated as
select incident_id
from staged_versions
group by incident_id
having count(*) > 1;

create or replace temp table ranked as
select *
from staged_versions
semi join repeated
    on staged_versions.incident_id = repeated.incident_id
qualify row_number() over (
    partition by incident_id, version_number is null
    order by version_number desc, updated_at desc nulls last, content_hash desc
) = 1;

delete from staged_versions
using repeated
where staged_versions.incident_id = repeated.incident_id;

insert into staged_versions
select * from ranked;

-- How new the store's versions of the same incidents are.
create or replace temp table standing as
select
    versions.incident_id,
    versions.version_number,
    versions.updated_at,
    versions.as_of,
    versions.content_hash
from store.versions as versions
semi join staged_versions
    on versions.source = $source
    and versions.incident_id = staged_versions.incident_id;

-- What wins: by version number, then update, then the export's as-of, then content, whatever came first.
create or replace temp table replacing as
select
    staged_versions.incident_id,
    staged_versions.version_number,
    staged_versions.content_hash,
    standing.content_hash is distinct from staged_versions.content_hash as is_change
from staged_versions
left join standing
    on standing.incident_id = staged_versions.incident_id
    and (standing.version_number is null) = (staged_versions.version_number is null)
where standing.incident_id is null
    or (
        coalesce(staged_versions.version_number, 0),
        coalesce(staged_versions.updated_at, '-infinity'::timestamp),
        $as_of::timestamp,
        staged_versions.content_hash
    ) > (
        coalesce(standing.version_number, 0),
        coalesce(standing.updated_at, '-infinity'::timestamp),
        standing.as_of,
        standing.content_hash
    );

delete from store.versions as versions
using replacing
where versions.source = $source
    and versions.incident_id = replacing.incident_id
    and (versions.version_number is null) = (replacing.version_number is null);

insert into store.versions by name
select
    $source as source,
    staged_versions.*,
    $as_of::timestamp as as_of
from staged_versions
semi join replacing
    on staged_versions.incident_id = replacing.incident_id
    and (staged_versions.version_number is null) = (replacing.version_number is null);
