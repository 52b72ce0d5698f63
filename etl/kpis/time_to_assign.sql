-- title:   Mean time to assign
-- unit:    hours
-- better:  lower
-- counted: opened_at
-- Mean hours from opening to the first assignment to a person, by whomever.
create or replace macro kpi.time_to_assign(i) as
    (sum(i.seconds_to_assign) filter (
        where i.excluded_as is null
            and i.seconds_to_assign is not null
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.seconds_to_assign is not null
    ), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.time_to_assign_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.seconds_to_assign is not null
    );

-- >>> select kpi.time_to_assign(i) from (values (3600, null), (null, null)) as i(seconds_to_assign, excluded_as)
-- 1.0
