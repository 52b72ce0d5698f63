-- title:   Incidents resolved
-- unit:    incidents
-- better:  none
-- counted: resolved_at
-- Number of incidents whose resolution stands, those resolved with their parent too.
create or replace macro kpi.resolved_count(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_at is not null
    );

-- How many it is made of.
create or replace macro kpi.resolved_count_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_at is not null
    );

-- >>> select kpi.resolved_count(i) from (values (null, timestamp '2025-01-01'), (null, null), ('test', timestamp '2025-01-01')) as i(excluded_as, resolved_at)
-- 1
