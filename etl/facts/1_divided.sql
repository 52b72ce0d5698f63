-- One row per version of an incident whose facts are made again, with the slice that it is made in: memory holds one slice
-- at a time. A child's facts follow from its parent's, so all parents are in the first one.
create or replace temp table divided as
select
    places.place,
    places.source,
    places.incident_id,
    case
        when parents.place is not null then 0
        else hash(places.source, places.incident_id) % getvariable('slices')
    end as slice
from places
left join (
    select distinct named.place
    from (
        select
            place,
            source,
            unnest([incident_id, external_id]) as key
        from places
        where getvariable('slices') > 1
    ) as named
    semi join (select source, parent_id from store.versions where parent_id is not null) as child
        on named.source = child.source
        and named.key = child.parent_id
) as parents
    on places.place = parents.place;

drop table places;
