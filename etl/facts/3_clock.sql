-- One row per incident: what its history says, the instants of its clock, and the seconds between them.
create or replace temp table told_by_history as
select
    happenings.key,
    max(sequence) filter (where kind = 'reopened') as reopened_sequence,
    max(happened_at) filter (where kind = 'reopened') as reopened_at,
    count(*) filter (where kind = 'reopened') as reopen_count,
    count(*) filter (where kind = 'escalated') as escalation_count,
    -- An incident is reassigned when it is taken from a group that had it: given back to nobody counts, and the next
    -- group's taking it from nobody does not. Direct moves alone would miss every incident that waited in between.
    count(*) filter (
        where kind = 'group_assigned'
            and from_value is not null
            and to_value is distinct from from_value
    ) as reassignment_count,
    max(happened_at) filter (where kind = 'deleted') as told_deleted_at,
    max(happened_at) as last_event_at,
    max(happened_at) filter (where kind = 'resolved') as last_resolved_at,
    bool_or(kind = 'merged') as is_merged,
    count(*) filter (where hold_reason = 'caller') as holds_for_caller,
    min(happened_at) filter (where kind = 'resolved') as first_resolved_at,
    min(happened_at) filter (where kind = 'assigned' and to_value is not null) as assigned_at,
    min(happened_at) filter (where kind = 'acknowledged' and actor_kind <> 'automation') as told_acknowledged_at,
    arg_min(happened_at, sequence) filter (
        where kind <> 'opened'
            and actor_kind <> 'automation'
            and actor is distinct from caller
            and (state_after <> 'new' or (kind = 'assigned' and to_value = actor))
    ) as acted_at,
    count(*) filter (where kind <> 'opened' and actor_kind <> 'automation') as entries_by_people
from happenings
join (select key, caller from current_versions) as callers
    on happenings.key = callers.key
group by happenings.key;

-- The resolve event that stands: the last one, unless the incident was reopened after it. Closing does not move it.
create or replace temp table standing_resolutions as
select
    resolved.key,
    arg_max(
        struct_pack(
            happened_at := happened_at,
            actor_kind := actor_kind,
            priority := priority_after,
            assignment_group := group_after
        ),
        sequence
    ) as resolution
from (select * from happenings where kind = 'resolved' and from_value is distinct from 'closed') as resolved
join told_by_history
    on resolved.key = told_by_history.key
where resolved.sequence > coalesce(told_by_history.reopened_sequence, -1)
group by resolved.key;

-- Later incidents that the source links as reopening an earlier one.
create or replace temp table clones as
select
    known_incidents.key,
    count(*) as clone_count
from known_incidents
join (select source, reopens_id from store.versions where reopens_id is not null) as clone
    on clone.source = known_incidents.source
    and clone.reopens_id = known_incidents.known_as
group by known_incidents.key;

-- What a complete export no longer has was last seen before the first such export.
create or replace temp table vanished as
select
    keys.key,
    min(inputs.as_of) as deleted_at_source
from store.sightings as sightings
join keys
    on sightings.source = keys.source
    and sightings.incident_id = keys.incident_id
join store.inputs as inputs
    on inputs.source = sightings.source
    and inputs.full_export
    and inputs.as_of > sightings.seen_at
group by keys.key;

