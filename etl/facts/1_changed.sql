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
