-- title:   Mean time to first resolution
-- unit:    hours
-- better:  lower
-- counted: first_resolved_at
-- Mean hours from opening to the first resolution, of every incident that was ever resolved, reopened or not.
create or replace macro kpi.time_to_first_resolution(i) as
    (sum(i.seconds_to_first_resolution) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_first_resolution is not null
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_first_resolution is not null
    ), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.time_to_first_resolution_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_first_resolution is not null
    );

-- >>> select kpi.time_to_first_resolution(i) from (values (3600, null, false), (10800, null, false)) as i(seconds_to_first_resolution, excluded_as, resolved_with_parent)
-- 2.0
