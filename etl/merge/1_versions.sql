-- At most one row per incident and kind of version (with and without the source's version number): the newest.
-- Of one input, an incident's newest version; nearly all are there once, so only the others are ranked. Content
-- decides last, as JSON text: that has one order in every DuckDB.
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
    order by version_number desc, updated_at desc nulls last, to_json(staged_versions)::varchar desc
) = 1;

delete from staged_versions
using repeated
where staged_versions.incident_id = repeated.incident_id;

insert into staged_versions
select * from ranked;

-- The store's versions of the same incidents, and the staged ones that they contend with. Whole rows are read by place,
-- which touches no others.
create or replace temp table places as
select versions.rowid as place
from store.versions as versions
semi join staged_versions
    on versions.source = $source
    and versions.incident_id = staged_versions.incident_id;

create or replace temp table standing as
select
    versions.rowid as place,
    versions.* exclude (source)
from store.versions as versions
where rowid in (select place from places);

create or replace temp table contenders as
select staged_versions.*
from staged_versions
semi join standing
    on staged_versions.incident_id = standing.incident_id
    and (staged_versions.version_number is null) = (standing.version_number is null);

-- By version number, then update, then the export's as-of, whatever came first.
create or replace temp table contests as
select
    incident_id,
    is_plain,
    mine > theirs as is_won,
    mine = theirs as is_tie
from (
    select
        contenders.incident_id,
        contenders.version_number is null as is_plain,
        row(
            coalesce(contenders.version_number, 0),
            coalesce(contenders.updated_at, '-infinity'::timestamp),
            $as_of::timestamp
        ) as mine,
        row(
            coalesce(standing.version_number, 0),
            coalesce(standing.updated_at, '-infinity'::timestamp),
            standing.as_of
        ) as theirs
    from contenders
    join standing
        on contenders.incident_id = standing.incident_id
        and (contenders.version_number is null) = (standing.version_number is null)
);

-- A tie is decided by content.
create or replace temp table won_by_content as
select
    mine.incident_id,
    mine.is_plain
from (
    select
        content.incident_id,
        content.version_number is null as is_plain,
        to_json(content)::varchar as said
    from (select * from contenders) as content
    semi join (select * from contests where is_tie) as ties
        on content.incident_id = ties.incident_id
) as mine
join (
    select
        content.incident_id,
        content.version_number is null as is_plain,
        to_json(content)::varchar as said
    from (select * exclude (place, as_of) from standing) as content
    semi join (select * from contests where is_tie) as ties
        on content.incident_id = ties.incident_id
) as theirs
    on mine.incident_id = theirs.incident_id
    and mine.is_plain = theirs.is_plain
semi join (select * from contests where is_tie) as ties
    on mine.incident_id = ties.incident_id
    and mine.is_plain = ties.is_plain
where mine.said > theirs.said;

-- The same content in a newer export is no change.
create or replace temp table differing as
select
    incident_id,
    version_number is null as is_plain
from (
    select * from contenders
    except
    select * exclude (place, as_of) from standing
);

create or replace temp table replacing as
select
    staged_versions.incident_id,
    staged_versions.version_number is null as is_plain,
    contests.incident_id is null or differing.incident_id is not null as is_change
from staged_versions
left join contests
    on staged_versions.incident_id = contests.incident_id
    and (staged_versions.version_number is null) = contests.is_plain
left join won_by_content
    on staged_versions.incident_id = won_by_content.incident_id
    and (staged_versions.version_number is null) = won_by_content.is_plain
left join differing
    on staged_versions.incident_id = differing.incident_id
    and (staged_versions.version_number is null) = differing.is_plain
where contests.incident_id is null
    or contests.is_won
    or won_by_content.incident_id is not null;

delete from store.versions
where rowid in (
    select standing.place
    from standing
    join replacing
        on standing.incident_id = replacing.incident_id
        and (standing.version_number is null) = replacing.is_plain
);

insert into store.versions by name
select
    $source as source,
    staged_versions.*,
    $as_of::timestamp as as_of
from staged_versions
semi join replacing
    on staged_versions.incident_id = replacing.incident_id
    and (staged_versions.version_number is null) = replacing.is_plain;
