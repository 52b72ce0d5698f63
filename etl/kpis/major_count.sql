-- title:   Major incidents
-- unit:    incidents
-- better:  lower
-- counted: opened_at
-- statistic: count
-- Number of incidents handled as major.

-- What one incident adds: 1; null where it does not count.
create or replace macro kpi.major_count_each(i) as
    case
        when i.excluded_as is null
            and i.is_major
        then 1
    end;

create or replace macro kpi.major_count(i) as
    count(kpi.major_count_each(i));

-- How many it is made of.
create or replace macro kpi.major_count_n(i) as
    count(kpi.major_count_each(i));

-- >>> select kpi.major_count(i) from (values (null, true), (null, false), (null, null)) as i(excluded_as, is_major)
-- 1
