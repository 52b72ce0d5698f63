-- One row per day of the reporting zone, with the instants at which it begins and ends.
insert into store.days
select
    stamp::date as day,
    stamp at time zone $zone at time zone 'UTC' as begins_at,
    (stamp + interval 1 day) at time zone $zone at time zone 'UTC' as ends_at
from generate_series($first::timestamp, $last::timestamp, interval 1 day) as days(stamp);
