-- title:   Median time to acknowledge
-- unit:    hours
-- better:  lower
-- counted: acknowledged_at
-- Half of the acknowledged incidents were taken on at least as quickly, in hours from opening.
create or replace macro kpi.mtta_median(i) as
    quantile_cont(i.seconds_to_acknowledge, 0.5) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.seconds_to_acknowledge is not null
    )
    / 3600;

-- How many it is made of.
create or replace macro kpi.mtta_median_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.seconds_to_acknowledge is not null
    );

-- >>> select kpi.mtta_median(i) from (values (600, null, false, null), (3000, null, false, false), (1, null, false, true), (1, 'cancelled', false, false)) as i(seconds_to_acknowledge, excluded_as, resolved_with_parent, is_auto_resolved)
-- 0.5
