-- title:   Reassignments per incident
-- unit:    reassignments
-- better:  lower
-- counted: resolved_at
-- Mean number of times that an incident was taken from an assignment group: by the source's counter, else by its history.
create or replace macro kpi.reassignments_mean(i) as
    (sum(i.reassignment_count) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.resolved_at is not null
            and i.reassignment_count is not null
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.resolved_at is not null
            and i.reassignment_count is not null
    ), 0);

-- How many it is made of.
create or replace macro kpi.reassignments_mean_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.resolved_at is not null
            and i.reassignment_count is not null
    );

-- >>> select kpi.reassignments_mean(i) from (values (3, timestamp '2025-01-01', null, false), (0, timestamp '2025-01-01', null, false), (null, timestamp '2025-01-01', null, false)) as i(reassignment_count, resolved_at, excluded_as, resolved_with_parent)
-- 1.5
