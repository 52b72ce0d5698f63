-- One row per pair of groups between which resolved incidents were handed over, and one without groups for all of them.
with
counted as materialized (
    select
        i.rowid as key,
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
        counted.key,
        events.from_value as from_group,
        events.to_value as to_group,
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
        key,
        from_group,
        min(sequence) as sequence
    from moves
    group by
        key,
        from_group
),
by_incident as materialized (
    select
        moves.key,
        moves.from_group,
        moves.to_group,
        count(*) as hand_overs,
        count(departures.sequence) as returns
    from moves
    left join departures
        on moves.key = departures.key
        and moves.to_group = departures.from_group
        and departures.sequence < moves.sequence
    group by
        moves.key,
        moves.from_group,
        moves.to_group
),
summed as (
    select
        from_group,
        to_group,
        sum(hand_overs) as hand_overs,
        count(*) as incidents,
        sum(returns) as returns,
        count(*) filter (where returns > 0) as returned_incidents
    from by_incident
    group by
        from_group,
        to_group
    union all by name
    select
        null as from_group,
        null as to_group,
        sum(hand_overs) as hand_overs,
        count(*) as incidents,
        sum(returns) as returns,
        count(*) filter (where returns > 0) as returned_incidents
    from (
        select
            sum(hand_overs) as hand_overs,
            sum(returns) as returns
        from by_incident
        group by key
    )
    having count(*) > 0
)
select
    from_group,
    to_group,
    hand_overs::bigint as hand_overs,
    incidents::bigint as incidents,
    returns::bigint as returns,
    returned_incidents::bigint as returned_incidents
from summed
order by
    from_group is null,
    hand_overs desc,
    from_group,
    to_group;
