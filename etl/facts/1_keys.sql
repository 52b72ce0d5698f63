-- One row per incident whose facts are made again, with the version that counts.
-- A number for each incident: what follows sorts and joins by it, not by two texts.
create or replace temp table keys as
select
    source,
    incident_id,
    row_number() over () as key
from (
    select distinct
        source,
        incident_id
    from divided
    where slice = getvariable('slice')
);

-- What nothing is computed from stays where it is, and is read by place when the incident is written.
create or replace temp table current_versions as
select
    numbered.key,
    numbered.place,
    versions.* exclude (
        title,
        url,
        source_state,
        source_priority,
        impact,
        urgency,
        category,
        subcategory,
        is_major,
        configuration_item,
        assignee,
        location,
        channel,
        source_channel,
        tags,
        problem_id,
        change_id,
        resolution_code,
        knowledge_used,
        attributes
    )
from store.versions as versions
join (
    select
        keys.key,
        divided.place
    from divided
    join keys
        on divided.source = keys.source
        and divided.incident_id = keys.incident_id
) as numbered
    on versions.rowid = numbered.place;

-- Of an incident's two newest versions, with and without a version number, the older one does not count.
delete from current_versions as versions
using (
    select
        numbered.key,
        (coalesce(plain.updated_at, 'epoch'::timestamp), plain.as_of)
            > (coalesce(numbered.updated_at, 'epoch'::timestamp), numbered.as_of)
            as is_numbered
    from (select key, updated_at, as_of from current_versions where version_number is null) as plain
    join (select key, updated_at, as_of from current_versions where version_number is not null) as numbered
        on plain.key = numbered.key
) as outdated
where versions.key = outdated.key
    and (versions.version_number is not null) = outdated.is_numbered;

-- Each incident by either of the keys that others know it by.
create or replace temp view known_incidents as
select key, source, incident_id as known_as from current_versions
union
select key, source, external_id as known_as from current_versions where external_id is not null;
