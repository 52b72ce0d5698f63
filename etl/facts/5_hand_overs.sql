-- One row per resolved incident and pair of groups between which it was handed over before it was resolved.
delete from store.hand_overs as hand_overs
using keys
where hand_overs.source = keys.source
    and hand_overs.incident_id = keys.incident_id;

create or replace temp table moves as
select
    happenings.key,
    happenings.from_value as from_group,
    happenings.to_value as to_group,
    happenings.sequence
from happenings
join lives
    on happenings.key = lives.key
where happenings.kind = 'group_assigned'
    and happenings.from_value <> happenings.to_value
    and happenings.happened_at <= lives.until_at;

insert into store.hand_overs by name
select
    named.source,
    named.incident_id,
    named.resolved_on,
    moves.from_group,
    moves.to_group,
    count(*) as hand_overs,
    count(departures.sequence) as returns
from moves
join named
    on moves.key = named.key
-- A group that had given the incident away before gets it back.
left join (
    select
        key,
        from_group,
        min(sequence) as sequence
    from moves
    group by
        key,
        from_group
) as departures
    on moves.key = departures.key
    and moves.to_group = departures.from_group
    and departures.sequence < moves.sequence
group by
    named.source,
    named.incident_id,
    named.resolved_on,
    moves.from_group,
    moves.to_group;

drop table moves;
