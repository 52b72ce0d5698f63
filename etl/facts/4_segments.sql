-- One row per stretch of an incident's life; the open end of an open incident's last stretch is null.
create or replace temp table points as
select
    happenings.source,
    happenings.incident_id,
    happenings.sequence,
    happenings.happened_at,
    case
        when happenings.kind in ('opened', 'state', 'held', 'resumed', 'resolved', 'reopened', 'closed', 'cancelled')
            then happenings.state_after
    end as state,
    case when happenings.kind = 'held' then happenings.hold_reason end as hold_reason,
    happenings.group_after as assignment_group
from happenings
where happenings.kind in (
    'opened',
    'state',
    'held',
    'resumed',
    'resolved',
    'reopened',
    'closed',
    'cancelled',
    'group_assigned'
)
union all by name
-- The acknowledgement ends the waiting, in whatever state it happens.
select
    source,
    incident_id,
    null::bigint as sequence,
    acknowledged_at as happened_at,
    null::varchar as state,
    null::varchar as hold_reason,
    null::varchar as assignment_group
from clocks
where seconds_to_acknowledge > 0;

create or replace temp table stretches as
select
    *,
    lead(from_at, 1, until_at) over (
        partition by source, incident_id
        order by from_at, sequence nulls last
    ) as next_at
from (
    select
        points.source,
        points.incident_id,
        points.sequence,
        -- Steps whose stamps run backwards count from the latest stamp before them.
        greatest(
            clocks.opened_at,
            max(points.happened_at) over (
                partition by points.source, points.incident_id
                order by coalesce(points.sequence, 0), points.happened_at
                rows between unbounded preceding and current row
            )
        ) as from_at,
        points.happened_at,
        points.state,
        points.hold_reason,
        points.assignment_group,
        case when clocks.seconds_to_resolve is not null then clocks.resolved_at end as until_at,
        clocks.acknowledged_at,
        clocks.acknowledgement_basis,
        clocks.seconds_to_acknowledge
    from (
        select * from points where sequence is not null
    ) as points
    join clocks
        on points.source = clocks.source
        and points.incident_id = clocks.incident_id
    where clocks.seconds_to_resolve is not null
        or (clocks.state in ('new', 'in_progress', 'on_hold') and clocks.deleted_at_source is null)
    union all by name
    select
        points.source,
        points.incident_id,
        points.sequence,
        points.happened_at as from_at,
        points.happened_at,
        points.state,
        points.hold_reason,
        points.assignment_group,
        case when clocks.seconds_to_resolve is not null then clocks.resolved_at end as until_at,
        clocks.acknowledged_at,
        clocks.acknowledgement_basis,
        clocks.seconds_to_acknowledge
    from (
        select * from points where sequence is null
    ) as points
    join clocks
        on points.source = clocks.source
        and points.incident_id = clocks.incident_id
    where clocks.seconds_to_resolve is not null
        or (clocks.state in ('new', 'in_progress', 'on_hold') and clocks.deleted_at_source is null)
);

delete from store.segments as segments
using keys
where segments.source = keys.source
    and segments.incident_id = keys.incident_id;

insert into store.segments by name
select
    source,
    incident_id,
    from_at,
    least(next_at, until_at) as until_at,
    case
        when state in ('resolved', 'closed', 'cancelled') then 'resolved'
        when state = 'on_hold' then 'on_hold'
        when acknowledgement_basis is not null
            and (from_at >= acknowledged_at) is not true
            and (state is not null or acknowledgement_basis = 'reported')
            then 'waiting'
        when state = 'new' then 'waiting'
        when state = 'in_progress' then 'working'
        else 'unexplained'
    end as kind,
    case when state = 'on_hold' then hold_reason end as hold_reason,
    assignment_group
from (
    select
        source,
        incident_id,
        from_at,
        next_at,
        until_at,
        acknowledged_at,
        acknowledgement_basis,
        last_value(state ignore nulls) over life as state,
        -- A hold keeps its reason until the state changes.
        last_value(case when state is not null then struct_pack(reason := hold_reason) end ignore nulls) over life.reason
            as hold_reason,
        last_value(assignment_group ignore nulls) over life as assignment_group
    from stretches
    window life as (
        partition by source, incident_id
        order by from_at, sequence nulls last
        rows between unbounded preceding and current row
    )
)
where (until_at is null and (next_at is null or next_at > from_at))
    or (from_at < until_at and next_at > from_at);
