-- title:   Reassignments per incident
-- unit:    reassignments
-- better:  lower
-- counted: resolved_at
-- statistic: mean
-- Mean number of times that an incident was taken from an assignment group: by the source's counter, else by its history.

-- What one incident adds: its reassignments; null where it does not count.
create or replace macro kpi.reassignments_mean_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.resolved_at is not null
        then i.reassignment_count
    end;

create or replace macro kpi.reassignments_mean(i) as
    sum(kpi.reassignments_mean_each(i))::double
    / nullif(count(kpi.reassignments_mean_each(i)), 0);

-- How many it is made of.
create or replace macro kpi.reassignments_mean_n(i) as
    count(kpi.reassignments_mean_each(i));

-- >>> select kpi.reassignments_mean(i) from (values (3, timestamp '2025-01-01', null, false), (0, timestamp '2025-01-01', null, false), (null, timestamp '2025-01-01', null, false)) as i(reassignment_count, resolved_at, excluded_as, resolved_with_parent)
-- 1.5
