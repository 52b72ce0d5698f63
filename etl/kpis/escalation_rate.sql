-- title:   Escalated share
-- unit:    share
-- better:  lower
-- counted: resolved_at
-- statistic: rate
-- Share of the resolved incidents that were escalated at least once, where the source records escalations.

-- What one incident adds: 1 or 0; null where it does not count.
create or replace macro kpi.escalation_rate_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.resolved_at is not null
            and i.escalation_count is not null
        then (i.escalation_count > 0)::integer
    end;

create or replace macro kpi.escalation_rate(i) as
    sum(kpi.escalation_rate_each(i))::double
    / nullif(count(kpi.escalation_rate_each(i)), 0);

-- How many it is made of.
create or replace macro kpi.escalation_rate_n(i) as
    count(kpi.escalation_rate_each(i));

-- >>> select kpi.escalation_rate(i) from (values (1, timestamp '2025-01-01', null, false), (0, timestamp '2025-01-01', null, false), (null, timestamp '2025-01-01', null, false)) as i(escalation_count, resolved_at, excluded_as, resolved_with_parent)
-- 0.5
