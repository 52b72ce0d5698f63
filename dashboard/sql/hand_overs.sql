-- One row per pair of groups between which resolved incidents were handed over, and one without groups for all of them.
with
counted as materialized (
    select
        i.source,
        i.incident_id,
        i.resolved_at
    from main.incidents as i
    where i.excluded_as is null
        and i.resolved_with_parent is not true
        and i.seconds_to_resolve is not null
        and ($since::date is null or i.resolved_on >= $since)
        and ($until::date is null or i.resolved_on <= $until)
        -- and the filters
),
moves as materialized (
    select
        events.source,
        events.incident_id,
        events.from_value,
        events.to_value,
        events.sequence
    from counted
    join main.incident_events as events
        on counted.source = events.source
        and counted.incident_id = events.incident_id
    where events.kind = 'group_assigned'
        and events.from_value <> events.to_value
        and events.happened_at <= counted.resolved_at
),
-- A group that had given the incident away before gets it back.
departures as (
    select
        source,
        incident_id,
        from_value,
        min(sequence) as sequence
    from moves
    group by
        source,
        incident_id,
        from_value
)
select
    moves.from_value as from_group,
    moves.to_value as to_group,
    count(*)::bigint as hand_overs,
    count(distinct (moves.source, moves.incident_id))::bigint as incidents,
    count(departures.sequence)::bigint as returns,
    count(distinct (moves.source, moves.incident_id)) filter (where departures.sequence is not null)::bigint
        as returned_incidents
from moves
left join departures
    on moves.source = departures.source
    and moves.incident_id = departures.incident_id
    and moves.to_value = departures.from_value
    and departures.sequence < moves.sequence
group by grouping sets (
    (moves.from_value, moves.to_value),
    ()
)
having count(*) > 0
order by
    grouping(moves.from_value),
    hand_overs desc,
    from_group,
    to_group;
