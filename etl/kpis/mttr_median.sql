-- title:   Median time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- Half of the resolved incidents took no longer, in hours from opening to the resolution that stands.
create or replace macro kpi.mttr_median(i) as
    quantile_cont(i.seconds_to_resolve, 0.5) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
    )
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_median_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
    );

-- >>> select kpi.mttr_median(i) from (values (7200, null, false), (14400, null, false), (null, null, false), (9, 'duplicate', false), (9, null, true), (72000, null, false)) as i(seconds_to_resolve, excluded_as, resolved_with_parent)
-- 4.0
