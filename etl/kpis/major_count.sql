-- title:   Major incidents
-- unit:    incidents
-- better:  lower
-- counted: opened_at
-- Number of incidents handled as major.
create or replace macro kpi.major_count(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.is_major
    );

-- How many it is made of.
create or replace macro kpi.major_count_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.is_major
    );

-- >>> select kpi.major_count(i) from (values (null, true), (null, false), (null, null)) as i(excluded_as, is_major)
-- 1
