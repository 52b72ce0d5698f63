-- One row per source and day of opening, and one per member of each column that everything is filtered by.
create or replace temp view moved as
select
    -1 as step,
    * exclude (place)
from outdated
union all by name
select
    1 as step,
    source,
    opened_on,
    excluded_as,
    priority,
    assignment_group,
    service,
    category,
    channel
from incidents
where rowid > getvariable('last_incident');

create or replace temp table counted_openings as
select
    source,
    day,
    sum(incidents)::bigint as incidents,
    sum(excluded)::bigint as excluded
from (
    select
        source,
        day,
        incidents,
        excluded
    from store.openings
    union all by name
    select
        source,
        opened_on as day,
        sum(step) as incidents,
        sum(case when excluded_as is not null then step else 0 end) as excluded
    from moved
    group by
        source,
        opened_on
)
group by
    source,
    day
having sum(incidents) > 0;

create or replace temp table counted_members as
select
    dimension,
    member,
    sum(incidents)::bigint as incidents
from (
    select
        dimension,
        member,
        incidents
    from store.members
    union all by name
    select
        case
            when grouping(source) = 0 then 'source'
            when grouping(priority) = 0 then 'priority'
            when grouping(assignment_group) = 0 then 'assignment_group'
            when grouping(service) = 0 then 'service'
            when grouping(category) = 0 then 'category'
            when grouping(channel) = 0 then 'channel'
        end as dimension,
        coalesce(source, priority::varchar, assignment_group, service, category, channel) as member,
        sum(step) as incidents
    from moved
    group by grouping sets (
        (source),
        (priority),
        (assignment_group),
        (service),
        (category),
        (channel)
    )
)
group by
    dimension,
    member
having sum(incidents) > 0;

delete from store.openings;

insert into store.openings by name
select *
from counted_openings;

delete from store.members;

insert into store.members by name
select *
from counted_members;
