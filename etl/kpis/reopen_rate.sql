-- title:   Reopened share
-- unit:    share
-- better:  lower
-- counted: first_resolved_at
-- statistic: rate
-- Share of the incidents ever resolved that were reopened at least once.

-- What one incident adds: 1 or 0; null where it does not count.
create or replace macro kpi.reopen_rate_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.first_resolved_at is not null
            and i.reopen_count is not null
        then (i.reopen_count > 0)::integer
    end;

create or replace macro kpi.reopen_rate(i) as
    sum(kpi.reopen_rate_each(i))::double
    / nullif(count(kpi.reopen_rate_each(i)), 0);

-- How many it is made of.
create or replace macro kpi.reopen_rate_n(i) as
    count(kpi.reopen_rate_each(i));

-- >>> select kpi.reopen_rate(i) from (values (1, timestamp '2025-01-01', null, false), (0, timestamp '2025-01-01', null, false), (null, timestamp '2025-01-01', null, false)) as i(reopen_count, first_resolved_at, excluded_as, resolved_with_parent)
-- 0.5
