-- title:   Median time to acknowledge
-- unit:    hours
-- better:  lower
-- counted: acknowledged_at
-- statistic: quantile 0.5
-- Half of the acknowledged incidents were taken on at least as quickly, in hours from opening.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mtta_median_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
        then i.seconds_to_acknowledge
    end;

create or replace macro kpi.mtta_median(i) as
    quantile_cont(kpi.mtta_median_each(i), 0.5) / 3600;

-- How many it is made of.
create or replace macro kpi.mtta_median_n(i) as
    count(kpi.mtta_median_each(i));

-- >>> select kpi.mtta_median(i) from (values (600, null, false, null), (3000, null, false, false), (1, null, false, true), (1, 'cancelled', false, false)) as i(seconds_to_acknowledge, excluded_as, resolved_with_parent, is_auto_resolved)
-- 0.5
