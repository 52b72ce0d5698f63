-- title:   Median time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- statistic: quantile 0.5
-- Half of the resolved incidents took no longer, in hours from opening to the resolution that stands.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mttr_median_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
        then i.seconds_to_resolve
    end;

create or replace macro kpi.mttr_median(i) as
    quantile_cont(kpi.mttr_median_each(i), 0.5) / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_median_n(i) as
    count(kpi.mttr_median_each(i));

-- >>> select kpi.mttr_median(i) from (values (7200, null, false), (14400, null, false), (null, null, false), (9, 'duplicate', false), (9, null, true), (72000, null, false)) as i(seconds_to_resolve, excluded_as, resolved_with_parent)
-- 4.0
