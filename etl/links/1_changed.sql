-- One row per version of an incident that links tie to a changed one, now or at the last run: its facts are made again.
create or replace temp table link_seeds as
select distinct
    source,
    incident_id
from places;

-- What the changed incidents name. Of two newest versions that one counts which facts/1_keys.sql takes.
delete from store.link_names as names
using link_seeds
where names.source = link_seeds.source
    and names.incident_id = link_seeds.incident_id;

insert into store.link_names
select distinct
    source,
    incident_id,
    rule,
    target,
    trim(named) as linked_id
from (
    select
        source,
        incident_id,
        rule,
        target,
        unnest(case when pattern is null then [told] else regexp_extract_all(told, pattern, "group") end) as named
    from (
        select
            naming.source,
            naming.incident_id,
            rules.place as rule,
            rules.target,
            rules.pattern,
            rules."group",
            unnest(
                case rules.field
                    when 'incident_id' then [naming.incident_id]
                    when 'external_id' then [naming.external_id]
                    when 'title' then [naming.title]
                    when 'url' then [naming.url]
                    when 'category' then [naming.category]
                    when 'subcategory' then [naming.subcategory]
                    when 'configuration_item' then [naming.configuration_item]
                    when 'parent_id' then [naming.parent_id]
                    when 'problem_id' then [naming.problem_id]
                    when 'change_id' then [naming.change_id]
                    when 'resolution_code' then [naming.resolution_code]
                    when 'tags' then naming.tags
                    else [json_extract_string(naming.attributes, rules.attribute)]
                end
            ) as told
        from (
            select versions.*
            from store.versions as versions
            semi join places
                on versions.rowid = places.place
            where versions.source in (select source from store.link_rules)
            qualify row_number() over (
                partition by versions.source, versions.incident_id
                order by
                    coalesce(versions.updated_at, 'epoch'::timestamp) desc,
                    versions.as_of desc,
                    versions.version_number nulls last
            ) = 1
        ) as naming
        join store.link_rules as rules
            on naming.source = rules.source
    )
)
where trim(named) <> '';

-- The ties that may count: those of the last run, what the changed incidents name, and who names a changed one.
create or replace temp table link_ties as
select
    source,
    incident_id,
    linked_source,
    linked_incident_id
from incident_links
where linked_incident_id is not null
union
select
    names.source,
    names.incident_id,
    targets.source as linked_source,
    targets.incident_id as linked_incident_id
from store.link_names as names
semi join link_seeds
    on names.source = link_seeds.source
    and names.incident_id = link_seeds.incident_id
join store.versions as targets
    on names.linked_source = targets.source
    and names.linked_id = targets.incident_id
union
select
    names.source,
    names.incident_id,
    targets.source as linked_source,
    targets.incident_id as linked_incident_id
from store.link_names as names
semi join link_seeds
    on names.source = link_seeds.source
    and names.incident_id = link_seeds.incident_id
join store.versions as targets
    on names.linked_source = targets.source
    and names.linked_id = targets.external_id
union
select
    names.source,
    names.incident_id,
    named.source as linked_source,
    named.incident_id as linked_incident_id
from store.link_names as names
join (
    select
        source,
        incident_id,
        unnest([incident_id, external_id]) as known_as
    from places
    where source in (select target from store.link_rules)
) as named
    on names.linked_source = named.source
    and names.linked_id = named.known_as;

create or replace temp table link_steps as
select
    source,
    incident_id,
    linked_source as to_source,
    linked_incident_id as to_incident_id
from link_ties
union all
select
    linked_source as source,
    linked_incident_id as incident_id,
    source as to_source,
    incident_id as to_incident_id
from link_ties;

-- A child's resolution may follow from its parent's, and that from another tool's.
insert into link_steps
select distinct
    parent.source,
    parent.incident_id,
    child.source as to_source,
    child.incident_id as to_incident_id
from (
    select
        versions.source,
        versions.incident_id,
        unnest([versions.incident_id, versions.external_id]) as key
    from store.versions as versions
    semi join link_steps
        on versions.source = link_steps.source
        and versions.incident_id = link_steps.incident_id
) as parent
join store.versions as child
    on parent.source = child.source
    and parent.key = child.parent_id
where child.parent_id is not null;

-- All that hang together with them.
create or replace temp table reached as
with recursive reached as (
    select
        link_seeds.source,
        link_seeds.incident_id
    from link_seeds
    semi join link_steps
        on link_seeds.source = link_steps.source
        and link_seeds.incident_id = link_steps.incident_id
    union
    select
        link_steps.to_source as source,
        link_steps.to_incident_id as incident_id
    from reached
    join link_steps
        on reached.source = link_steps.source
        and reached.incident_id = link_steps.incident_id
)
select
    reached.source,
    reached.incident_id
from reached
anti join link_seeds
    on reached.source = link_seeds.source
    and reached.incident_id = link_seeds.incident_id;

insert into places by name
select
    versions.rowid as place,
    versions.source,
    versions.incident_id,
    versions.external_id
from store.versions as versions
semi join reached
    on versions.source = reached.source
    and versions.incident_id = reached.incident_id;
