-- One row per thing that happened to an incident, in order of `sequence`.
-- Rows of history become events by what differs between one and the next; events that a source tells pass through.
-- The few words that repeat in every row (state_word, hold_word, actor_word) are a byte each on the way.
create or replace temp table steps as
select
    * exclude (before, tie),
    before.version_number as from_version,
    before.state as from_state,
    before.priority as from_priority,
    before.assignment_group as from_group,
    before.assignee as from_assignee,
    step > 1 and before.priority is distinct from priority as changes_priority,
    before.assignment_group is distinct from assignment_group and (step > 1 or version_number = 0) as changes_group,
    before.assignee is distinct from assignee and (step > 1 or version_number = 0) as changes_assignee,
    step > 1 and (escalation > before.escalation) is true as escalates,
    case when escalation > before.escalation then before.escalation end as from_escalation,
    case
        when (before.state is distinct from state and (step > 1 or state <> 'new'))
            -- Another reason is another hold.
            or (state = 'on_hold' and before.state = 'on_hold' and before.hold_reason is distinct from hold_reason)
            then case
                when before.state in ('resolved', 'closed', 'cancelled') and state in ('new', 'in_progress', 'on_hold')
                    then 'reopened'
                when state in ('resolved', 'closed', 'cancelled') then state
                when state = 'on_hold' then 'held'
                when before.state = 'on_hold' then 'resumed'
                else 'state'
            end
    end as state_change
from (
    select
        key,
        version_number,
        happened_at,
        actor,
        coalesce(actor_kind, 'unknown')::actor_word as actor_kind,
        state,
        case when state = 'on_hold' then hold_reason end as hold_reason,
        priority,
        assignment_group,
        assignee,
        escalation,
        tie,
        row_number() over life as step,
        -- One window function for all: each is evaluated by itself.
        lag(
            struct_pack(
                version_number := version_number,
                happened_at := happened_at,
                tie := tie,
                state := state,
                hold_reason := hold_reason,
                priority := priority,
                assignment_group := assignment_group,
                assignee := assignee,
                escalation := escalation
            )
        ) over life as before
    from (
        -- Versions of one number and minute follow each other by content, so that the order of loading does not matter.
        select
            keys.key,
            snapshots.* replace (state::state_word as state, hold_reason::hold_word as hold_reason),
            hash(state, source_state, hold_reason, priority, assignment_group, assignee, escalation, actor) as tie
        from store.snapshots as snapshots
        join keys
            on snapshots.source = keys.source
            and snapshots.incident_id = keys.incident_id
        where snapshots.source in (select source from verdicts where is_history)
    ) as snapshots
    window life as (
        partition by key
        order by version_number, happened_at, tie
    )
)
-- A row that an export holds twice is one.
where (
    before.version_number = version_number
    and before.happened_at = happened_at
    and before.tie = tie
) is not true;

-- Events that the source tells itself, found by either key. A log that says only what happened leaves out from where:
-- that is the event before. Another state after a resolution is a reopening, whatever the source calls it.
create or replace temp table told as
select
    told.* exclude (kind, from_value, state_before, group_before),
    case
        when from_value is not null or kind not in ('state', 'held', 'resumed') then kind
        when state_before in ('resolved', 'closed', 'cancelled') then 'reopened'
        when state_before = 'on_hold' and to_value <> 'on_hold' then 'resumed'
        else kind
    end as kind,
    coalesce(
        from_value,
        case
            when kind in ('state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled') then state_before
            when kind = 'group_assigned' then group_before.name
        end
    ) as from_value
from (
    select
        known_incidents.key,
        events.* exclude (source, incident_key),
        row_number() over course as step,
        last_value(
            case
                when events.kind in ('opened', 'state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled')
                    then events.to_value
            end
            ignore nulls
        ) over so_far as state_before,
        last_value(
            case when events.kind = 'group_assigned' then struct_pack(name := events.to_value) end
            ignore nulls
        ) over so_far as group_before
    from known_incidents
    join store.events as events
        on events.source = known_incidents.source
        and events.incident_key = known_incidents.known_as
    window
        course as (
            partition by known_incidents.key
            order by events.happened_at, events.sequence, events.event_id
        ),
        so_far as (
            partition by known_incidents.key
            order by events.happened_at, events.sequence, events.event_id
            rows between unbounded preceding and 1 preceding
        )
) as told
-- Acknowledged twice is one change of state.
where (kind = 'state' and from_value is null and state_before = to_value) is not true;

-- What the source tells about changes of state outranks what whole rows let us see.
create or replace temp table tells_states as
select distinct key
from told
where kind in ('state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled')
union
-- Its opening is told, it is new, and no change of state is: then it has been new all the time.
select told.key
from told
join current_versions
    on told.key = current_versions.key
