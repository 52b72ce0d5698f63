-- One row per pair of groups between which resolved incidents were handed over, and one without groups for all of them.
with
counted as materialized (
    select
        i.rowid as key,
        i.source,
        i.incident_id
    from main.incidents as i
    where i.excluded_as is null
        and i.resolved_with_parent is not true
        and i.seconds_to_resolve is not null
        and ($since::date is null or i.resolved_on >= $since)
        and ($until::date is null or i.resolved_on <= $until)
        -- and the filters
),
by_incident as materialized (
    select
        counted.key,
        moves.from_group,
        moves.to_group,
        moves.hand_overs,
        moves.returns
    from store.hand_overs as moves
    join counted
        on moves.source = counted.source
        and moves.incident_id = counted.incident_id
    -- Of other days none need be looked at.
    where ($since::date is null or moves.resolved_on >= $since)
        and ($until::date is null or moves.resolved_on <= $until)
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
