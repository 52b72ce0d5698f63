-- title:   90th percentile of time to acknowledge
-- unit:    hours
-- better:  lower
-- counted: acknowledged_at
-- Nine in ten acknowledged incidents were taken on at least as quickly, in hours from opening.
create or replace macro kpi.mtta_p90(i) as
    quantile_cont(i.seconds_to_acknowledge, 0.9) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.seconds_to_acknowledge is not null
    )
    / 3600;

-- How many it is made of.
create or replace macro kpi.mtta_p90_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.seconds_to_acknowledge is not null
    );

-- >>> select kpi.mtta_p90(i) from (values (0, null, false, false), (36000, null, false, false)) as i(seconds_to_acknowledge, excluded_as, resolved_with_parent, is_auto_resolved)
-- 9.0
