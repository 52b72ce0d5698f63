-- title:   90th percentile of time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- Nine in ten resolved incidents took no longer, in hours from opening to the resolution that stands.
create or replace macro kpi.mttr_p90(i) as
    quantile_cont(i.seconds_to_resolve, 0.9) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
    )
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_p90_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
    );

-- >>> select kpi.mttr_p90(i) from (values (0, null, false), (36000, null, false)) as i(seconds_to_resolve, excluded_as, resolved_with_parent)
-- 9.0
