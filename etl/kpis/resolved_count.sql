-- title:   Incidents resolved
-- unit:    incidents
-- better:  none
-- counted: resolved_at
-- statistic: count
-- Number of incidents whose resolution stands, those resolved with their parent too.

-- What one incident adds: 1; null where it does not count.
create or replace macro kpi.resolved_count_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_at is not null
        then 1
    end;

create or replace macro kpi.resolved_count(i) as
    count(kpi.resolved_count_each(i));

-- How many it is made of.
create or replace macro kpi.resolved_count_n(i) as
    count(kpi.resolved_count_each(i));

-- >>> select kpi.resolved_count(i) from (values (null, timestamp '2025-01-01'), (null, null), ('test', timestamp '2025-01-01')) as i(excluded_as, resolved_at)
-- 1
