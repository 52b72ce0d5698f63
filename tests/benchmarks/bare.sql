-- One row per row of the export.
create table history as
select *
from read_csv($export, all_varchar = true, nullstr = '?');

create temp table steps as
select
    number,
    sys_mod_count::integer as step,
    strptime(opened_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as opened_at,
    strptime(sys_updated_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as happened_at,
    sys_updated_by as actor,
    incident_state,
    assignment_group,
    assigned_to,
    priority,
    lag(incident_state) over life as from_state,
    lag(assignment_group) over life as from_group,
    lag(assigned_to) over life as from_assignee,
    lag(priority) over life as from_priority,
    row_number() over life = 1 as is_first
from history
window life as (
    partition by number
    order by sys_mod_count::integer
);

-- One row per incident: its newest row, stamps in UTC, its clock, and the seconds between.
create table incidents as
select
    newest.*,
    clock.acknowledged_at,
    clock.first_resolved_at,
    date_diff('second', newest.opened_at, clock.acknowledged_at) as seconds_to_acknowledge,
    date_diff('second', newest.opened_at, coalesce(newest.resolved_at, clock.last_resolved_at)) as seconds_to_resolve,
    clock.was_held
from (
    select
        * replace (
            strptime(opened_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as opened_at,
            strptime(resolved_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as resolved_at,
            strptime(closed_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as closed_at,
            strptime(sys_updated_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC'
                as sys_updated_at
        )
    from history
    qualify row_number() over (
        partition by number
        order by sys_mod_count::integer desc
    ) = 1
) as newest
join (
    select
        number,
        min(happened_at) filter (where incident_state <> 'New') as acknowledged_at,
        min(happened_at) filter (where incident_state = 'Resolved') as first_resolved_at,
        max(happened_at) filter (where incident_state = 'Resolved' and from_state <> 'Resolved') as last_resolved_at,
        bool_or(incident_state = 'Awaiting User Info') as was_held
    from steps
    group by number
) as clock
    on newest.number = clock.number;

-- One row per thing that happened: the opening, each thing that changed from one row to the next, each row without any.
create table events as
select number, step, opened_at as happened_at, actor, 'opened' as kind, null as from_value, incident_state as to_value
from steps
where is_first
union all
select number, step, happened_at, actor, 'state' as kind, from_state as from_value, incident_state as to_value
from steps
where from_state is distinct from incident_state
union all
select number, step, happened_at, actor, 'group_assigned', from_group, assignment_group
from steps
where from_group is distinct from assignment_group
union all
select number, step, happened_at, actor, 'assigned', from_assignee, assigned_to
from steps
where from_assignee is distinct from assigned_to
union all
select number, step, happened_at, actor, 'priority', from_priority, priority
from steps
where from_priority is distinct from priority
union all
select number, step, happened_at, actor, 'other', null, null
from steps
where not is_first
    and from_state is not distinct from incident_state
    and from_group is not distinct from assignment_group
    and from_assignee is not distinct from assigned_to
    and from_priority is not distinct from priority;
