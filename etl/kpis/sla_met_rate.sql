-- title:   Resolution target met
-- unit:    share
-- better:  higher
-- counted: resolved_at
-- statistic: rate
-- Share of the resolved incidents with a final verdict that met their resolution target. Those resolved with their parent do not count.

-- What one incident adds: 1 or 0; null where it does not count.
create or replace macro kpi.sla_met_rate_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.resolved_at is not null
            and i.sla_met is not null
        then i.sla_met::integer
    end;

create or replace macro kpi.sla_met_rate(i) as
    sum(kpi.sla_met_rate_each(i))::double
    / nullif(count(kpi.sla_met_rate_each(i)), 0);

-- How many it is made of.
create or replace macro kpi.sla_met_rate_n(i) as
    count(kpi.sla_met_rate_each(i));

-- >>> select kpi.sla_met_rate(i) from (values (true, timestamp '2025-01-01', null, false), (false, timestamp '2025-01-01', null, false), (null, timestamp '2025-01-01', null, false)) as i(sla_met, resolved_at, excluded_as, resolved_with_parent)
-- 0.5
