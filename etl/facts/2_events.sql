-- One row per thing that happened to an incident, in order of `sequence`.
-- Rows of history become events by what differs between one and the next; events that a source tells pass through.
create or replace temp table steps as
select
    snapshots.source,
    snapshots.incident_id,
    snapshots.version_number,
    snapshots.happened_at,
    snapshots.actor,
    snapshots.actor_kind,
    snapshots.state,
    snapshots.hold_reason,
    snapshots.priority,
    snapshots.assignment_group,
    snapshots.assignee,
    snapshots.escalation,
    snapshots.version_number::varchar
        || case
            when lag(snapshots.version_number) over life = snapshots.version_number
                then '.' || snapshots.content_hash::varchar
            else ''
        end as step_id,
    row_number() over life as step,
    lag(snapshots.state) over life as from_state,
    lag(snapshots.priority) over life as from_priority,
    lag(snapshots.assignment_group) over life as from_group,
    lag(snapshots.assignee) over life as from_assignee,
    lag(snapshots.escalation) over life as from_escalation
from store.snapshots as snapshots
semi join keys
    on snapshots.source = keys.source
    and snapshots.incident_id = keys.incident_id
semi join (select source from verdicts where is_history) as histories
    on snapshots.source = histories.source
window life as (
    partition by snapshots.source, snapshots.incident_id
    order by snapshots.version_number, snapshots.happened_at, snapshots.content_hash
);

-- Events that the source tells itself, found by either key.
create or replace temp table told as
select
    current_versions.incident_id,
    events.* exclude (incident_key),
    row_number() over (
        partition by current_versions.source, current_versions.incident_id
        order by events.happened_at, events.sequence, events.event_id
    ) as step
from (
    select source, incident_id, incident_id as key from current_versions
    union
    select source, incident_id, external_id as key from current_versions where external_id is not null
) as current_versions
join store.events as events
    on events.source = current_versions.source
    and events.incident_key = current_versions.key;

-- What the source tells about changes of state outranks what whole rows let us see.
create or replace temp table tells_states as
select distinct
    source,
    incident_id
from told
where kind in ('state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled');

create or replace temp table told_running as
select
    told.* exclude (hold_reason),
    coalesce(
        hold_reason,
        case
            when kind = 'held'
                then max(hold_reason) over (partition by source, incident_id, happened_at)
        end
    ) as hold_reason,
    last_value(
        case when kind in ('state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled') then to_value end
        ignore nulls
    ) over life as state_after,
    last_value(case when kind = 'group_assigned' then to_value end ignore nulls) over life as group_after,
    last_value(case when kind = 'priority' then to_value end ignore nulls) over life as priority_after
from told
window life as (
    partition by source, incident_id
    order by step
    rows between unbounded preceding and current row
);

create or replace temp table first_told as
select
    source,
    incident_id,
    arg_min(from_value, step) filter (
        where kind in ('state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled')
    ) as first_state,
    arg_min(struct_pack(value := coalesce(from_value, to_value)), step) filter (where kind = 'group_assigned').value
        as first_group,
    arg_min(struct_pack(value := from_value), step) filter (where kind = 'priority').value as first_priority,
    arg_min(struct_pack(value := from_value), step) filter (where kind = 'group_assigned').value as group_before,
    bool_or(kind = 'opened') as tells_opening,
    bool_or(kind = 'acknowledged') as tells_acknowledgement
from told
group by
    source,
    incident_id;

-- One row per incident with a usable history: how it began, and whether the history begins with its creation.
create or replace temp table beginnings as
select
    source,
    incident_id,
    version_number = 0 or state = 'new' as from_creation,
    case when version_number = 0 or state = 'new' then state end as first_state,
    case when version_number = 0 then priority end as first_priority,
    case when version_number = 0 then assignment_group end as first_group,
    assignment_group as group_before
from steps
anti join tells_states
    on steps.source = tells_states.source
    and steps.incident_id = tells_states.incident_id
where step = 1
union all by name
select
    first_told.source,
    first_told.incident_id,
    first_told.first_state is not distinct from 'new' or first_told.tells_opening as from_creation,
    first_told.first_state,
    coalesce(try_cast(first_told.first_priority as tinyint), current_versions.priority) as first_priority,
    coalesce(first_told.first_group, current_versions.assignment_group) as first_group,
    coalesce(first_told.group_before, case when first_told.first_group is null then current_versions.assignment_group end)
        as group_before
from first_told
join tells_states
    on first_told.source = tells_states.source
    and first_told.incident_id = tells_states.incident_id
join current_versions
    on first_told.source = current_versions.source
    and first_told.incident_id = current_versions.incident_id;

create or replace temp table happenings as
-- The opening itself.
select
    current_versions.source,
    current_versions.incident_id,
    'opened' as event_id,
    current_versions.opened_at as happened_at,
    0::bigint as sequence,
    'opened' as kind,
    null::varchar as from_value,
    case when beginnings.first_state = 'new' then 'new' end as to_value,
    null::varchar as hold_reason,
    case when beginnings.first_state = 'new' then first_step.actor end as actor,
    case when beginnings.first_state = 'new' then first_step.actor_kind else 'unknown' end as actor_kind,
    beginnings.first_group as assignment_group,
    case when beginnings.first_state = 'new' then 'new' end as state_after,
    beginnings.group_before as group_after,
    beginnings.first_priority as priority_after
from current_versions
left join beginnings
    on current_versions.source = beginnings.source
    and current_versions.incident_id = beginnings.incident_id
left join (select source, incident_id, actor, actor_kind from steps where step = 1 and version_number = 0) as first_step
    on current_versions.source = first_step.source
    and current_versions.incident_id = first_step.incident_id
