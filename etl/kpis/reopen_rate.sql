-- title:   Reopened share
-- unit:    share
-- better:  lower
-- counted: first_resolved_at
-- Share of the incidents ever resolved that were reopened at least once.
create or replace macro kpi.reopen_rate(i) as
    (count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.first_resolved_at is not null
            and i.reopen_count is not null
            and i.reopen_count > 0
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.first_resolved_at is not null
            and i.reopen_count is not null
    ), 0);

-- How many it is made of.
create or replace macro kpi.reopen_rate_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.first_resolved_at is not null
            and i.reopen_count is not null
    );

-- >>> select kpi.reopen_rate(i) from (values (1, timestamp '2025-01-01', null, false), (0, timestamp '2025-01-01', null, false), (null, timestamp '2025-01-01', null, false)) as i(reopen_count, first_resolved_at, excluded_as, resolved_with_parent)
-- 0.5
