-- title:   90th percentile of time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- statistic: quantile 0.9
-- Nine in ten resolved incidents took no longer, in hours from opening to the resolution that stands.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mttr_p90_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
        then i.seconds_to_resolve
    end;

create or replace macro kpi.mttr_p90(i) as
    quantile_cont(kpi.mttr_p90_each(i), 0.9) / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_p90_n(i) as
    count(kpi.mttr_p90_each(i));

-- >>> select kpi.mttr_p90(i) from (values (0, null, false), (36000, null, false)) as i(seconds_to_resolve, excluded_as, resolved_with_parent)
-- 9.0