where told.kind = 'opened'
    and current_versions.state = 'new';

create or replace temp table told_running as
select
    told.* exclude (hold_reason),
    coalesce(
        hold_reason,
        case
            when kind = 'held'
                then max(hold_reason) over (partition by key, happened_at)
        end
    ) as hold_reason,
    last_value(
        case
            when kind in ('opened', 'state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled')
                then to_value
        end
        ignore nulls
    ) over course as state_after,
    last_value(case when kind = 'group_assigned' then to_value end ignore nulls) over course as group_after,
    last_value(case when kind = 'priority' then to_value end ignore nulls) over course as priority_after
from told
window course as (
    partition by key
    order by step
    rows between unbounded preceding and current row
);

create or replace temp table first_told as
select
    first_told.*,
    coalesce(
        first_change.before,
        first_change.after,
        case when tells_opening and current_versions.state = 'new' then 'new' end
    ) as first_state
from (
    select
        key,
        -- A first change from nothing is the creation itself, and the state that it leads to the first one.
        arg_min(struct_pack(before := from_value, after := to_value), step) filter (
            where kind in ('state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled')
        ) as first_change,
        arg_min(struct_pack(value := coalesce(from_value, to_value)), step) filter (where kind = 'group_assigned').value
            as first_group,
        arg_min(struct_pack(value := from_value), step) filter (where kind = 'priority').value as first_priority,
        arg_min(struct_pack(value := from_value), step) filter (where kind = 'group_assigned').value as group_before,
        bool_or(kind = 'opened') as tells_opening,
        bool_or(kind = 'acknowledged') as tells_acknowledgement
    from told
    group by key
) as first_told
join current_versions
    on first_told.key = current_versions.key;

-- One row per incident with a usable history: how it began, and whether the history begins with its creation.
create or replace temp table beginnings as
select
    key,
    version_number = 0 or state = 'new' as from_creation,
    case when version_number = 0 or state = 'new' then state end as first_state,
    case when version_number = 0 then priority end as first_priority,
    case when version_number = 0 then assignment_group end as first_group,
    assignment_group as group_before
from steps
anti join tells_states
    on steps.key = tells_states.key
where step = 1
union all by name
select
    first_told.key,
    first_told.first_change.before is null or first_told.first_state = 'new' or first_told.tells_opening as from_creation,
    first_told.first_state,
    coalesce(try_cast(first_told.first_priority as tinyint), current_versions.priority) as first_priority,
    coalesce(first_told.first_group, current_versions.assignment_group) as first_group,
    coalesce(first_told.group_before, case when first_told.first_group is null then current_versions.assignment_group end)
        as group_before
from first_told
join tells_states
    on first_told.key = tells_states.key
join current_versions
    on first_told.key = current_versions.key;

-- The rows of history that speak for themselves.
create or replace temp view seen_steps as
select
    * exclude (version_number, from_version),
    version_number
        || case when from_version = version_number then '.' || step else '' end
        || '-' as step_id
from steps
anti join tells_states
    on steps.key = tells_states.key;

create or replace temp view happenings as
-- The opening itself.
select
    current_versions.key,
    'opened' as event_id,
    current_versions.opened_at as happened_at,
    0::bigint as sequence,
    'opened' as kind,
    null::varchar as from_value,
    case when beginnings.first_state = 'new' then 'new' end as to_value,
    null::hold_word as hold_reason,
    case when beginnings.first_state = 'new' then first_step.actor end as actor,
    coalesce(case when beginnings.first_state = 'new' then first_step.actor_kind end, 'unknown')::actor_word as actor_kind,
    beginnings.first_group as assignment_group,
    case when beginnings.first_state = 'new' then 'new'::state_word end as state_after,
    beginnings.group_before as group_after,
    beginnings.first_priority as priority_after
from current_versions
left join beginnings
    on current_versions.key = beginnings.key
left join (select key, actor, actor_kind from steps where step = 1 and version_number = 0) as first_step
    on current_versions.key = first_step.key
left join first_told
    on current_versions.key = first_told.key
where first_told.tells_opening is not true

-- What differs between one row of history and the next; a row that changes nothing visible is `other`.
union all by name
select
    key,
    step_id || state_change as event_id,
    happened_at,
    step * 10 + 1 as sequence,
    state_change as kind,
    from_state as from_value,
    state as to_value,
    hold_reason as hold_reason,
    actor,
    actor_kind,
    assignment_group,
    state as state_after,
    assignment_group as group_after,
    priority as priority_after
from seen_steps
where state_change is not null