left join first_told
    on current_versions.source = first_told.source
    and current_versions.incident_id = first_told.incident_id
where first_told.tells_opening is not true

union all by name
-- What differs between one row of history and the next; a row that changes nothing visible is `other`.
select
    steps.source,
    steps.incident_id,
    steps.step_id || '-' || change.kind as event_id,
    steps.happened_at,
    steps.step * 10 + change.place as sequence,
    change.kind,
    change.from_value,
    change.to_value,
    case when change.kind = 'held' then steps.hold_reason end as hold_reason,
    steps.actor,
    coalesce(steps.actor_kind, 'unknown') as actor_kind,
    steps.assignment_group,
    steps.state as state_after,
    steps.assignment_group as group_after,
    steps.priority as priority_after
from (
    select
        * exclude (from_state),
        from_state,
        unnest(changes) as change
    from (
        select
            *,
            list_filter(
                [
                    case
                        when from_state is distinct from state and (step > 1 or state <> 'new')
                            then struct_pack(
                                place := 1,
                                kind := case
                                    when from_state in ('resolved', 'closed', 'cancelled')
                                        and state in ('new', 'in_progress', 'on_hold')
                                        then 'reopened'
                                    when state in ('resolved', 'closed', 'cancelled') then state
                                    when state = 'on_hold' then 'held'
                                    when from_state = 'on_hold' then 'resumed'
                                    else 'state'
                                end,
                                from_value := from_state,
                                to_value := state
                            )
                    end,
                    case
                        when from_group is distinct from assignment_group and (step > 1 or version_number = 0)
                            then struct_pack(
                                place := 2,
                                kind := 'group_assigned',
                                from_value := from_group,
                                to_value := assignment_group
                            )
                    end,
                    case
                        when from_assignee is distinct from assignee and (step > 1 or version_number = 0)
                            then struct_pack(
                                place := 3,
                                kind := 'assigned',
                                from_value := from_assignee,
                                to_value := assignee
                            )
                    end,
                    case
                        when from_priority is distinct from priority and step > 1
                            then struct_pack(
                                place := 4,
                                kind := 'priority',
                                from_value := from_priority::varchar,
                                to_value := priority::varchar
                            )
                    end,
                    case
                        when escalation > from_escalation and step > 1
                            then struct_pack(
                                place := 5,
                                kind := 'escalated',
                                from_value := from_escalation::varchar,
                                to_value := escalation::varchar
                            )
                    end,
                    case
                        when step > 1
                            and from_state is not distinct from state
                            and from_group is not distinct from assignment_group
                            and from_assignee is not distinct from assignee
                            and from_priority is not distinct from priority
                            and (escalation > from_escalation) is not true
                            then struct_pack(
                                place := 6,
                                kind := 'other',
                                from_value := null::varchar,
                                to_value := null::varchar
                            )
                    end
                ],
                lambda entry: entry is not null
            ) as changes
        from steps
        anti join tells_states
            on steps.source = tells_states.source
            and steps.incident_id = tells_states.incident_id
    )
) as steps

union all by name
select
    told_running.source,
    told_running.incident_id,
    told_running.event_id,
    told_running.happened_at,
    told_running.step * 10 as sequence,
    told_running.kind,
    told_running.from_value,
    told_running.to_value,
    told_running.hold_reason,
    told_running.actor,
    coalesce(told_running.actor_kind, 'unknown') as actor_kind,
    coalesce(told_running.assignment_group, told_running.group_after) as assignment_group,
    coalesce(told_running.state_after, first_told.first_state) as state_after,
    coalesce(told_running.group_after, first_told.first_group) as group_after,
    try_cast(coalesce(told_running.priority_after, first_told.first_priority) as tinyint) as priority_after
from told_running
join first_told
    on told_running.source = first_told.source
    and told_running.incident_id = first_told.incident_id

union all by name
-- A stamp that the source reports and that no history tells is something that happened, too.
select
    reported.source,
    reported.incident_id,
    'reported-' || reported.kind as event_id,
    reported.happened_at,
    reported.place::bigint as sequence,
    reported.kind,
    null::varchar as from_value,
    case reported.kind when 'acknowledged' then null else reported.kind end as to_value,
    null::varchar as hold_reason,
    null::varchar as actor,
    'unknown' as actor_kind,
    null::varchar as assignment_group,
    case reported.kind when 'acknowledged' then null else reported.kind end as state_after,
    null::varchar as group_after,
    null::tinyint as priority_after
from (
    select source, incident_id, 1 as place, 'acknowledged' as kind, acknowledged_at as happened_at
    from current_versions
    union all
    select source, incident_id, 2 as place, 'resolved' as kind, coalesce(first_resolved_at, resolved_at) as happened_at
    from current_versions
    where state in ('resolved', 'closed')
    union all
    select source, incident_id, 3 as place, 'closed' as kind, closed_at as happened_at
    from current_versions
    where state = 'closed'
) as reported
left join beginnings
    on reported.source = beginnings.source
    and reported.incident_id = beginnings.incident_id
left join first_told
    on reported.source = first_told.source
    and reported.incident_id = first_told.incident_id
where reported.happened_at is not null
    and case reported.kind
        when 'acknowledged' then first_told.tells_acknowledgement is not true
        else beginnings.incident_id is null
    end;

delete from incident_events as events
using keys
where events.source = keys.source
    and events.incident_id = keys.incident_id;

insert into incident_events by name
select
    source,
    incident_id,
    event_id,
    happened_at,
    sequence,
    kind,
    from_value,
    to_value,
    hold_reason,
    actor,
    actor_kind,
    assignment_group
from happenings;
