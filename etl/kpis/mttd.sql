-- title:   Mean time to detect
-- unit:    hours
-- better:  lower
-- counted: opened_at
-- statistic: mean
-- Mean hours from the beginning of the impact to the opening, where the source says when the impact began.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mttd_each(i) as
    case
        when i.excluded_as is null
            and i.occurred_at <= i.opened_at
        then date_diff('second', i.occurred_at, i.opened_at)
    end;

create or replace macro kpi.mttd(i) as
    sum(kpi.mttd_each(i))::double
    / nullif(count(kpi.mttd_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttd_n(i) as
    count(kpi.mttd_each(i));

-- >>> select kpi.mttd(i) from (values (timestamp '2025-01-01 00:00:00', timestamp '2025-01-01 02:00:00', null), (null, timestamp '2025-01-01 02:00:00', null)) as i(occurred_at, opened_at, excluded_as)
-- 2.0
