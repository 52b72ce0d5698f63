-- One row per row of the export.
create table history as
select *
from read_csv($export, all_varchar = true, nullstr = '?');

-- One row per incident: its newest row, stamps in UTC, and the seconds between them.
create table incidents as
select
    * replace (
        strptime(opened_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as opened_at,
        strptime(resolved_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as resolved_at,
        strptime(closed_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as closed_at,
        strptime(sys_updated_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as sys_updated_at
    )
from history
qualify row_number() over (
    partition by number
    order by sys_mod_count::integer desc
) = 1;

create temp table steps as
select
    number,
    sys_mod_count::integer as step,
    strptime(sys_updated_at, '%d/%m/%Y %H:%M') at time zone 'America/Sao_Paulo' at time zone 'UTC' as happened_at,
    sys_updated_by as actor,
    incident_state,
    assignment_group,
    assigned_to,
    priority,
    lag(incident_state) over life as from_state,
    lag(assignment_group) over life as from_group,
    lag(assigned_to) over life as from_assignee,
    lag(priority) over life as from_priority
from history
window life as (
    partition by number
    order by sys_mod_count::integer
);

-- One row per thing that changed from one row to the next.
create table events as
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
where from_priority is distinct from priority;
