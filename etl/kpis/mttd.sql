-- title:   Mean time to detect
-- unit:    hours
-- better:  lower
-- counted: opened_at
-- Mean hours from the beginning of the impact to the opening, where the source says when the impact began.
create or replace macro kpi.mttd(i) as
    (sum(date_diff('second', i.occurred_at, i.opened_at)) filter (
        where i.excluded_as is null
            and i.occurred_at <= i.opened_at
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.occurred_at <= i.opened_at
    ), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttd_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.occurred_at <= i.opened_at
    );

-- >>> select kpi.mttd(i) from (values (timestamp '2025-01-01 00:00:00', timestamp '2025-01-01 02:00:00', null), (null, timestamp '2025-01-01 02:00:00', null)) as i(occurred_at, opened_at, excluded_as)
-- 2.0