union all by name
select
    key,
    step_id || 'group_assigned' as event_id,
    happened_at,
    step * 10 + 2 as sequence,
    'group_assigned' as kind,
    from_group as from_value,
    assignment_group as to_value,
    null::hold_word as hold_reason,
    actor,
    actor_kind,
    assignment_group,
    state as state_after,
    assignment_group as group_after,
    priority as priority_after,
    state_change is not null as goes_with_state
from seen_steps
where changes_group

union all by name
select
    key,
    step_id || 'assigned' as event_id,
    happened_at,
    step * 10 + 3 as sequence,
    'assigned' as kind,
    from_assignee as from_value,
    assignee as to_value,
    null::hold_word as hold_reason,
    actor,
    actor_kind,
    assignment_group,
    state as state_after,
    assignment_group as group_after,
    priority as priority_after
from seen_steps
where changes_assignee

union all by name
select
    key,
    step_id || 'priority' as event_id,
    happened_at,
    step * 10 + 4 as sequence,
    'priority' as kind,
    from_priority::varchar as from_value,
    priority::varchar as to_value,
    null::hold_word as hold_reason,
    actor,
    actor_kind,
    assignment_group,
    state as state_after,
    assignment_group as group_after,
    priority as priority_after
from seen_steps
where changes_priority

union all by name
select
    key,
    step_id || 'escalated' as event_id,
    happened_at,
    step * 10 + 5 as sequence,
    'escalated' as kind,
    from_escalation::varchar as from_value,
    escalation::varchar as to_value,
    null::hold_word as hold_reason,
    actor,
    actor_kind,
    assignment_group,
    state as state_after,
    assignment_group as group_after,
    priority as priority_after
from seen_steps
where escalates

union all by name
select
    key,
    step_id || 'other' as event_id,
    happened_at,
    step * 10 + 6 as sequence,
    'other' as kind,
    null::varchar as from_value,
    null::varchar as to_value,
    null::hold_word as hold_reason,
    actor,
    actor_kind,
    assignment_group,
    state as state_after,
    assignment_group as group_after,
    priority as priority_after
from seen_steps
where step > 1
    and state_change is null
    and not changes_group
    and not changes_assignee
    and not changes_priority
    and not escalates

union all by name
select
    told_running.key,
    told_running.event_id,
    told_running.happened_at,
    told_running.step * 10 as sequence,
    told_running.kind,
    told_running.from_value,
    told_running.to_value,
    told_running.hold_reason::hold_word as hold_reason,
    told_running.actor,
    coalesce(told_running.actor_kind, 'unknown')::actor_word as actor_kind,
    coalesce(told_running.assignment_group, told_running.group_after) as assignment_group,
    coalesce(told_running.state_after, first_told.first_state)::state_word as state_after,
    coalesce(told_running.group_after, first_told.first_group) as group_after,
    try_cast(coalesce(told_running.priority_after, first_told.first_priority) as tinyint) as priority_after
from told_running
join first_told
    on told_running.key = first_told.key

union all by name
-- A stamp that the source reports and that no history tells is something that happened, too.
select
    reported.key,
    'reported-' || reported.kind as event_id,
    reported.happened_at,
    reported.place::bigint as sequence,
    reported.kind,
    null::varchar as from_value,
    case reported.kind when 'acknowledged' then null else reported.kind end as to_value,
    null::hold_word as hold_reason,
    null::varchar as actor,
    'unknown'::actor_word as actor_kind,
    null::varchar as assignment_group,
    (case reported.kind when 'acknowledged' then null else reported.kind end)::state_word as state_after,
    null::varchar as group_after,
    null::tinyint as priority_after
from (
    select key, 1 as place, 'acknowledged' as kind, acknowledged_at as happened_at
    from current_versions
    union all
    select key, 2 as place, 'resolved' as kind, coalesce(first_resolved_at, resolved_at) as happened_at
    from current_versions
    where state in ('resolved', 'closed')
    union all
    select key, 3 as place, 'closed' as kind, closed_at as happened_at
    from current_versions
    where state = 'closed'
) as reported
left join beginnings
    on reported.key = beginnings.key
left join first_told
    on reported.key = first_told.key
where reported.happened_at is not null
    and case reported.kind
        when 'acknowledged' then first_told.tells_acknowledgement is not true
        else beginnings.key is null
    end;

delete from incident_events as events
using keys
where events.source = keys.source
    and events.incident_id = keys.incident_id;

insert into incident_events by name
select
    keys.source,
    keys.incident_id,
    happenings.* exclude (key, state_after, group_after, priority_after, goes_with_state)
from happenings
join keys
    on happenings.key = keys.key;
