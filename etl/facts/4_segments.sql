-- One row per stretch of an incident's life, in `stretches`; the open end of an open incident's last stretch is null.
-- The incidents whose life can be told in stretches: those that took a known time, and the open ones.
create or replace temp table lives as
select
    key,
    opened_at,
    case when seconds_to_resolve is not null then resolved_at end as until_at,
    (until_at at time zone 'UTC' at time zone zone.value)::date as resolved_on,
    acknowledged_at,
    acknowledgement_basis,
    seconds_to_acknowledge,
    is_opened_elsewhere,
    is_acknowledged_elsewhere
from clocks
cross join (select value from store.settings where name = 'reporting_timezone') as zone
where seconds_to_resolve is not null
    or (state in ('new', 'in_progress', 'on_hold') and deleted_at_source is null);

-- The instants at which something about it changes: state, group, and the acknowledgement, which ends the waiting.
create or replace temp view points as
select
    happenings.key,
    happenings.sequence,
    greatest(lives.opened_at, happenings.happened_at) as from_at,
    case when happenings.kind <> 'group_assigned' then happenings.state_after end as state,
    happenings.hold_reason,
    happenings.group_after as assignment_group,
    lives.until_at,
    lives.acknowledged_at,
    lives.acknowledgement_basis,
    lives.is_acknowledged_elsewhere
from happenings
join lives
    on happenings.key = lives.key
-- A group that came with a state is told by the change of state.
where (
        happenings.kind in (
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
        and happenings.goes_with_state is not true
    )
    -- The reason of a hold may change while it lasts.
    or happenings.hold_reason is not null
union all by name
select
    key,
    null::bigint as sequence,
    acknowledged_at as from_at,
    null::varchar as state,
    null::varchar as hold_reason,
    null::varchar as assignment_group,
    until_at,
    acknowledged_at,
    acknowledgement_basis,
    is_acknowledged_elsewhere
from lives
where seconds_to_acknowledge > 0
union all by name
-- Another tool had it before its own.
select
    key,
    -1::bigint as sequence,
    opened_at as from_at,
    'new' as state,
    null::varchar as hold_reason,
    null::varchar as assignment_group,
    until_at,
    acknowledged_at,
    acknowledgement_basis,
    is_acknowledged_elsewhere
from lives
where is_opened_elsewhere;

create or replace temp table stretches as
select
    key,
    from_at,
    least(next_at, until_at) as until_at,
    case
        when held.state in ('resolved', 'closed', 'cancelled') then 'resolved'
        when held.state = 'on_hold' then 'on_hold'
        when acknowledgement_basis is not null
            and (from_at >= acknowledged_at) is not true
            and (held.state is not null or acknowledgement_basis = 'reported')
            then 'waiting'
        when held.state = 'new' and is_acknowledged_elsewhere and from_at >= acknowledged_at then 'working'
        when held.state = 'new' then 'waiting'
        when held.state = 'in_progress' then 'working'
        else 'unexplained'
    end as kind,
    case when held.state = 'on_hold' then held.reason end as hold_reason,
    assignment_group
from (
    select
        key,
        from_at,
        until_at,
        acknowledged_at,
        acknowledgement_basis,
        is_acknowledged_elsewhere,
        lead(from_at, 1, until_at) over life as next_at,
        -- A hold keeps its reason until the state changes.
        last_value(case when state is not null then struct_pack(state := state, reason := hold_reason) end ignore nulls)
            over so_far as held,
        last_value(assignment_group ignore nulls) over so_far as assignment_group
    from points
    window
        life as (
            partition by key
            order by from_at, sequence nulls last
        ),
        so_far as (
            partition by key
            order by from_at, sequence nulls last
            rows between unbounded preceding and current row
        )
) as parts
where (until_at is null and (next_at is null or next_at > from_at))
    or (from_at < until_at and next_at > from_at);

create or replace temp table holds as
select
    key,
    sum(date_diff('second', from_at, until_at))::bigint as seconds_on_hold
from stretches
where kind = 'on_hold'
group by key;