create or replace temp table instants as
select
    versions.key,
    versions.opened_at,
    versions.occurred_at,
    coalesce(versions.assigned_at, history.assigned_at) as assigned_at,
    case
        when versions.reports_acknowledgement
            then coalesce(versions.acknowledged_at, history.told_acknowledged_at)
        -- Null: the source cannot know, as a status page cannot.
        when beginnings.from_creation and versions.reports_acknowledgement is not null then history.acted_at
    end as acknowledged_at,
    case
        when versions.reports_acknowledgement then 'reported'
        when beginnings.from_creation and versions.reports_acknowledgement is not null then 'derived'
    end as acknowledgement_basis,
    coalesce(
        case when beginnings.key is not null then history.first_resolved_at end,
        versions.first_resolved_at,
        case
            when coalesce(versions.reopen_count, history.reopen_count, 0) = 0
                and versions.state in ('resolved', 'closed')
                then coalesce(versions.resolved_at, case when not sources.knows_resolving then versions.closed_at end)
        end
    ) as first_resolved_at,
    case
        when versions.state not in ('resolved', 'closed') then null
        when versions.resolved_at is not null and (versions.resolved_at < history.reopened_at) is not true
            then 'reported'
        when standing.resolution is not null and beginnings.key is not null then 'history'
        when versions.state = 'closed' and versions.closed_at is not null then 'closed'
    end as resolution_basis,
    case resolution_basis
        when 'reported' then versions.resolved_at
        when 'history' then standing.resolution.happened_at
        when 'closed' then versions.closed_at
    end as resolved_at,
    resolution_basis = 'closed' and sources.knows_resolving as is_only_closed,
    versions.resolved_at as reported_resolved_at,
    history.reopened_at,
    versions.closed_at,
    history.last_resolved_at,
    history.last_event_at,
    -- What the source changed after it was told to be deleted has come back.
    case
        when history.told_deleted_at >= coalesce(versions.updated_at, versions.opened_at)
            then history.told_deleted_at
    end as gone_at,
    coalesce(versions.deleted_at_source, gone_at, vanished.deleted_at_source) as deleted_at_source,
    case
        when gone_at is not null then 'deleted'
        when history.is_merged then 'duplicate'
    end as told_excluded_as,
    versions.state,
    sources.as_of,
    sources.first_contact_hours,
    beginnings.key is not null as has_history,
    coalesce(beginnings.from_creation, false) as from_creation,
    beginnings.first_state,
    beginnings.first_priority,
    beginnings.first_group,
    versions.reassignment_count as reported_reassignment_count,
    case when beginnings.key is not null then history.reassignment_count end as counted_reassignment_count,
    versions.reopen_count as reported_reopen_count,
    case when beginnings.key is not null then history.reopen_count end as counted_reopen_count,
    case
        when versions.reopen_count is not null or beginnings.from_creation or clones.clone_count > 0
            then greatest(
                coalesce(versions.reopen_count, case when beginnings.from_creation then history.reopen_count end, 0),
                0
            ) + coalesce(clones.clone_count, 0)
    end as reopen_count,
    coalesce(versions.reassignment_count, case when beginnings.from_creation then history.reassignment_count end)
        as reassignment_count,
    -- The number of the history stands only where the source records escalations at all.
    case
        when versions.escalation_count is not null
            then greatest(versions.escalation_count, coalesce(history.escalation_count, 0))
        when history.escalation_count > 0 then history.escalation_count
    end as escalation_count,
    case when beginnings.from_creation then history.holds_for_caller > 0 end as was_held_for_caller,
    standing.resolution.actor_kind = 'automation' as is_resolved_by_automation,
    coalesce(
        versions.is_auto_resolved,
        case
            when beginnings.from_creation and standing.resolution is not null
                then standing.resolution.actor_kind = 'automation' and history.entries_by_people = 0
        end
    ) as is_auto_resolved,
    coalesce(case when resolution_basis is not null then standing.resolution.priority end, versions.priority)
        as priority,
    coalesce(
        case when resolution_basis is not null then standing.resolution.assignment_group end,
        versions.assignment_group
    ) as assignment_group,
    -- What links to another tool's incident make true.
    false as is_opened_elsewhere,
    false as is_acknowledged_elsewhere
from current_versions as versions
join sources
    on versions.source = sources.source
left join told_by_history as history
    on versions.key = history.key
left join beginnings
    on versions.key = beginnings.key
left join standing_resolutions as standing
    on versions.key = standing.key
left join clones
    on versions.key = clones.key
left join vanished
    on versions.key = vanished.key;

create or replace temp view clocks as
select
    *,
    case
        when assigned_at between opened_at and as_of
            then date_diff('second', opened_at, assigned_at)
    end as seconds_to_assign,
    case
        when acknowledged_at between opened_at and as_of
            and (acknowledged_at > coalesce(first_resolved_at, resolved_at)) is not true
            then date_diff('second', opened_at, acknowledged_at)
    end as seconds_to_acknowledge,
    case
        when resolved_at between opened_at and as_of
            and not is_only_closed
            then date_diff('second', opened_at, resolved_at)
    end as seconds_to_resolve,
    case
        when first_resolved_at between opened_at and as_of
            then date_diff('second', opened_at, first_resolved_at)
    end as seconds_to_first_resolution
from instants;
