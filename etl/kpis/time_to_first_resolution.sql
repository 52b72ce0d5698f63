-- title:   Mean time to first resolution
-- unit:    hours
-- better:  lower
-- counted: first_resolved_at
-- statistic: mean
-- Mean hours from opening to the first resolution, of every incident that was ever resolved, reopened or not.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.time_to_first_resolution_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
        then i.seconds_to_first_resolution
    end;

create or replace macro kpi.time_to_first_resolution(i) as
    sum(kpi.time_to_first_resolution_each(i))::double
    / nullif(count(kpi.time_to_first_resolution_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.time_to_first_resolution_n(i) as
    count(kpi.time_to_first_resolution_each(i));

-- >>> select kpi.time_to_first_resolution(i) from (values (3600, null, false), (10800, null, false)) as i(seconds_to_first_resolution, excluded_as, resolved_with_parent)
-- 2.0
