-- One row per incident whose facts are made again: the changed ones, and those whose facts follow from them.
create or replace temp table verdicts as
select
    source,
    -- Rows that tell most versions of their incidents are a history; lists taken now and then skip most of them.
    sum("rows") >= 0.5 * sum(span) as is_history
from store.extents
group by source;

-- When the verdict on a source's history flips, all of its incidents are affected.
create or replace temp table flipped as
select verdicts.source
from verdicts
left join store.settings as settings
    on settings.name = 'history:' || verdicts.source
where coalesce(settings.value, 'false') <> verdicts.is_history::varchar;

insert into changed
select
    versions.source,
    versions.incident_id
from store.versions as versions
semi join flipped
    on versions.source = flipped.source;

delete from store.settings
where name like 'history:%';

insert into store.settings
select
    'history:' || source as name,
    is_history::varchar as value
from verdicts;

-- A stamp that lay after the source's as-of may lie before it now.
insert into changed
select
    source,
    incident_id
from data_issues
where rule = 'after_as_of';

-- Where the versions of the changed incidents stand: whole rows are read by place, which touches no others.
create or replace temp table places as
select
    versions.rowid as place,
    versions.source,
    versions.incident_id,
    versions.external_id,
    versions.reopens_id
from store.versions as versions
semi join changed
    on versions.source = changed.source
    and versions.incident_id = changed.incident_id;

-- What follows from theirs: an incident that a clone reopens, and children, whose resolution may be their parent's.
create or replace temp table following as
select
    affected.source,
    affected.incident_id
from (
    select target.source, target.incident_id
    from store.versions as target
    semi join (select source, reopens_id from places where reopens_id is not null) as clone
        on target.source = clone.source
        and target.incident_id = clone.reopens_id
    union
    select target.source, target.incident_id
    from store.versions as target
    semi join (select source, reopens_id from places where reopens_id is not null) as clone
        on target.source = clone.source
        and target.external_id = clone.reopens_id
    union
    select child.source, child.incident_id
    from store.versions as child
    semi join (select source, unnest([incident_id, external_id]) as key from places) as parent
        on child.source = parent.source
        and child.parent_id = parent.key
    where child.parent_id is not null
) as affected
anti join places
    on affected.source = places.source
    and affected.incident_id = places.incident_id;

insert into places by name
select
    versions.rowid as place,
    versions.source,
    versions.incident_id,
    versions.external_id
from store.versions as versions
semi join following
    on versions.source = following.source
    and versions.incident_id = following.incident_id;

-- A number for each incident: what follows sorts and joins by it, not by two texts.
create or replace temp table keys as
select
    source,
    incident_id,
    row_number() over () as key
from (select distinct source, incident_id from places);

create or replace temp table current_versions as
select
    numbered.key,
    versions.*
from store.versions as versions
join (
    select
        keys.key,
        places.place
    from places
    join keys
        on places.source = keys.source
        and places.incident_id = keys.incident_id
) as numbered
    on versions.rowid = numbered.place;

drop table places;

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
