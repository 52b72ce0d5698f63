-- title:   Mean time to assign
-- unit:    hours
-- better:  lower
-- counted: opened_at
-- statistic: mean
-- Mean hours from opening to the first assignment to a person, by whomever.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.time_to_assign_each(i) as
    case
        when i.excluded_as is null
        then i.seconds_to_assign
    end;

create or replace macro kpi.time_to_assign(i) as
    sum(kpi.time_to_assign_each(i))::double
    / nullif(count(kpi.time_to_assign_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.time_to_assign_n(i) as
    count(kpi.time_to_assign_each(i));

-- >>> select kpi.time_to_assign(i) from (values (3600, null), (null, null)) as i(seconds_to_assign, excluded_as)
-- 1.0
