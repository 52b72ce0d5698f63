-- title:   90th percentile of time to acknowledge
-- unit:    hours
-- better:  lower
-- counted: acknowledged_at
-- statistic: quantile 0.9
-- Nine in ten acknowledged incidents were taken on at least as quickly, in hours from opening.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mtta_p90_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
        then i.seconds_to_acknowledge
    end;

create or replace macro kpi.mtta_p90(i) as
    quantile_cont(kpi.mtta_p90_each(i), 0.9) / 3600;

-- How many it is made of.
create or replace macro kpi.mtta_p90_n(i) as
    count(kpi.mtta_p90_each(i));

-- >>> select kpi.mtta_p90(i) from (values (0, null, false, false), (36000, null, false, false)) as i(seconds_to_acknowledge, excluded_as, resolved_with_parent, is_auto_resolved)
-- 9.0
