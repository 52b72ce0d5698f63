-- One row per incident whose facts are made again: the changed ones, and those whose facts follow from them.
create or replace temp table verdicts as
select
    source,
    -- Rows that tell most versions of their incidents are a history; lists taken now and then skip most of them.
    sum("rows") >= 0.5 * sum(span) as is_history
from store.extents
group by source;

-- When the verdict on a source's history flips, all of its incidents are affected.
insert into changed
select
    versions.source,
    versions.incident_id
from store.versions as versions
join verdicts
    on verdicts.source = versions.source
left join store.settings as settings
    on settings.name = 'history:' || verdicts.source
where coalesce(settings.value, 'false') <> verdicts.is_history::varchar;

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

-- An incident that a clone reopens.
insert into changed
select
    target.source,
    target.incident_id
from store.versions as clone
semi join changed
    on clone.source = changed.source
    and clone.incident_id = changed.incident_id
join store.versions as target
    on target.source = clone.source
    and clone.reopens_id in (target.incident_id, target.external_id)
where clone.reopens_id is not null;

-- Children, whose resolution may be their parent's.
insert into changed
select
    child.source,
    child.incident_id
from store.versions as child
join (
    select
        versions.source,
        unnest([versions.incident_id, versions.external_id]) as key
    from store.versions as versions
    semi join changed
        on versions.source = changed.source
        and versions.incident_id = changed.incident_id
) as parent
    on child.source = parent.source
    and child.parent_id = parent.key
where child.parent_id is not null;

-- A number for each incident: what follows sorts and joins by it, not by two texts.
create or replace temp table keys as
select
    source,
    incident_id,
    row_number() over () as key
from (
    select distinct
        changed.source,
        changed.incident_id
    from changed
    semi join store.versions as versions
        on changed.source = versions.source
        and changed.incident_id = versions.incident_id
);

-- Of an incident's two newest versions, with and without a version number, the older one does not count.
create or replace temp table outdated as
select
    numbered.source,
    numbered.incident_id,
    (coalesce(plain.updated_at, 'epoch'::timestamp), plain.as_of)
        > (coalesce(numbered.updated_at, 'epoch'::timestamp), numbered.as_of)
        as is_numbered
from (
    select source, incident_id, updated_at, as_of
    from store.versions
    where version_number is null
) as plain
join (
    select source, incident_id, updated_at, as_of
    from store.versions
    where version_number is not null
) as numbered
    on plain.source = numbered.source
    and plain.incident_id = numbered.incident_id
semi join keys
    on plain.source = keys.source
    and plain.incident_id = keys.incident_id;

create or replace temp table current_versions as
select
    keys.key,
    versions.*
from store.versions as versions
join keys
    on versions.source = keys.source
    and versions.incident_id = keys.incident_id
anti join outdated
    on versions.source = outdated.source
    and versions.incident_id = outdated.incident_id
    and (versions.version_number is not null) = outdated.is_numbered;
